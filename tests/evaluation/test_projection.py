"""The forecast: from finished cells, else timed, else it says that it does not know."""

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.shards import Corpus
from ecgprior.corpus.tables import write_table
from ecgprior.evaluation import projection
from ecgprior.evaluation.benchmark import open_setting
from ecgprior.evaluation.cells import CellName, CellStore
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.physiology.features.registry import FEATURES
from ecgprior.training.plan import PretrainRecipe

CELLS = [CellName("guided", 0, fold) for fold in (0, 1)]
SMALL = {
    "steps": 2,
    "batch": 8,
    "seconds": 1.5,
    "encoder": {"name": "xresnet1d", "size": "0.3m"},
}


@pytest.fixture
def setting(corpus, values, tmp_path):
    return open_setting(BenchmarkRecipe.of(values()), corpus, tmp_path)


def test_finished_cells_are_the_better_guess(setting, tmp_path):
    store = CellStore(tmp_path)
    for arm in setting.arms:
        name = next(n for n in setting.cells() if n.arm == arm.name)
        store.write(name, {"format": 1, "seconds": {"train": 1700.0, "probe": 100.0}})
    todo = [name for name in setting.cells() if store.read(name) is None]
    text = projection.project(setting, store, todo, workers=2)
    assert text == (
        "3 of 9 cells are finished; the other 6 will take about 1.50 hours with 2 processes (as the finished cells took)"
    )


def test_an_arm_that_cannot_be_timed_is_said(setting, tmp_path, monkeypatch):
    monkeypatch.setattr(projection, "_step_seconds", lambda *_: float("nan"))
    text = projection.project(setting, CellStore(tmp_path), setting.cells())
    assert "simclr not foreseen" in text and "nan" not in text and "random-init" in text


@pytest.mark.parametrize("name", ["three_kg", "pclr", "cmsc"])
def test_a_step_is_timed_whatever_windows_it_needs(name):
    plan = PretrainRecipe.read(name, ["batch=2", "seconds=3.0", "encoder.size=0.3m"])
    assert projection._step_seconds(plan, ()) > 0


def test_readouts_that_are_asked_for_are_foreseen(corpus, values, tmp_path, monkeypatch):
    monkeypatch.setattr(projection, "_step_seconds", lambda *_: 1.0)

    def guess(arm, **changes):
        setting = open_setting(BenchmarkRecipe.of(values(**changes)), corpus, tmp_path / "to")
        return projection._guess(setting, next(a for a in setting.arms if a.name == arm))[0]

    plain = guess("random-init")
    assert guess("random-init", fractions=[0.1, 0.2], draws=5) - plain == pytest.approx(
        2 * 5 * 2 * projection._DRAW_S
    )
    tuned = {
        "readouts": ["probe", "finetune"],
        "finetune": {"steps": 400, "validate_every": 400, "batch": 64},
    }
    assert guess("random-init", **tuned) - plain == pytest.approx(400, rel=0.05)
    assert guess("simclr") - plain == pytest.approx(2.0)  # its recipe's steps
    assert guess("simclr", changed=[{"name": "a", "rate": 50}]) > guess("simclr")


def features_table(records, n=30):
    """Made-up features of physiology, of each record one row; a tenth is missing."""
    names = [name for name in FEATURES if not FEATURES[name].per_lead and FEATURES[name].block != "quality"][
        :n
    ]
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(records), len(names)))
    values[rng.random(values.shape) < 0.1] = np.nan
    where = {"record": records, "start": [0] * len(records), "stop": [150] * len(records)}
    kinds = {"record": pl.String, "start": pl.Int64, "stop": pl.Int64}
    return pl.DataFrame(where, schema=kinds).hstack(pl.DataFrame(values, schema=names))


@pytest.mark.parametrize(
    "name", ["physioclr-small", "physioclr-pairs", "physio_regression", "feature_neighbours", "clef"]
)
def test_a_step_on_measured_features_is_timed_on_rows_of_them(name):
    plan = PretrainRecipe.read(name, ["batch=16", "seconds=3.0", "encoder.size=0.3m"])
    assert projection._step_seconds(plan, (), features_table([f"r{i}" for i in range(40)])) > 0
    assert np.isnan(projection._step_seconds(plan, ()))


def test_arms_that_need_features_have_their_hours(make_corpus, values, tmp_path, monkeypatch):
    """Of an arm that learns from features its steps count as those of any other; without features nothing is known."""
    corpus = make_corpus()
    guided = {"name": "guided", "pretrain": "physio_regression", "set": SMALL}
    recipe = BenchmarkRecipe.of(values(arms=[*values()["arms"][1:], guided]))
    unknown = projection.project(
        open_setting(recipe, corpus, tmp_path / "a"), CellStore(tmp_path / "a"), CELLS
    )
    assert "guided not foreseen" in unknown
    table = features_table(corpus.index["record"].to_list())
    write_table(corpus.path, "features", table, corpus.digest, {"settings": {"network": "made up"}})
    setting = open_setting(recipe, Corpus(corpus.path), tmp_path / "b")
    guess = dict(
        zip((arm.name for arm in setting.arms), (projection._guess(setting, arm) for arm in setting.arms))
    )
    assert guess["guided"][0] > guess["random-init"][0] > 0 and guess["guided"][1] == 0
    monkeypatch.setattr(projection, "_step_seconds", lambda *_: 3600.0)
    text = projection.project(setting, CellStore(tmp_path / "b"), CELLS)
    assert "will take about 4.00 hours" in text  # two cells of two steps of an hour
    assert "(timed a cell: guided 72" in text


def test_a_trunk_is_counted_once_a_seed(corpus, values, tmp_path, monkeypatch):
    monkeypatch.setattr(projection, "_step_seconds", lambda *_: 3600.0)
    trunk = {"sources": ["gamma"], "share": 0.75}
    recipe = BenchmarkRecipe.of(
        values(
            unlabelled_sources=[], trunk=trunk, seeds=[0, 1], pretrain={"steps": 4}, arms=values()["arms"][1:]
        )
    )
    setting = open_setting(recipe, corpus, tmp_path)
    todo = [name for name in setting.cells() if name.arm == "simclr"]
    assert len(todo) == 6
    text = projection.project(setting, CellStore(tmp_path), todo)
    assert "will take about 12.0" in text  # three steps of each of two trunks, one of each of six folds
    assert "s and 10800 s a seed)" in text
    one = projection.project(setting, CellStore(tmp_path), todo[:1])
    assert "will take about 4.00" in one
