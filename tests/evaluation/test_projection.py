"""The forecast: from finished cells, else timed, else it says that it does not know."""

import pytest

from ecgprior.evaluation import projection
from ecgprior.evaluation.benchmark import open_setting
from ecgprior.evaluation.cells import CellStore
from ecgprior.evaluation.plan import BenchmarkRecipe


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
    monkeypatch.setattr(projection, "_step_seconds", lambda recipe, labels: float("nan"))
    text = projection.project(setting, CellStore(tmp_path), setting.cells())
    assert "simclr not foreseen" in text and "nan" not in text and "random-init" in text


@pytest.mark.parametrize("name", ["three_kg", "pclr", "cmsc"])
def test_a_step_is_timed_whatever_windows_it_needs(name):
    from ecgprior.training.plan import PretrainRecipe

    plan = PretrainRecipe.read(name, ["batch=2", "seconds=3.0", "encoder.size=0.3m"])
    assert projection._step_seconds(plan, ()) > 0
