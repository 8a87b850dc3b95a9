"""``ecgprior features``: writes its tables and says what a user got."""

import pytest
from typer.testing import CliRunner

import ecgprior.corpus.measured as measured
from ecgprior.app.main import app
from ecgprior.corpus import _measure as job
from ecgprior.corpus._fiducials import fiducial_rows
from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.shards import Corpus
from ecgprior.errors import ColumnMissing, RecipeError
from ecgprior.objectives.base import Objective
from ecgprior.record.formats.wfdb import write
from ecgprior.simulator.simulate import simulate
from ecgprior.training.needs import columns_for


@pytest.fixture
def corpus(tmp_path):
    """Three simulated ECGs, and a file with their true fiducials."""
    folder = tmp_path / "published"
    folder.mkdir()
    ecgs = list(simulate(3, seed=6))
    for i, ecg in enumerate(ecgs):
        write(ecg.record.with_(name=f"r{i}"), folder / f"r{i}")
    (folder / "records.csv").write_text("path,patient,labels\n" + "".join(f"r{i},p{i},\n" for i in range(3)))
    made = prepare([open_source("folder", folder)], tmp_path / "c", workers=1)
    rows = fiducial_rows([(f"folder/r{i}", 0, 5000) for i in range(3)], [e.delineation for e in ecgs])
    rows.write_parquet(tmp_path / "f.parquet")
    return made


class Wanting(Objective):
    """An objective that needs features."""

    needs = frozenset({"features"})


def test_the_summary_says_what_was_measured_and_training_can_read_it(corpus, tmp_path):
    with pytest.raises(ColumnMissing, match="run `ecgprior features"):
        columns_for(Wanting, corpus, [0, 1, 2])
    arguments = ["features", str(corpus.path), "--fiducials", str(tmp_path / "f.parquet"), "--workers", "1"]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    assert "features of 3 records" in run.output and "qrs_ms 100.0%" in run.output
    assert "fiducials: 3 records from" in run.output and "0 by the engine (folder 3 of 3)" in run.output
    again = Corpus(corpus.path)
    (values,) = columns_for(Wanting, again, [0, 1, 2]).values()
    assert values.shape == (3, again.side("features").width - 3)
    assert "were there already" in CliRunner().invoke(app, arguments).output


def test_controls_are_written_beside_the_features(corpus, tmp_path):
    call = lambda *more: CliRunner().invoke(app, ["features", str(corpus.path), "--workers", "1", *more])  # noqa: E731
    without = call("--control", "permuted")
    assert isinstance(without.exception, ColumnMissing) and "run `ecgprior features" in str(without.exception)
    assert call("--fiducials", str(tmp_path / "f.parquet")).exit_code == 0
    spectrum = call("--control", "spectrum")
    assert spectrum.exit_code == 0 and "features-spectrum.parquet, 180 values of 3 windows" in spectrum.output
    assert call("--control", "permuted", "--seed", "3").exit_code == 0
    assert "was there already" in call("--control", "permuted", "--seed", "3").output
    again = Corpus(corpus.path)
    (values,) = columns_for(Wanting, again, [0, 1, 2], "features-permuted").values()
    own = columns_for(Wanting, again, [0, 1, 2])["features"]
    assert sorted(values[:, 0]) == sorted(own[:, 0]) and not (values == own).all(axis=1).any()
    refused = call("--control", "spectrum", "--window", "5")
    assert isinstance(refused.exception, RecipeError) and "measures nothing" in str(refused.exception)


@pytest.mark.slow
def test_processes_write_the_same_tables(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "_PART_S", (10.0, 10.0))
    given = tmp_path / "f.parquet"
    here, there = {}, {}
    for tables, workers in ((here, 1), (there, 2)):
        measured.measure_corpus(corpus, fiducials=given, workers=workers)
        for name in ("features", "fiducials"):
            tables[name] = (corpus.path / f"tables/{name}.parquet").read_bytes()
            (corpus.path / f"tables/{name}.json").unlink()
    assert here == there


def test_windows_and_failures_are_told(corpus, monkeypatch):
    def odd(records, *, network=None):
        raise ValueError("no")

    class Net:
        metadata = {}

        def __init__(self, path=None):
            pass

    monkeypatch.setattr(job, "delineate_many", odd)
    monkeypatch.setattr(measured, "WaveNetwork", Net)
    monkeypatch.setattr(measured, "_shipped_sha256", lambda: "0")
    run = CliRunner().invoke(app, ["features", str(corpus.path), "--window", "5", "--workers", "1"])
    assert run.exit_code == 0, run.output
    assert "features of 6 windows" in run.output and "6 could not be worked on" in run.output
    assert (corpus.path / "tables/failed.csv").read_text().count("ValueError: no") == 6
