"""Arms on measured features: what they read, what they may look at, and that arms with an encoder keep their keys."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.tables import write_table
from ecgprior.errors import ColumnMissing, RecipeError
from ecgprior.evaluation.benchmark import benchmark
from ecgprior.evaluation.feature_arms import (
    LOOKS,
    TREES,
    features_digest,
    learnt_tables,
    measured_features,
    read_features,
    settings_of,
)
from ecgprior.evaluation.metrics import auroc
from ecgprior.evaluation.plan import Arm, BenchmarkRecipe, ResolvedArm, resolve_arms
from ecgprior.evaluation.table_text import markdown
from ecgprior.evaluation.verify import verify

PANEL = Path(__file__).parents[2] / "log" / "2026-11-21-panel"
NAMES = ("a_ms", "b_mv", "missing_mv", "noise", "constant", "absent")


def parts(make, seed=0, n=(240, 80, 80)):
    """Features and one label for each part."""
    rng = np.random.default_rng(seed)
    x, y = {}, {}
    for part, size in zip(("train", "validation", "test"), n, strict=True):
        values = rng.normal(size=(size, len(NAMES)))
        values[:, 4], values[:, 5] = 7.0, np.nan
        y[part] = make(values, rng)[:, None].astype(float)
        x[part] = values
    return x, y


def area(kind, x, y, seed=0):
    probability, facts = read_features(kind, NAMES, x, y, seed)
    assert probability.shape == y["test"].shape and ((probability > 0) & (probability < 1)).all()
    return float(auroc(y["test"], probability)[0]), facts


def straight(values, rng):
    return values[:, 0] + 0.3 * rng.normal(size=len(values)) > 0


def exclusive(values, rng):
    return (values[:, 0] > 0) != (values[:, 1] > 0)


def told_by_absence(values, rng):
    y = rng.uniform(size=len(values)) < 0.4
    values[:, 2] = np.where(y, np.nan, values[:, 2])
    return y


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_finds_what_can_be_found(kind):
    assert area(kind, *parts(straight))[0] > 0.9
    assert area(kind, *parts(told_by_absence))[0] > 0.95
    found = area(kind, *parts(exclusive))[0]
    assert found > 0.85 if kind == "trees" else found < 0.7


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_the_test_part_decides_nothing(kind):
    x, y = parts(straight)
    first, facts = read_features(kind, NAMES, x, y, 0)
    shifted = {**x, "test": np.vstack([x["test"], 50 + 100 * x["test"]])}
    hidden = {**y, "test": np.full((160, 1), np.nan)}
    again, facts_again = read_features(kind, NAMES, shifted, hidden, 0)
    np.testing.assert_array_equal(again[:80], first)
    assert facts == facts_again


def test_the_validation_part_chooses_how_many_trees(monkeypatch):
    x, y = parts(lambda values, rng: rng.uniform(size=len(values)) < 0.5)
    chosen = area("trees", x, y)[1]["trees"]
    assert chosen in LOOKS
    y["validation"] = (x["validation"][:, :1] > 99).astype(float)  # one class: no AUROC
    assert area("trees", x, y)[1]["chosen_by"] == "log-loss"


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_labels_of_one_class_and_unlabelled_records(kind):
    x, y = parts(straight)
    y = {part: np.hstack([values, values, np.zeros_like(values)]) for part, values in y.items()}
    y["train"][::2, 0] = np.nan
    y["train"][0, :] = np.nan
    probability, _ = read_features(kind, NAMES, x, y, 0)
    assert auroc(y["test"], probability)[0] > 0.85
    assert np.ptp(probability[:, 2]) < 0.05 and probability[:, 2].max() < 0.1


def test_trees_are_the_same_for_the_same_seed():
    x, y = parts(straight)
    runs = [read_features("trees", NAMES, x, y, seed)[0] for seed in (0, 0, 1)]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_without_any_measurement_it_says_so(kind):
    x, y = parts(straight)
    with pytest.raises(ColumnMissing, match="features: expected at least one"):
        read_features(kind, NAMES, {part: np.full_like(values, np.nan) for part, values in x.items()}, y, 0)


def table(corpus, seed=0):
    """A table in which one feature tells "fast" and its absence "slow"; of gamma nothing was measured."""
    rng = np.random.default_rng(seed)
    labels = corpus.index
    rows = []
    for row in labels.iter_rows(named=True):
        if row["source"] == "gamma":
            continue
        i = int(row["record"].rpartition("r")[2])
        for start in (0, 75):
            fast = float(i % 4 < 2) + 0.1 * rng.normal()
            slow = np.nan if i % 3 == 0 else 1.0
            rows.append((row["record"], start, start + 75, fast, slow, np.inf))
    schema = {"record": pl.String, "start": pl.Int64, "stop": pl.Int64}
    return pl.DataFrame(
        rows, schema=schema | dict.fromkeys(("fast_bpm", "slow_ms", "odd"), pl.Float64), orient="row"
    )


@pytest.fixture(scope="module")
def measured(make_corpus):
    """A corpus with features."""
    corpus = make_corpus()
    write_table(corpus.path, "features", table(corpus), corpus.digest, {"settings": {"network": "made up"}})
    return type(corpus)(corpus.path)


TASKS = [{"name": "t", "vocabulary": "v"}]
ARMS = [{"name": "features-linear", "features": "linear"}, {"name": "features-trees", "features": "trees"}]


def recipe(values, **changes):
    untrained = values()["arms"][1] | {"name": "random-init", "train": False}
    return values(arms=[untrained, *ARMS], unlabelled_sources=[], **changes)


def test_reads_one_row_a_record(measured):
    records = measured.index["record"].to_list()
    found = measured_features(measured, records)
    assert found.names == ("fast_bpm", "slow_ms", "odd") and found.values.shape == (len(records), 3)
    assert np.isnan(found.values[:, 2]).all()
    own = table(measured).filter(pl.col("record") == records[1])["fast_bpm"]
    assert found.values[1, 0] == pytest.approx(own.median())
    gamma = (measured.index["source"] == "gamma").to_numpy()
    assert np.isnan(found.values[gamma]).all()
    some = measured_features(measured, records[5:2:-1])
    assert some.rows.tolist() == [3, 4, 5]
    np.testing.assert_array_equal(some.values, found.values[3:6])


def test_a_benchmark_with_features_alone(measured, values, tmp_path):
    said = []
    result = benchmark(recipe(values), measured, tmp_path / "to", say=said.append)
    assert result.finished == result.planned == 9 and "features-trees" in said[0]
    summary = result.tables.summary
    systems = summary.select("arm", "readout").unique(maintain_order=True).rows()
    assert systems[1:] == [("features-linear", "probe"), ("features-trees", "trees")]
    own = summary.filter((pl.col("arm") == "features-linear") & (pl.col("scope") == "all tasks"))
    assert own["auroc"][0] > 0.95 and own["difference"][0] is not None
    text = markdown(BenchmarkRecipe.of(recipe(values)), result.tables, (), "")
    assert "features-trees (boosted trees)" in text and "features-linear (linear probe)" in text
    cell = json.loads((tmp_path / "to/cells/features-trees-s0-f0.json").read_text())
    assert cell["view_passes"] == 0 and cell["test_seen_in_training"] is None
    assert set(cell["key"]) == {"arm", "tasks", "folds", "labels", "unlabelled", "features"}
    assert "features" not in json.loads((tmp_path / "to/cells/random-init-s0-f0.json").read_text())["key"]
    assert verify(tmp_path / "to", measured) == []
    write_table(
        measured.path, "features", table(measured, 1), measured.digest, {"settings": {"network": "other"}}
    )
    try:
        other = type(measured)(measured.path)
        with pytest.raises(
            RecipeError, match="'features-linear-s0-f0' was computed with other measured features"
        ):
            benchmark(recipe(values), other, tmp_path / "to")
        assert any("another features than" in line for line in verify(tmp_path / "to", other))
    finally:
        write_table(
            measured.path, "features", table(measured), measured.digest, {"settings": {"network": "made up"}}
        )


def test_a_corpus_without_features_is_refused_before_anything_is_computed(corpus, values, tmp_path):
    with pytest.raises(ColumnMissing, match="run `ecgprior features "):
        benchmark(recipe(values), corpus, tmp_path / "to")
    assert not (tmp_path / "to/cells").exists() or not list((tmp_path / "to/cells").iterdir())


def test_an_arm_has_an_encoder_or_features():
    with pytest.raises(RecipeError, match="expected pretrain or features, got neither"):
        Arm.check({"name": "a"})
    with pytest.raises(RecipeError, match="got both, 'simclr' and 'trees'"):
        Arm.check({"name": "a", "pretrain": "simclr", "features": "trees"})
    with pytest.raises(RecipeError, match="this one has features"):
        Arm.check({"name": "a", "features": "trees", "set": {"steps": 1}})
    with pytest.raises(RecipeError, match="features"):
        Arm.check({"name": "a", "features": "forest"})
    tasks = [{"name": "t", "vocabulary": "v"}]
    with pytest.raises(RecipeError, match="at least one with pretrain"):
        BenchmarkRecipe.of({"arms": ARMS, "tasks": tasks})
    arms = [*ARMS, {"name": "simclr", "pretrain": "simclr"}]
    first = BenchmarkRecipe.of({"arms": arms, "tasks": tasks}).arms[0]
    assert (first.name, first.pretrain, first.features) == ("random-init", "simclr", None)


def test_the_key_of_such_an_arm_holds_its_settings():
    found = {arm.name: arm for arm in resolve_arms(BenchmarkRecipe.read("ceilings"))}
    assert found["features-trees"].values == {**TREES, "looks": list(LOOKS)} == settings_of("trees")
    assert len({arm.digest for arm in found.values()}) == 3


def test_an_encoder_that_learns_from_tables_says_which(measured):
    def tables(name, **more):
        arm = Arm.check({"name": "a", "pretrain": name} | more)
        return learnt_tables(resolve_arms(BenchmarkRecipe.of({"arms": [arm], "tasks": TASKS}))[-1], measured)

    digest = features_digest(measured)
    assert tables("simclr") == {} and tables("physio_regression", train=False) == {}
    assert (
        tables("physioclr-small") == tables("physio_regression") == {"features": digest}
    )  # there are no fiducials
    write_table(
        measured.path, "features-permuted", table(measured, 2), measured.digest, {"settings": {"seed": 0}}
    )
    chosen = tables("physio_regression", set={"features_table": "features-permuted"})
    assert chosen == {"features": features_digest(measured, "features-permuted")} != {"features": digest}
    assert tables("physio_regression", set={"features_table": "features-spectrum"}) == {}


def test_arms_with_an_encoder_keep_the_keys_of_finished_cells():
    if not PANEL.is_dir():
        pytest.skip("the repository's log is not here")
    manifest = json.loads((PANEL / "manifest.json").read_text())
    arms = {arm["name"]: arm for arm in manifest["recipe"]["arms"]}
    for path in sorted(PANEL.glob("cells/*.json")):
        cell = json.loads(path.read_text())
        plain = dict(arms[cell["arm"]])
        values = plain.pop("pretrain_values")
        assert ResolvedArm(Arm.check(plain), values).digest == cell["key"]["arm"], path.name
