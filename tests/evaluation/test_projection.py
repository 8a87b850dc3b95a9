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


def test_readouts_that_are_asked_for_are_foreseen(corpus, values, tmp_path, monkeypatch):
    monkeypatch.setattr(projection, "_step_seconds", lambda recipe, labels: 1.0)

    def guess(arm, **changes):
        setting = open_setting(BenchmarkRecipe.of(values(**changes)), corpus, tmp_path / "to")
        return projection._guess(setting, next(a for a in setting.arms if a.name == arm))

    plain = guess("random-init")
    assert guess("random-init", fractions=[0.1, 0.2], draws=5) - plain == pytest.approx(2 * 5 * 2 * projection._DRAW_S)
    tuned = {"readouts": ["probe", "finetune"], "finetune": {"steps": 400, "validate_every": 400, "batch": 64}}
    assert guess("random-init", **tuned) - plain == pytest.approx(400, rel=0.05)
    assert guess("simclr") - plain == pytest.approx(2.0)  # its recipe's steps
    assert guess("simclr", changed=[{"name": "a", "rate": 50}]) > guess("simclr")
