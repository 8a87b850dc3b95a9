"""Preparing: whole or resumable, the same whoever does it, and everything that was left out is written down."""

import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus import _plan
from ecgprior.corpus import prepare as room
from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.shards import Corpus
from ecgprior.corpus.sources.folder import Folder
from ecgprior.errors import CorpusError, LeadMissing
from ecgprior.jobs import dask_executor
from ecgprior.record.record import LEADS, Record


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(_plan, "_SMALLEST", 2)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the manifest, which says when it was made."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("manifest.json", ".lock")
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_rejects_are_listed_with_reasons(mixed, tmp_path):
    corpus = prepare([mixed], tmp_path / "c", fs=100, workers=1)
    rejected = pl.read_csv(tmp_path / "c/rejected.csv")
    reasons = dict(rejected.select("record", "reason").iter_rows())
    assert list(reasons) == ["memory/broken", "memory/odd", "memory/elsewhere", "memory/silent"]
    assert "ends early" in reasons["memory/broken"] and "memory record 'broken'" in reasons["memory/broken"]
    assert reasons["memory/odd"] == "ValueError: what no reader foresaw"
    assert "no lead of the corpus" in reasons["memory/elsewhere"] and "V9" in reasons["memory/elsewhere"]
    assert "all leads are absent" in reasons["memory/silent"]
    assert corpus.manifest["n_rejected"] == 4 and corpus.manifest["n_records"] == 4
    assert corpus.vocabularies == ("brugada",)
    assert not (tmp_path / "c/parts").exists()


def test_one_wild_sample_is_no_reason_to_reject(ecg, make_source, tmp_path):
    wild = ecg(1).signal.copy()
    wild[0, 100] = 1e6
    corpus = prepare([make_source({"wild": ecg(1).with_(signal=wild)})], tmp_path / "c", workers=1)
    assert corpus.manifest["n_rejected"] == 0


def test_only_the_asked_leads_are_kept(mixed, tmp_path):
    corpus = prepare([mixed], tmp_path / "c", fs=100, leads=["V9", "II"], workers=1)
    assert corpus.leads == ("V9", "II") and corpus.signal(0).shape[0] == 2
    assert corpus.index["leads"].to_list()[1] == ["II"]
    with pytest.raises(CorpusError, match="each once"):
        prepare([mixed], tmp_path / "d", leads=["I", "i"])


def test_a_lead_that_no_record_has_is_refused_by_name(mixed, tmp_path):
    with pytest.raises(
        LeadMissing, match=r"lead 'XX' is in no record of the sources: expected one of I, II, .*V9"
    ):
        prepare([mixed], tmp_path / "c", fs=100, leads=["II", "XX"], workers=1)
    with pytest.raises(LeadMissing, match="Did you mean 'V9'"):
        prepare([mixed], tmp_path / "c", fs=100, leads=["v9"], workers=1)
    corpus = prepare([mixed], tmp_path / "c", fs=100, leads=["II"], workers=1)  # nothing was left behind
    assert corpus.leads == ("II",)


def test_the_same_call_again_changes_nothing_and_another_is_refused(mixed, make_source, tmp_path):
    first = prepare([mixed], tmp_path / "c", fs=100, workers=1)
    n_loaded = len(mixed.loaded)
    again = prepare([mixed], tmp_path / "c", fs=100, workers=1)
    assert again.digest == first.digest and len(mixed.loaded) == n_loaded
    with pytest.raises(CorpusError, match=r"other sources or settings lies here \(fs differ\)"):
        prepare([mixed], tmp_path / "c", fs=200, workers=1)
    with pytest.raises(CorpusError, match="catalog"):
        prepare([make_source({"short": mixed.records["short"]})], tmp_path / "c", fs=100)


