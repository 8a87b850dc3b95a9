"""A whole PhysioCLR run over a corpus with measured tables: pairs from the training part, resumed bit for bit."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file

from ecgprior.corpus._spectrum import spectrum_names
from ecgprior.corpus.controls import write_control
from ecgprior.corpus.shards import Corpus
from ecgprior.corpus.tables import KINDS, about_table, write_table
from ecgprior.errors import ColumnMissing, CorpusError, RecipeError
from ecgprior.training.fit import fit
from ecgprior.training.log import read_log

NAMES = ("rr_ms", "pr_ms", "qrs_ms", "beat_qtc_ms", "r_amplitude_mv")
OBJECTIVE = {"name": "physioclr", "regression_weight": 0.1, "pairs": {"positives": 0.2}}


@pytest.fixture(scope="module")
def measured(corpus, tmp_path_factory):
    """The corpus with features and fiducials, measured in windows of a second."""
    root = tmp_path_factory.mktemp("measured") / "corpus"
    shutil.copytree(corpus.path, root)
    rng = np.random.default_rng(0)
    windows = [
        (name, start, start + 100)
        for name, n in zip(corpus.index["record"], corpus.index["n_samples"])
        for start in range(0, n - 99, 100)
    ]
    keys = pl.DataFrame(windows, schema=["record", "start", "stop"], orient="row")
    values = 20 * rng.normal(size=(len(windows), len(NAMES)))  # more than a repeated measurement differs by
    values[rng.uniform(size=values.shape) < 0.1] = np.nan
    write_table(
        root, "features", keys.hstack(pl.DataFrame(values, schema=list(NAMES), orient="row")), corpus.digest
    )
    rows = [
        (*window, None, 0, wave, window[1] + at - 4.0, window[1] + at * 1.0, window[1] + at + 4.0)
        for window in windows
        for wave, at in (("P", 20), ("QRS", 40), ("T", 70))
    ]
    write_table(
        root, "fiducials", pl.DataFrame(rows, schema=KINDS["fiducials"].columns, orient="row"), corpus.digest
    )
    return Corpus(root)


class Killed(Exception):
    pass


def weights(checkpoint):
    return load_file(next(checkpoint.glob("*.safetensors")))


def test_it_runs_says_what_it_learnt_and_is_resumed_bit_for_bit(measured, recipe, tmp_path):
    values = recipe(OBJECTIVE, seconds=1.0, steps=4, save_every=2)
    whole = fit(values, measured, tmp_path / "whole")
    steps = [line for line in read_log(tmp_path / "whole" / "log.jsonl") if line["event"] == "step"]
    assert {"contrast", "positives", "skipped", "rank", "global", "peak", "regression"} <= set(steps[-1])
    identity = json.loads((tmp_path / "whole" / "run.json").read_text())["identity"]
    assert {"features", "fiducials"} <= set(identity)
    text = "".join(path.read_text() for path in whole.glob("*.json"))
    assert '"learnt"' in text and '"delta"' in text

    def stop(done, total, said):
        if said.startswith("loss") and done == 3:
            raise Killed

    with pytest.raises(Killed):
        fit(values, measured, tmp_path / "cut", progress=stop)
    resumed = fit(values, measured, tmp_path / "cut")
    one, other = weights(whole), weights(resumed)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_two_windows_a_record_are_asked_for_only_by_the_adjacent_view(measured, recipe, tmp_path):
    longest = float(measured.index["n_samples"].max()) / measured.fs
    fit(recipe({**OBJECTIVE, "adjacent": False}, seconds=longest, steps=1), measured, tmp_path / "one")
    assert read_log(tmp_path / "one" / "log.jsonl")[0]["n_counted_out"] == 0
    with pytest.raises(CorpusError, match="two windows side by side"):
        fit(recipe(OBJECTIVE, seconds=longest, steps=1), measured, tmp_path / "two")


@pytest.mark.parametrize("name", ["physioclr", "physio_regression"])
def test_a_corpus_without_features_names_the_command(corpus, recipe, tmp_path, name):
    with pytest.raises(
        ColumnMissing, match=r"needs 'features', and this corpus has none: run `ecgprior features"
    ):
        fit(recipe({"name": name}, seconds=1.0), corpus, tmp_path / "run")


def copied(corpus, to):
    """The same corpus elsewhere, for a test that changes its tables."""
    shutil.copytree(corpus.path, to)
    return Corpus(to)


@pytest.mark.parametrize("table", ["features", "fiducials"])
def test_a_table_of_another_corpus_stops_and_names_the_command(measured, recipe, tmp_path, table):
    other = copied(measured, tmp_path / "corpus")
    write_table(other.path, table, measured.side(table), "0" * 64)
    command = rf"belongs to another corpus.*; run `ecgprior features {other.path} --replace`"
    with pytest.raises(CorpusError, match=command):
        fit(recipe(OBJECTIVE, seconds=1.0), other, tmp_path / "run")


def with_beats(corpus, to, n_beats):
    """A copy of the corpus of which record i has the first `n_beats[i]` beats, and no features if that is 0."""
    other = copied(corpus, to)
    of = dict(zip(corpus.index["record"], n_beats))
    beats = corpus.side("fiducials").filter(
        pl.col("start") < 100 * pl.col("record").replace_strict(of, return_dtype=pl.Int64)
    )
    write_table(other.path, "fiducials", beats, other.digest)
    silent = pl.col("record").is_in([name for name, n in of.items() if n == 0])
    values = [pl.when(silent).then(float("nan")).otherwise(pl.col(name)).alias(name) for name in NAMES]
    write_table(other.path, "features", corpus.side("features").with_columns(values), other.digest)
    return other


def test_records_of_no_and_of_one_beat_are_trained_on(measured, recipe, tmp_path):
    few = with_beats(measured, tmp_path / "corpus", [i % 2 for i in range(len(measured))])
    fit(recipe(OBJECTIVE, seconds=1.0, steps=2, batch=8), few, tmp_path / "run")
    steps = [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "step"]
    assert len(steps) == 2
    for line in steps:
        assert all(np.isfinite(line[term]) for term in ("loss", "contrast", "global", "peak", "regression"))


def test_no_beat_in_any_record_is_said_and_the_command_that_was_just_run_is_not(measured, recipe, tmp_path):
    flat = with_beats(measured, tmp_path / "corpus", [0] * len(measured))
    write_table(flat.path, "features", measured.side("features"), flat.digest)  # as quality is of a flat line
    with pytest.raises(ColumnMissing, match="24 training records: no beat was found in any of them") as told:
        fit(recipe(OBJECTIVE, seconds=1.0), flat, tmp_path / "run")
    assert "ecgprior features" not in str(told.value)


@pytest.fixture(scope="module")
def controlled(measured):
    """With both control tables."""
    write_control(measured, "permuted")
    write_control(measured, "spectrum", workers=1)
    return Corpus(measured.path)


PAIRS = {"positives": 0.2}
RUNS = {
    "physioclr": {"name": "physioclr", "regression_weight": 0.1, "pairs": PAIRS},
    "physioclr-plain": {"name": "physioclr", "pairs": PAIRS | {"similarity": "plain"}},
    "physio_regression": {"name": "physio_regression"},
    "feature_neighbours": {"name": "feature_neighbours", "bank": 16, "prototypes": 2},
    "clef": {"name": "clef"},
}


@pytest.mark.parametrize("objective", RUNS)
@pytest.mark.parametrize("table", ["features-permuted", "features-spectrum"])
def test_objectives_run_on_another_table_as_they_are(controlled, recipe, tmp_path, table, objective):
    values = recipe(RUNS[objective], seconds=1.0, steps=1, batch=8)
    made = fit(values | {"features_table": table}, controlled, tmp_path / "run")
    steps = [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "step"]
    assert len(steps) == 1 and np.isfinite(steps[0]["loss"])
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]
    assert identity["recipe"]["features_table"] == table
    assert identity["features"] == about_table(controlled.path, table)["sha256"]
    if objective == "physioclr":
        learnt = json.loads((made / "config.json").read_text())["provenance"]["learnt"]
        n_spectrum = len(spectrum_names(controlled.leads))
        assert learnt["n_features"] == (len(NAMES) if table == "features-permuted" else n_spectrum)
        assert identity["fiducials"] == about_table(controlled.path, "fiducials")["sha256"]


def test_another_table_is_another_run_and_the_usual_one_the_same(controlled, recipe, tmp_path):
    values = recipe({"name": "physio_regression"}, seconds=1.0, steps=1)
    fit(values, controlled, tmp_path / "run")
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]
    assert "features_table" not in identity["recipe"]  # as before there was the key
    fit(values | {"features_table": "features"}, controlled, tmp_path / "run")
    with pytest.raises(RecipeError, match="holds another run: features was"):
        fit(values | {"features_table": "features-permuted"}, controlled, tmp_path / "run")


def test_a_control_that_is_not_there_or_of_other_features_names_the_command(measured, recipe, tmp_path):
    root = tmp_path / "c"
    shutil.copytree(measured.path, root)
    for path in (root / "tables").glob("features-*"):
        path.unlink()
    values = recipe({"name": "physio_regression"}, seconds=1.0) | {"features_table": "features-permuted"}
    with pytest.raises(ColumnMissing, match="needs 'features-permuted', .* --control permuted`"):
        fit(values, Corpus(root), tmp_path / "run")
    write_control(root, "permuted")
    new = Corpus(root).side("features").with_columns(pr_ms=pl.lit(1.0))
    write_table(root, "features", new, Corpus(root).digest)
    with pytest.raises(CorpusError, match="other features than the corpus has now: run .* --replace`"):
        fit(values, Corpus(root), tmp_path / "run")
    with pytest.raises(RecipeError, match="expected features, or features- and small letters"):
        fit(values | {"features_table": "fiducials"}, Corpus(root), tmp_path / "run")


def test_regression_runs(measured, recipe, tmp_path):
    fit(recipe({"name": "physio_regression"}, seconds=1.0, steps=2), measured, tmp_path / "run")
    steps = [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "step"]
    assert {"regression", "r2"} <= set(steps[-1])
