"""Tables: hierarchical replicates are paired, seeds count, what is not there is left out."""

import json

import numpy as np
import polars as pl
import pytest

from ecgprior.evaluation.benchmark import open_setting
from ecgprior.evaluation.cells import CellName, CellStore
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.results import tables


@pytest.fixture
def setting(corpus, values, tmp_path):
    return open_setting(BenchmarkRecipe.of(values(seeds=[0, 1], replicates=200)), corpus, tmp_path)


@pytest.fixture
def cells(finished):
    store = CellStore(finished["to"])
    names = [CellName(arm, 0, k) for arm in ("random-init", "supervised", "simclr") for k in range(3)]
    return {name: store.read(name) for name in names}


def shuffled(cell, seed):
    """The same cell with its scores in another order."""
    cell = json.loads(json.dumps(cell))
    for part in cell["tasks"].values():
        for readout in part["readouts"].values():
            rng = np.random.default_rng(seed)
            readout["scores"] = [rng.permutation(column).tolist() for column in readout["scores"]]
    return cell


def row(found, arm, scope="all tasks"):
    own = found.summary.filter(
        (pl.col("arm") == arm) & (pl.col("readout") == "probe") & (pl.col("scope") == scope)
    )
    return own.row(0, named=True)


def test_only_whole_seeds_count(setting, cells):
    found = tables(setting, cells)
    assert found.summary["seeds"].unique().to_list() == [1]
    more = {**cells, CellName("simclr", 1, 0): cells[CellName("simclr", 0, 0)]}
    assert row(tables(setting, more), "simclr") == row(found, "simclr")
    assert tables(setting, {}).summary.height == 0


def test_the_same_scores_differ_by_exactly_nothing(setting, cells):
    same = {n: cells[CellName("simclr", 0, n.fold)] for n in cells if n.arm == "random-init"}
    found = row(tables(setting, {**cells, **same}), "simclr")
    assert (found["difference"], found["difference_low"], found["difference_high"]) == (0, 0, 0)


def test_differences_are_from_the_arm_that_the_recipe_names(corpus, values, tmp_path, cells):
    other = open_setting(
        BenchmarkRecipe.of(values(replicates=200, against="simclr")), corpus, tmp_path / "other"
    )
    found, usual = (
        tables(other, cells),
        tables(open_setting(BenchmarkRecipe.of(values(replicates=200)), corpus, tmp_path), cells),
    )
    assert row(found, "simclr")["difference"] is None
    assert row(found, "random-init")["difference"] == pytest.approx(-row(usual, "simclr")["difference"])
    assert row(found, "random-init")["difference_low"] == pytest.approx(
        -row(usual, "simclr")["difference_high"]
    )


def test_seeds_are_averaged_and_widen_the_interval(setting, cells):
    one = {**cells, **{CellName(n.arm, 1, n.fold): cell for n, cell in cells.items()}}
    two = {**cells, **{CellName(n.arm, 1, n.fold): shuffled(cell, 1) for n, cell in cells.items()}}
    narrow, wide = row(tables(setting, one), "simclr"), row(tables(setting, two), "simclr")
    alone = row(tables(setting, cells), "simclr")
    assert narrow["seeds"] == wide["seeds"] == 2
    assert narrow["auroc"] == pytest.approx(alone["auroc"])
    assert wide["auroc"] != pytest.approx(alone["auroc"])
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_a_difference_is_over_the_seeds_that_both_have(setting, cells):
    """The other seed changes the arm's own figure, not its difference from an arm that has one seed only."""
    more = {
        **cells,
        **{CellName("simclr", 1, k): shuffled(cells[CellName("simclr", 0, k)], 1) for k in range(3)},
    }
    one, two = row(tables(setting, cells), "simclr"), row(tables(setting, more), "simclr")
    gap = ("difference", "difference_low", "difference_high", "difference_seeds")
    assert (two["seeds"], two["difference_seeds"]) == (2, 1)
    assert [two[key] for key in gap] == [one[key] for key in gap]
    assert two["auroc"] != pytest.approx(one["auroc"])
    both = {**more, **{CellName("random-init", 1, k): cells[CellName("random-init", 0, k)] for k in range(3)}}
    found = row(tables(setting, both), "simclr")
    base = row(tables(setting, both), "random-init")
    assert found["difference_seeds"] == 2 and base["difference_seeds"] is None
    assert found["difference"] == pytest.approx(found["auroc"] - base["auroc"])
    assert found["difference"] != pytest.approx(two["difference"])


def test_without_a_seed_in_common_there_is_no_difference(setting, cells):
    other = {CellName("simclr", 1, n.fold) if n.arm == "simclr" else n: cell for n, cell in cells.items()}
    found = tables(setting, other)
    assert (row(found, "simclr")["difference"], row(found, "simclr")["difference_seeds"]) == (None, None)
    assert row(found, "supervised")["difference_seeds"] == 1


def test_a_fold_with_one_class_is_left_out_and_counted(setting, cells):
    names, y = setting.truth["first"]
    for record in cells[CellName("simclr", 0, 1)]["tasks"]["first"]["records"]:
        y[setting.corpus.rows([record])[0], 0] = 0  # no "slow" in fold 1
    found = tables(setting, cells).labels.filter((pl.col("arm") == "simclr") & (pl.col("task") == "first"))
    assert found["folds_left_out"].to_list() == [1, 0]
    assert found["auroc"].is_not_nan().all()


def test_a_cell_says_how_many_records_its_encoder_could_learn_from(setting, cells):
    table = tables(setting, cells).cells
    own = table.filter(pl.col("arm") == "simclr")
    assert own["records"].to_list() == [cells[CellName("simclr", 0, k)]["records"]["train"] for k in range(3)]
    assert table.filter(pl.col("arm") == "random-init")["records"].to_list() == [0, 0, 0]
    cells[CellName("simclr", 0, 0)]["records"]["trunk"] = 1000
    assert (
        tables(setting, cells).cells.filter(pl.col("arm") == "simclr")["records"][0]
        == own["records"][0] + 1000
    )