@pytest.mark.parametrize("sources", ["nope", ["nope"], Folder("nope")])
def test_what_are_no_sources_is_said(tmp_path, sources):
    with pytest.raises(CorpusError, match="sources: expected a list of sources, or folders by the names"):
        prepare(sources, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_two_folders_of_one_source_may_hold_the_same_name(ecg, make_source, tmp_path):
    corpus = prepare([make_source({"a": ecg(1)}), make_source({"a": ecg(2)})], tmp_path / "c", workers=1)
    assert corpus.index["record"].to_list() == ["memory/a", "memory/a~2"]
    assert not np.allclose(corpus.signal(0), corpus.signal(1))


def test_doubles_leave_the_index_and_the_first_by_priority_stays(ecg, make_source, tmp_path):
    one = ecg(1)
    rounded = one.with_(signal=np.round(one.signal * 37) / 5, fs=500)
    later = make_source({"x": one, "y": ecg(2)}, name="later", priority=9)
    first = make_source({"z": rounded, "w": ecg(3)}, {"z": {"patient": "p"}}, name="first", priority=1)
    corpus = prepare([later, first], tmp_path / "c", workers=1)
    assert corpus.index["record"].to_list() == ["later/y", "first/z", "first/w"]
    doubles = pl.read_csv(tmp_path / "c/duplicates.csv")
    assert doubles.select("record", "kept", "kept_patient").rows() == [("later/x", "first/z", "first/p")]
    assert doubles["correlation"][0] > 0.999


def test_many_equal_and_many_flat_records(ecg, make_source, tmp_path):
    records = {f"same{i}": ecg(1) for i in range(5)}
    records |= {f"flat{i}": Record(signal=np.full((12, 5000), i), fs=500) for i in range(5)}
    corpus = prepare([make_source(records)], tmp_path / "c", workers=1)
    assert corpus.manifest["n_duplicates"] == 4
    assert corpus.index["record"].to_list() == ["memory/same0"] + [f"memory/flat{i}" for i in range(5)]


def test_marks_follow_the_rate_and_leave_with_doubles(mixed, make_source, tmp_path):
    source = make_source({"long": mixed.records["long"], "copy": mixed.records["long"]})
    corpus = prepare([source], tmp_path / "c", fs=500, workers=1)
    marks = corpus.side("annotations")
    assert marks["record"].to_list() == ["memory/long"] * 2 and marks["sample"].to_list() == [25, 1000]
    assert marks["lead"].to_list() == [None, "II"]


def test_threads_processes_and_dask_write_the_same_bytes(on_disk, tmp_path):
    source = open_source("folder", on_disk(7))
    prepare([source], tmp_path / "here", fs=100, workers=1)
    prepare([source], tmp_path / "spawned", fs=100, workers=2)
    with ThreadPoolExecutor(3) as executor:
        prepare([source], tmp_path / "threads", fs=100, executor=executor)
    wanted = contents(tmp_path / "here")
    assert contents(tmp_path / "spawned") == wanted == contents(tmp_path / "threads")
    assert {
        "index.parquet",
        "rejected.csv",
        "duplicates.csv",
        "plan.json",
        "shards/00003.i16",
    } <= wanted.keys()


def test_a_dask_cluster_writes_the_same_bytes(on_disk, tmp_path):
    distributed = pytest.importorskip("distributed")
    source = open_source("folder", on_disk(7))
    prepare([source], tmp_path / "here", fs=100, workers=1)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
        ) as cluster,
        dask_executor(cluster.scheduler_address) as executor,
    ):
        prepare([source], tmp_path / "dask", fs=100, executor=executor)
    assert contents(tmp_path / "dask") == contents(tmp_path / "here")


