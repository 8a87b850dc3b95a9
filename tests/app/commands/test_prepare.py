"""``ecgprior prepare`` on the command line."""

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.corpus.shards import Corpus
from ecgprior.errors import CorpusError, JobsStopped, UnknownName
from ecgprior.record.formats import wfdb
from ecgprior.record.record import Record


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    signals = rng.normal(0, 0.3, (3, 12, 900))
    signals[2] = signals[0]
    (tmp_path / "ours").mkdir()
    for i, signal in enumerate(signals):
        wfdb.write(Record(signal=signal, fs=100), tmp_path / f"ours/r{i}")
    (tmp_path / "ours/r9.hea").write_text("nothing", encoding="utf-8")
    return tmp_path / "ours"


def run(*arguments):
    return CliRunner().invoke(app, ["prepare", *map(str, arguments)], catch_exceptions=True)


def test_a_folder_becomes_a_corpus(folder, tmp_path):
    done = run(f"folder={folder}", "--to", tmp_path / "c", "--rate", 50, "--leads", "II,V1", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "2 records of 0 known patients (2 records without a patient id)" in done.output
    assert "1 were recordings that others hold too" in done.output and "1 were rejected" in done.output
    corpus = Corpus(tmp_path / "c")
    assert len(corpus) == 2 and corpus.fs == 50 and corpus.leads == ("II", "V1")


def test_a_dask_scheduler(folder, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        done = run(f"folder={folder}", "--to", tmp_path / "c", "--scheduler", cluster.scheduler_address)
    assert done.exit_code == 0, done.output
    assert len(Corpus(tmp_path / "c")) == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["folder"], CorpusError, "expected SOURCE=DIR"),
        (["folder="], CorpusError, "expected SOURCE=DIR"),
        (["ptbxk=x"], UnknownName, "Did you mean 'ptbxl'"),
        (["ptbxl=nowhere"], CorpusError, "expected a folder"),
        (["ptbxl={empty}"], CorpusError, "an empty folder"),
    ],
)
def test_what_is_no_source_is_said(arguments, kind, words, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run(*(text.format(empty=tmp_path / "empty") for text in arguments), "--to", tmp_path / "c")
    assert isinstance(done.exception, kind) and words in str(done.exception)
    assert not (tmp_path / "c").exists()


def test_a_scheduler_that_is_none(folder, tmp_path):
    pytest.importorskip("distributed")
    done = run(f"folder={folder}", "--to", tmp_path / "c", "--scheduler", "somewhere")
    assert isinstance(done.exception, JobsStopped)
