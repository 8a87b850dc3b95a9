"""``ecgprior download`` on the command line; the transfer itself is tested in tests/corpus/test_download.py."""

import functools
import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("pooch")
pytest.importorskip("requests")

from ecgprior.app.main import app
from ecgprior.record.formats import wfdb
from ecgprior.record.record import Record


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path):
    """A publisher's folder with its SHA256SUMS.txt, served."""
    folder = tmp_path / "published"
    (folder / "files" / "7").mkdir(parents=True)
    signal = np.random.default_rng(0).normal(0, 0.2, (12, 1200)).round(3)
    wfdb.write(Record(signal=signal, fs=100), folder / "files" / "7" / "7")
    (folder / "metadata.csv").write_text("patient_id,basal_pattern,sudden_death,brugada\n7,0,0,1\n")
    files = [path for path in folder.rglob("*") if path.is_file()]
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.relative_to(folder).as_posix()}\n" for p in files
    ]
    (folder / "SHA256SUMS.txt").write_text("".join(lines))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_and_says_what_comes_next(mirror, tmp_path):
    to = tmp_path / "here"
    result = CliRunner().invoke(app, ["download", "brugada", "--to", str(to), "--mirror", mirror])
    assert result.exit_code == 0, result.exception
    assert "CC BY-SA 4.0" in result.output
    assert f"ready: ecgprior prepare brugada={to} --to CORPUS" in result.output
    assert (to / "files/7/7.dat").is_file()


def test_a_part_of_a_source_is_said_to_be_one(mirror, tmp_path):
    arguments = [
        "download",
        "brugada",
        "--to",
        str(tmp_path / "here"),
        "--mirror",
        mirror,
        "--only",
        "metadata.csv",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.exception
    assert "not a whole source yet" in result.output