def test_an_interruption_loses_and_doubles_nothing(on_disk, tmp_path, monkeypatch):
    """Stop before every part, and between the parts and the manifest, and go on each time."""
    folder = on_disk(8)
    whole = contents(prepare([Folder(folder)], tmp_path / "whole", fs=100, workers=1).path)
    loaded: list[str] = []
    load = Folder.load

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "load", lambda self, path: (loaded.append(path), load(self, path))[1])
        for moment in (2, 4):
            with pytest.raises(KeyboardInterrupt):
                prepare(
                    [Folder(folder)],
                    tmp_path / "c",
                    fs=100,
                    workers=1,
                    progress=lambda d, *_, at=moment: d == at and stop(),
                )
        patch.setattr(room, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare([Folder(folder)], tmp_path / "c", fs=100, workers=1)
        assert sorted(loaded) == [f"r{i}" for i in range(8)]
        with pytest.raises(CorpusError, match="interrupted"):
            Corpus(tmp_path / "c")
    assert contents(prepare([Folder(folder)], tmp_path / "c", fs=100, workers=1).path) == whole


@pytest.mark.slow
def test_sigkill_at_several_moments(on_disk, tmp_path, monkeypatch):
    """A real command with two worker processes, killed before, within and after the parts, then left to finish."""
    monkeypatch.undo()
    folder, to = on_disk(260), tmp_path / "c"
    command = [sys.executable, "-m", "ecgprior", "prepare", f"folder={folder}", "--rate", "100"]
    command += ["--workers", "2", "--to", str(to)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for reached, count in (
        ("plan.json", 1),
        ("shards/.*.part", 1),
        ("parts/?????.parquet", 2),
        ("index.parquet", 1),
    ):
        process = subprocess.Popen(command, **quiet)
        while process.poll() is None and len(list(to.glob(reached))) < count:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, **quiet)
    corpus = Corpus(to)
    assert corpus.index["record"].to_list() == [f"folder/r{i}" for i in range(260)]
    assert corpus.broken() == [] and not list(to.rglob("*.part")) and not (to / "parts").exists()
    wanted = prepare([Folder(folder)], tmp_path / "whole", fs=100, workers=1)
    assert contents(to) == contents(wanted.path) and corpus.digest == wanted.digest


def test_a_source_travels_without_its_table(on_disk):
    source = Folder(on_disk(3))
    list(source.rows())
    before = len(pickle.dumps(Folder(source.root)))
    assert source.load("r0").fs == 100 and "options" in vars(source)
    assert len(pickle.dumps(source)) == before


@pytest.mark.slow
def test_memory_does_not_grow_with_the_records(on_disk, tmp_path):
    """20 and 300 records of 300 s at 100 Hz, 1.4 MB each in float32: less than 40 MB apart.

    All are one recording, so the search for duplicates is told that none are alike: it would read every shard, and
    what is mapped into memory counts although the system may drop it.
    """
    pytest.importorskip("resource")
    folder = on_disk(1, seconds=300)
    code = (
        "import resource, sys; from ecgprior.corpus.prepare import prepare;"
        "from ecgprior.corpus.sources.folder import Folder;"
        "import ecgprior.corpus._finish as room; import numpy; room.groups = lambda prints, _: numpy.arange(len(prints));"
        "prepare([Folder(sys.argv[1])], sys.argv[2], fs=100, workers=1);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peak = []
    for count in (20, 300):
        rows = "".join(f"r0,x{i}\n" for i in range(count))
        (folder / "records.csv").write_text(f"path,record\n{rows}", encoding="utf-8")
        command = [sys.executable, "-c", code, str(folder), str(tmp_path / f"c{count}")]
        peak.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024)
    assert peak[1] - peak[0] < 40, peak


def test_a_full_disk_is_said_and_the_same_call_goes_on(on_disk, tmp_path, monkeypatch):
    folder = on_disk(8)
    add = room.ShardWriter.add
    count = 0

    def full(self, signal):
        nonlocal count
        count += 1
        if count == 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return add(self, signal)

    monkeypatch.setattr(room.ShardWriter, "add", full)
    with pytest.raises(
        CorpusError, match="No space left on device – free some space and run the same call again"
    ):
        prepare([Folder(folder)], tmp_path / "c", fs=100, workers=1)
    assert len(list(tmp_path.glob("c/parts/*.parquet"))) == 2 and not list(tmp_path.rglob("*.part"))
    assert len(prepare([Folder(folder)], tmp_path / "c", fs=100, workers=1)) == 8


def test_a_real_limit_of_the_system(on_disk, tmp_path):
    """RLIMIT_FSIZE: a shard cannot be written; the command says so in one line, and goes on without the limit."""
    pytest.importorskip("resource")
    folder = on_disk(3, seconds=60)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY));"
        "from ecgprior.app.main import main; main()"
    )
    arguments = [
        "prepare",
        f"folder={folder}",
        "--rate",
        "100",
        "--workers",
        "1",
        "--to",
        str(tmp_path / "c"),
    ]
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "cannot write to" in run.stderr and "run the same call again" in run.stderr
    subprocess.run([sys.executable, "-m", "ecgprior", *arguments], check=True, capture_output=True)
    assert len(Corpus(tmp_path / "c")) == 3


