"""Downloads against a server on this machine that drops connections, forgets Range, and serves a corrupt file."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("pooch")
pytest.importorskip("requests")

from ecgprior.corpus.catalog import source_class
from ecgprior.corpus.download import SUMS, download, read_sums
from ecgprior.errors import CorpusError, FormatBroken, ReadError

BIG = bytes(range(256)) * 2000  # 512,000 bytes: several pieces
FILES = {"RECORDS": b"data/1\n", "data/1.dat": BIG, "data/1.hea": b"1 1 500 10\n", "other/x": b"x"}


class Server(ThreadingHTTPServer):
    """What it serves, how it misbehaves, and what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.sums = "".join(f"{hashlib.sha256(v).hexdigest()}  {k}\n" for k, v in FILES.items())
        self.drop_after: dict[str, list[int]] = {}  # path → bytes after which the next connections end
        self.no_range = False
        self.fail: dict[str, list[int]] = {}  # path → status of the next answers
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        path, ranged = self.path.lstrip("/"), self.headers.get("Range")
        server.asked.append((path, ranged))
        if server.fail.get(path):
            self.send_error(server.fail[path].pop(0))
            return
        body = server.sums.encode() if path == SUMS else server.files.get(path)
        if body is None:
            self.send_error(404)
            return
        first = int(ranged.split("=")[1].rstrip("-")) if ranged and not server.no_range else 0
        if first >= len(body) and first:
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        cut = server.drop_after.get(path)
        end = first + cut.pop(0) if cut else len(body)
        self.wfile.write(body[first:end])  # the connection closes here, before the promised length if cut

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(server, to, **options):
    return download(source_class("ludb"), to, mirror=server.url, pause=0.0, **options)


def ranges(server, path):
    return [ranged for name, ranged in server.asked if name == path]


def test_everything_arrives_and_the_second_time_nothing_is_fetched(server, tmp_path):
    seen = []
    fetch(server, tmp_path / "new" / "folder", progress=lambda done, total, text: seen.append((done, total)))
    folder = tmp_path / "new" / "folder"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    server.asked.clear()
    fetch(server, folder)
    assert [name for name, _ in server.asked] == [SUMS]
    assert not list(folder.rglob("*.part"))


def test_a_dropped_connection_is_resumed_where_it_ended(server, tmp_path):
    server.drop_after["data/1.dat"] = [12 << 13, 24 << 13]
    fetch(server, tmp_path)
    assert (tmp_path / "data/1.dat").read_bytes() == BIG
    assert ranges(server, "data/1.dat") == [None, "bytes=98304-", "bytes=294912-"]


def test_a_download_that_was_broken_off_goes_on_in_the_next_call(server, tmp_path):
    server.drop_after["data/1.dat"] = [8192] + [0] * 5
    with pytest.raises(ReadError, match=r"data/1.dat.*5 connections in a row brought nothing"):
        fetch(server, tmp_path)
    assert (tmp_path / "data/1.dat.part").stat().st_size == 8192
    assert not (tmp_path / "data/1.dat").exists()
    server.asked.clear()
    fetch(server, tmp_path)
    assert ranges(server, "data/1.dat") == ["bytes=8192-"]
    assert (tmp_path / "data/1.dat").read_bytes() == BIG


def test_a_server_that_knows_no_range_starts_over(server, tmp_path):
    server.no_range = True
    server.drop_after["data/1.dat"] = [100_000]
    fetch(server, tmp_path)
    assert (tmp_path / "data/1.dat").read_bytes() == BIG


def test_a_corrupt_file_is_fetched_once_more_then_refused_and_thrown_away(server, tmp_path):
    server.files["data/1.dat"] = b"\1" + BIG[1:]
    with pytest.raises(ReadError, match=r"data/1.dat' is corrupt: expected SHA-256 [0-9a-f]{64}"):
        fetch(server, tmp_path, workers=1)
    assert ranges(server, "data/1.dat") == [None, None]
    assert not list(tmp_path.rglob("1.dat*"))
    server.files["data/1.dat"] = BIG
    fetch(server, tmp_path)
    assert (tmp_path / "data/1.dat").read_bytes() == BIG


def test_a_stale_part_of_another_file_is_found_out(server, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/1.dat.part").write_bytes(b"not the beginning of this file")
    fetch(server, tmp_path)
    assert (tmp_path / "data/1.dat").read_bytes() == BIG
    (tmp_path / "data/1.dat").unlink()
    (tmp_path / "data/1.dat.part").write_bytes(BIG + b"longer")  # HTTP 416
    fetch(server, tmp_path)
    assert (tmp_path / "data/1.dat").read_bytes() == BIG


def test_a_changed_file_is_fetched_again(server, tmp_path):
    fetch(server, tmp_path)
    (tmp_path / "RECORDS").write_bytes(b"changed")
    fetch(server, tmp_path)
    assert (tmp_path / "RECORDS").read_bytes() == FILES["RECORDS"]


def test_a_busy_server_is_asked_again_and_a_missing_file_is_told(server, tmp_path):
    server.fail["RECORDS"] = [503, 429]
    fetch(server, tmp_path)
    assert (tmp_path / "RECORDS").read_bytes() == FILES["RECORDS"]
    del server.files["other/x"]
    (tmp_path / "other/x").unlink()
    with pytest.raises(ReadError, match=r"other/x.*expected HTTP 200, got 404"):
        fetch(server, tmp_path)


def test_only_some_files(server, tmp_path):
    fetch(server, tmp_path, only=["data/*"])
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["1.dat", "1.hea"]
    assert not (tmp_path / "RECORDS").exists()
    with pytest.raises(CorpusError, match="no file that matches"):
        fetch(server, tmp_path, only=["nothing/*"])


def test_no_server(tmp_path):
    with pytest.raises(ReadError, match="connections in a row"):
        download(source_class("ludb"), tmp_path, mirror="http://127.0.0.1:1", pause=0.0)


def test_a_list_that_leads_out_of_the_folder_is_refused(server, tmp_path):
    for path in ("../evil", "/etc/evil", "a/../../evil", "a\\..\\evil"):
        server.sums = f"{'0' * 64}  {path}\n"
        with pytest.raises(FormatBroken, match="inside the folder"):
            fetch(server, tmp_path)
    server.sums = "<html>not a list</html>"
    with pytest.raises(FormatBroken, match="expected '<sha256>"):
        fetch(server, tmp_path)


def test_a_set_of_several_is_narrowed_to_the_source(tmp_path):
    sums = tmp_path / SUMS
    sums.write_text(f"{'a' * 64} training/georgia/g1/E00001.hea\n{'b' * 64} *training/ptb/g1/S0001.hea\n")
    assert list(read_sums(sums, source_class("ptb").within)) == ["training/ptb/g1/S0001.hea"]


def test_a_source_that_is_not_downloaded_says_where_it_is(tmp_path):
    said = "no SHA256SUMS.txt of its publisher .* cannot be checked .* get it at https://doi.org/10.5281/zenodo.4916206"
    with pytest.raises(CorpusError, match=said):
        download(source_class("code15"), tmp_path)
    with pytest.raises(CorpusError, match="make it with `ecgprior simulate"):
        download(source_class("simulated"), tmp_path)
    with pytest.raises(CorpusError, match="one's own"):
        download(source_class("folder"), tmp_path)


def test_a_target_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="--to"):
        fetch(server, tmp_path / "file" / "folder")
