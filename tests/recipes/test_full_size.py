"""The full-size recipes go from a publisher's folder to a result, on miniatures: few records, two steps, a small encoder."""

import json

import pytest

from ecgprior.evaluation.benchmark import benchmark
from ecgprior.evaluation.plan import BenchmarkRecipe, resolve_arms

FULL = ("ptbxl", "chapman", "georgia", "cpsc2018", "mimic_iv_ecg")
SMALL = [
    "seeds=[0]",
    "replicates=20",
    "draws=2",
    "pretrain.steps=2",
    "pretrain.batch=16",
    'pretrain.precision="float32"',
    'pretrain.encoder={name="xresnet1d", size="0.3m"}',
]
ARMS = ["random-init", "physioclr", "simclr", "supervised", "features-linear", "features-trees"]


@pytest.fixture
def run(tmp_path):
    """A function that runs a full-size recipe, made small, on a corpus: (result folder, cells by arm)."""

    def made(name, corpus):
        result = benchmark(BenchmarkRecipe.read(name, SMALL), corpus, tmp_path / name)
        assert result.finished == result.planned == len(ARMS)
        paths = [tmp_path / name / "cells" / f"{arm}-s0-f0.json" for arm in ARMS]
        cells = {arm: json.loads(path.read_text()) for arm, path in zip(ARMS, paths, strict=True)}
        assert {cell["test_seen_in_training"] for cell in cells.values()} <= {0, None}
        for cell in cells.values():
            for task in cell["tasks"].values():
                few = {f"probe@{share}" for share in (0.01, 0.05, 0.1)}
                assert few <= set(task["readouts"]) or cell["arm"] == "features-trees"
                assert len(task["records"]) == task["n"]["test"] > 0
        return tmp_path / name, cells

    return made


@pytest.mark.parametrize("name", FULL)
def test_arms_are_compared_at_one_size_and_budget(name):
    recipe = BenchmarkRecipe.read(name)
    arms = {arm.name: arm for arm in resolve_arms(recipe)}
    assert list(arms) == ARMS and recipe.fractions == (0.01, 0.05, 0.1)
    plans = {name: arms[name].recipe(0) for name in ("physioclr", "simclr", "supervised", "random-init")}
    for plan in plans.values():
        assert plan.encoder == {"name": "transformer", "size": "23m", "dropout": 0.1}
        assert plan.preprocessing == plans["physioclr"].preprocessing
    one, other = plans["physioclr"], plans["simclr"]
    assert one.steps * one.batch * 3 == other.steps * other.batch * 2


@pytest.mark.slow
def test_ptbxl_by_the_publishers_folds(run, ptbxl):
    _, cells = run("ptbxl", ptbxl)
    tasks = cells["physioclr"]["tasks"]
    fold = dict(zip(ptbxl.index["record"], ptbxl.index["fold"], strict=True))
    assert {fold[record] for task in tasks.values() for record in task["records"]} == {10}
    assert cells["physioclr"]["records"] == {"train": 84, "validation": 8, "test": 8}
    assert {"AFIB", "CLBBB", "CRBBB", "LVH", "NDT", "NORM", "SR"} == set(tasks["all"]["labels"])
    assert tasks["superclass"]["labels"] == ["NORM", "STTC", "CD", "HYP"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "trunk", "labels"),
    [("chapman", 100, 4), ("georgia", 100, 4), ("cpsc2018", 180, 4)],
)
def test_a_set_held_out_of_pre_training(run, challenge, name, trunk, labels):
    to, cells = run(name, challenge)
    for arm in ("physioclr", "simclr"):  # the trunk has two or three of the other sets
        (about,) = to.glob(f"work/trunk-{arm}-s0-*/run/checkpoint/config.json")
        assert json.loads(about.read_text())["metrics"]["n_records"] == trunk
        assert not list(to.glob(f"work/{arm}-s0-f0-*/run"))  # nothing is learnt from its own training part
    assert len(list(to.glob("work/supervised-s0-f0-*/run"))) == 1
    assert len(cells["physioclr"]["tasks"][name]["labels"]) == labels
    assert cells["physioclr"]["records"]["test"] == 8


@pytest.mark.slow
def test_mimic_iv_ecg_by_the_carts_statements(run, mimic_iv_ecg):
    _, cells = run("mimic_iv_ecg", mimic_iv_ecg)
    task = cells["simclr"]["tasks"]["machine"]
    assert task["labels"] == ["AFIB", "LBBB", "NORMAL", "RBBB", "SINUS"]
    patient = dict(zip(mimic_iv_ecg.index["record"], mimic_iv_ecg.index["patient"], strict=True))
    assert len({patient[record] for record in task["records"]}) == len(task["records"]) / 2