def test_a_folder_that_may_not_be_written(ecg, make_source, tmp_path, monkeypatch):
    def closed(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(room, "atomic_open", closed)
    with pytest.raises(
        CorpusError, match="Read-only file system – expected a folder that this user may write to"
    ):
        prepare([make_source({"a": ecg(1)})], tmp_path / "c", workers=1)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(ecg, make_source, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(CorpusError, match="expected a folder that this user may write to"):
        prepare([make_source({"a": ecg(1)})], tmp_path / "closed/c", workers=1)


def test_impossible_folders_and_values(ecg, make_source, tmp_path):
    source = make_source({"a": ecg(1)})
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("x")
    with pytest.raises(CorpusError, match="expected a new or empty folder, got one with letter.txt"):
        prepare([source], tmp_path / "full")
    with pytest.raises(CorpusError, match="got a file"):
        prepare([source], tmp_path / "full/letter.txt")
    with pytest.raises(CorpusError, match="at least one SOURCE=DIR"):
        prepare([], tmp_path / "c")
    for values in ({"fs": 0}, {"fs": float("nan")}, {"seconds": -1}):
        with pytest.raises(CorpusError, match="rate and seconds"):
            prepare([source], tmp_path / "c", **values)
    with pytest.raises(CorpusError, match="no record"):
        prepare([make_source({})], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_nothing_readable_is_an_error_and_the_reasons_stay(make_source, tmp_path):
    source = make_source({"a": ValueError("a"), "b": ValueError("b")})
    with pytest.raises(
        CorpusError, match="no record could be read: expected at least one of 2, the first reason is"
    ):
        prepare([source], tmp_path / "c", workers=1)
    assert pl.read_csv(tmp_path / "c/rejected.csv").height == 2


def test_two_preparations_at_a_time_are_refused(ecg, make_source, tmp_path):
    pytest.importorskip("fcntl")
    (tmp_path / "c").mkdir()
    with _plan.locked(tmp_path / "c"), pytest.raises(CorpusError, match="another preparation"):
        prepare([make_source({"a": ecg(1)})], tmp_path / "c", workers=1)


def test_what_a_killed_run_left_half_written_is_swept(ecg, make_source, tmp_path):
    source = make_source({"a": ecg(1), "b": ecg(2), "c": ecg(3)})
    prepare([source], tmp_path / "c", workers=1)
    whole = contents(tmp_path / "c")
    (tmp_path / "c/manifest.json").unlink()
    (tmp_path / "c/shards/.00001.i16.abc.part").write_bytes(b"half")
    shutil.rmtree(tmp_path / "c/shards")
    (tmp_path / "c/shards").mkdir()
    (tmp_path / "c/shards/.00001.i16.abc.part").write_bytes(b"half")
    prepare([source], tmp_path / "c", workers=1)
    assert contents(tmp_path / "c") == whole


@pytest.mark.parametrize("torn", ["shards/00000.i16", "parts/00000.parquet"])
def test_a_part_that_a_power_failure_tore_is_made_anew(ecg, make_source, tmp_path, monkeypatch, torn):
    source = make_source({"a": ecg(1), "b": ecg(2), "c": ecg(3)})
    with monkeypatch.context() as patch:
        patch.setattr(room, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare([source], tmp_path / "c", workers=1)
    os.truncate(tmp_path / "c" / torn, 1000)
    with pytest.raises(CorpusError, match="part 0 of .* is torn, .* run the same call again"):
        prepare([source], tmp_path / "c", workers=1)
    assert len(prepare([source], tmp_path / "c", workers=1)) == 3 and source.loaded == [
        "a",
        "b",
        "c",
        "a",
        "b",
    ]


def test_leads_in_another_order_are_found_by_name(ecg, make_source, tmp_path):
    record = ecg(1)
    turned = record.with_(signal=record.signal[::-1], leads=LEADS[::-1])
    corpus = prepare([make_source({"a": turned})], tmp_path / "c", workers=1)
    np.testing.assert_allclose(corpus.signal(0), record.signal, atol=1e-3)
