"""Measuring a corpus: one row a window, resumable, the same whoever does it, and what failed is written down.

The waves come from the simulator's truth, so that these tests need no network.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus import _measure as job
from ecgprior.corpus import measured as room
from ecgprior.corpus.measured import measure_corpus, measured_shares
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.shards import Corpus
from ecgprior.errors import CorpusError, ShardBroken
from ecgprior.physiology.features.measure import measure, reason_text
from ecgprior.physiology.features.reasons import Reason
from ecgprior.physiology.features.registry import feature_names
from ecgprior.record.beats import Delineation
from ecgprior.simulator.simulate import simulate

ECGS = {f"sim{i:06}": ecg for i, ecg in enumerate(simulate(6, seed=2, seconds=12))}


@pytest.fixture
def corpus(make_source, tmp_path) -> Corpus:
    source = make_source({name: ecg.record for name, ecg in ECGS.items()})
    return prepare([source], tmp_path / "c", workers=1)


class Waves:
    """In place of the network: the truth of each record by its name; counts what was asked."""

    metadata = {"provenance": {"recipe": "none"}}

    def __init__(self, path=None, *, threads=1):
        pass


@pytest.fixture(autouse=True)
def truth(monkeypatch):
    asked: list[str] = []

    def found(records, *, network=None):
        out = []
        for record in records:
            asked.append(record.name)
            out.append(ECGS[record.name.removeprefix("memory/")].delineation)
        return out

    monkeypatch.setattr(job, "delineate_many", found)
    monkeypatch.setattr(room, "WaveNetwork", Waves)
    monkeypatch.setattr(room, "_shipped_sha256", lambda: "0" * 64)
    monkeypatch.setattr(room, "_PART_S", (24.0, 24.0))
    return asked


def test_both_tables_hold_what_delineate_and_measure_say(corpus, truth):
    done = measure_corpus(corpus, workers=1)
    assert done.new and done.n_windows == 6 and done.n_failed == 0 and done.failed is None
    again = Corpus(corpus.path)
    features, fiducials = again.side("features"), again.side("fiducials")
    names = feature_names(corpus.leads)
    assert done.n_features == len(names)
    assert features.columns == ["record", "start", "stop", *names]
    assert features["record"].to_list() == corpus.index["record"].to_list()
    assert features.select("start", "stop").unique().rows() == [(0, 6000)]
    for row, (name, ecg) in enumerate(ECGS.items()):
        expected = measure(corpus.record(row), ecg.delineation)
        got = features.row(row, named=True)
        np.testing.assert_allclose([got[n] for n in names], [expected[n] for n in names], rtol=1e-6)
        rows = fiducials.filter(pl.col("record") == f"memory/{name}")
        assert rows.height == ecg.delineation.table().height
    assert not list((corpus.path / "tables").glob(".measuring-*"))


def test_every_nan_has_its_reason(corpus):
    measure_corpus(corpus, workers=1)
    features, reasons = (Corpus(corpus.path).side(name) for name in ("features", "reasons"))
    assert features.columns == reasons.columns
    keys, names = ["record", "start", "stop"], features.columns[3:]
    assert features.select(keys).equals(reasons.select(keys))
    np.testing.assert_array_equal(np.isnan(features.select(names)), reasons.select(names).to_numpy() > 0)
    for row, ecg in enumerate(ECGS.values()):
        expected = measure(corpus.record(row), ecg.delineation).reasons
        got = {
            n: reason_text(n, code) for n, code in reasons.select(names).row(row, named=True).items() if code
        }
        assert got == dict(expected)


def test_the_json_says_what_made_the_tables(corpus):
    measure_corpus(corpus, workers=1)
    for name in ("features", "reasons", "fiducials"):
        about = json.loads((corpus.path / f"tables/{name}.json").read_text())
        settings = about["made_by"]["settings"]
        assert settings["network_sha256"] == "0" * 64 and settings["network"] == {"recipe": "none"}
        assert settings["window_seconds"] is None and len(settings["code_sha256"]) == 64


def test_windows_are_measured_by_themselves(corpus, monkeypatch):
    seen = []

    def nothing(records, *, network=None):
        records = list(records)
        seen.extend(record.signal for record in records)
        return no_waves(records)

    monkeypatch.setattr(job, "delineate_many", nothing)
    done = measure_corpus(corpus, window_s=5, workers=1)
    table = Corpus(corpus.path).side("features")
    assert done.n_windows == 12 and table.head(2).select("start", "stop").rows() == [(0, 2500), (2500, 5000)]
    np.testing.assert_array_equal(seen[1], corpus.signal(0, 2500, 5000))
    assert Corpus(corpus.path).side("fiducials").height == 0 and table["qrs_ms"].is_nan().all()


def test_the_same_call_again_does_nothing_and_another_is_refused(corpus, truth):
    measure_corpus(corpus, workers=1)
    n_asked = len(truth)
    assert not measure_corpus(corpus, workers=1).new and len(truth) == n_asked
    with pytest.raises(CorpusError, match=r"made otherwise \(window_seconds differ\).*--replace"):
        measure_corpus(corpus, window_s=12, workers=1)
    assert measure_corpus(corpus, window_s=12, replace=True, workers=1).new


def no_waves(records, *, network=None):
    """In place of the network: nothing is found, which takes no time to measure."""
    return [Delineation(r.leads, np.empty((len(r.leads), 0, 3, 3)), np.empty((0, 3, 3))) for r in records]


def an_older_version(tables):
    about = json.loads((tables / "features.json").read_text())
    (tables / "features.json").write_text(json.dumps(about | {"format_version": 0}))


def another_corpus(tables):
    for name in ("features", "reasons", "fiducials"):
        about = json.loads((tables / f"{name}.json").read_text())
        settings = about["made_by"]["settings"] | {"corpus": "0" * 64}
        made_by = about["made_by"] | {"settings": settings}
        (tables / f"{name}.json").write_text(json.dumps(about | {"corpus": "0" * 64, "made_by": made_by}))


def other_bytes(tables):
    (tables / "features.parquet").write_bytes(b"cut")


@pytest.mark.parametrize("damage", [an_older_version, another_corpus, other_bytes])
def test_the_command_that_a_refused_table_names_makes_it_anew(corpus, monkeypatch, damage):
    monkeypatch.setattr(job, "delineate_many", no_waves)
    measure_corpus(corpus, workers=1)
    before = Corpus(corpus.path).side("features")
    damage(corpus.path / "tables")
    with pytest.raises(CorpusError, match=rf"run `ecgprior features {corpus.path} --replace`"):
        Corpus(corpus.path).side("features")
    assert measure_corpus(corpus, replace=True, workers=1).new
    assert Corpus(corpus.path).side("features").equals(before, null_equal=True)


def test_an_interruption_loses_and_doubles_nothing(corpus, truth, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    for moment in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            measure_corpus(corpus, workers=1, progress=lambda d, *_, at=moment: d == at and stop())
    with monkeypatch.context() as patch:
        patch.setattr(room, "join_table", stop)
        with pytest.raises(KeyboardInterrupt):
            measure_corpus(corpus, workers=1)
    assert Corpus(corpus.path).side("features") is None
    steps = []
    measure_corpus(corpus, workers=1, progress=lambda *a: steps.append(a))
    assert sorted(truth) == sorted(corpus.index["record"]) and steps == []
    assert Corpus(corpus.path).side("features").height == 6


def test_threads_write_the_same_bytes(corpus, make_source, tmp_path):
    measure_corpus(corpus, workers=1)
    other = prepare([make_source({n: e.record for n, e in ECGS.items()})], tmp_path / "d", workers=1)
    with ThreadPoolExecutor(3) as executor:
        measure_corpus(other, executor=executor)
    for name in ("features", "reasons", "fiducials"):
        assert Corpus(corpus.path).side(name).equals(Corpus(other.path).side(name), null_equal=True)


def test_what_fails_is_nan_and_listed_and_the_others_are_measured(corpus, monkeypatch):
    signal = Corpus.signal

    def broken(self, row, start=0, stop=None):
        if row == 2:
            raise ShardBroken("shard 0 ends early")
        return signal(self, row, start, stop)

    found = job.delineate_many

    def odd(records, *, network=None):
        if any(record.name.endswith("4") for record in records):
            raise ValueError("what nobody foresaw")
        return found(records)

    monkeypatch.setattr(Corpus, "signal", broken)
    monkeypatch.setattr(job, "delineate_many", odd)
    steps = []
    done = measure_corpus(corpus, workers=1, progress=lambda *a: steps.append(a))
    assert done.n_failed == 2 and steps[-1] == (6, 6, "2 failed")
    listed = pl.read_csv(done.failed)
    assert listed.select("record", "reason").rows() == [
        ("memory/sim000002", "shard 0 ends early"),
        ("memory/sim000004", "ValueError: what nobody foresaw"),
    ]
    table = Corpus(corpus.path).side("features")
    assert table["n_beats"].is_nan().to_list() == [False, False, True, False, True, False]
    failed = Corpus(corpus.path).side("reasons")["n_beats"] == Reason.FAILED
    assert failed.to_list() == [False, False, True, False, True, False]
    shares = measured_shares(corpus, ("n_beats", "no_such_ms"))
    assert shares == {"n_beats": pytest.approx(4 / 6)}


def settings_of(corpus, name="features"):
    return json.loads((corpus.path / f"tables/{name}.json").read_text())["made_by"]["settings"]


@pytest.fixture
def given(corpus, tmp_path):
    """Writes a file of fiducials: the truth of some records, moved by so many samples."""

    def write(records, moved=0.0, rename=None):
        measure_corpus(corpus, replace=True, workers=1)
        rows = Corpus(corpus.path).side("fiducials")
        path = tmp_path / "given.parquet"
        marks = [pl.col(name) + moved for name in ("onset", "peak", "offset")]
        rows = rows.filter(pl.col("record").is_in(records)).with_columns(*marks)
        rows.with_columns(record=pl.col("record") if rename is None else rename).write_parquet(path)
        return path

    return write


def test_given_fiducials_are_measured_and_nothing_is_delineated(corpus, truth, given):
    path = given(corpus.index["record"].to_list())
    wanted = Corpus(corpus.path).side("features")
    truth.clear()
    done = measure_corpus(corpus, fiducials=path, replace=True, workers=1)
    assert truth == [] and done.n_failed == 0 and done.given == {"memory": 6}
    got = Corpus(corpus.path).side("features")
    for name in ("qrs_ms", "qt_ms", "t_amplitude_mv.V3"):
        np.testing.assert_allclose(got[name].to_numpy(), wanted[name].to_numpy(), rtol=1e-3)
    assert "network" not in settings_of(corpus) and "network_sha256" not in settings_of(corpus)
    with pytest.raises(CorpusError, match="got both – the file holds every record"):
        measure_corpus(corpus, fiducials=path, network=path)


def test_records_that_the_file_lacks_are_delineated(corpus, truth, given):
    held = ["memory/sim000001", "memory/sim000004"]
    path = given(held, moved=40.0, rename=pl.col("record").str.strip_prefix("memory/"))
    wanted = Corpus(corpus.path).side("fiducials")
    truth.clear()
    done = measure_corpus(corpus, fiducials=path, replace=True, workers=1)
    assert truth == [name for name in corpus.index["record"] if name not in held]
    assert done.given == {"memory": 2} and done.n_failed == 0
    got = Corpus(corpus.path).side("fiducials")
    for name in corpus.index["record"]:
        one, other = (table.filter(record=name, wave="QRS")["peak"].to_numpy() for table in (wanted, got))
        np.testing.assert_allclose(other[:3] - one[:3], 40.0 if name in held else 0.0, atol=1 / 64)
    settings = settings_of(corpus)
    assert settings["given"] == {"memory": 2} and settings["network_sha256"] == "0" * 64
    assert len(settings["fiducials_sha256"]) == 64
    again = measure_corpus(corpus, fiducials=path, workers=1)
    assert not again.new and again.given == {"memory": 2}
    with pytest.raises(CorpusError, match=r"made otherwise.*--replace"):
        measure_corpus(corpus, workers=1)


def test_a_mixed_run_goes_on_where_it_was(corpus, truth, given):
    def stop(*_):
        raise KeyboardInterrupt

    path = given(["memory/sim000001", "memory/sim000004"])
    truth.clear()
    with pytest.raises(KeyboardInterrupt):
        measure_corpus(
            corpus, fiducials=path, replace=True, workers=1, progress=lambda d, *_: d == 2 and stop()
        )
    assert truth == ["memory/sim000000"]
    measure_corpus(corpus, fiducials=path, replace=True, workers=1)
    assert truth == [f"memory/sim00000{i}" for i in (0, 2, 3, 5)]


def test_a_row_without_a_wave_says_that_there_is_none(corpus, truth, given):
    path = given(["memory/sim000001"])
    none = {"record": "memory/sim000002", "start": 0, "stop": 6000}
    rows = pl.read_parquet(path)
    pl.concat([rows, pl.DataFrame([none])], how="diagonal_relaxed").write_parquet(path)
    truth.clear()
    done = measure_corpus(corpus, fiducials=path, replace=True, workers=1)
    assert "memory/sim000002" not in truth and done.given == {"memory": 2} and done.n_failed == 0
    again = Corpus(corpus.path)
    assert not again.side("fiducials").filter(record="memory/sim000002").height
    row = again.side("features").row(2, named=True)
    assert row["n_beats"] == 0 and np.isnan(row["qrs_ms"])


def test_a_file_of_other_records_is_refused(corpus, given):
    path = given(["memory/sim000001"], rename=pl.lit("x"))
    with pytest.raises(CorpusError, match="expected records of the corpus, as 'memory/sim000000'"):
        measure_corpus(corpus, fiducials=path)


def test_impossible_settings_are_refused(corpus):
    for window in (0, 0.9, -1, float("nan"), float("inf")):
        with pytest.raises(CorpusError, match="window: expected"):
            measure_corpus(corpus, window_s=window)
    with pytest.raises(CorpusError, match="rate of the fiducials"):
        measure_corpus(corpus, fiducials="x", fiducials_fs=0)
    with pytest.raises(CorpusError, match="expected .*features.parquet, got none"):
        measured_shares(corpus, ("qrs_ms",))
