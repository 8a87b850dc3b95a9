"""Contrasts: p and Holm by hand, which pairs there are, and the whole way to the tables."""

import json

import numpy as np
import polars as pl
import pytest

from ecgprior.errors import RecipeError
from ecgprior.evaluation.benchmark import benchmark, open_setting, write_results
from ecgprior.evaluation.cells import CellName, CellStore
from ecgprior.evaluation.contrasts import contrasts, holm, two_sided_p
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.results import tables
from ecgprior.evaluation.verify import verify


class Made:
    """A system whose replicates are given, seed by seed; several seeds are averaged."""

    def __init__(self, by_seed, scopes=("all tasks", "one")):
        self.by_seed, self.names = by_seed, scopes
        self.seeds = list(by_seed)

    def scopes(self, seeds=None):
        mean = np.mean([self.by_seed[s] for s in (self.seeds if seeds is None else seeds)], axis=0)
        return {name: mean + 0.01 * i for i, name in enumerate(self.names)}


def normal(mean, seed, n=999):
    values = np.random.default_rng(seed).normal(mean, 0.02, n + 1)
    values[0] = mean
    return values


@pytest.mark.parametrize(
    "p, adjusted",
    [
        # by hand: sorted 0.01 × 5, 0.013 × 4 = 0.052, 0.014 × 3 = 0.042 → 0.052, 0.19 × 2 = 0.38, 0.35
        ([0.35, 0.01, 0.19, 0.014, 0.013], [0.38, 0.05, 0.38, 0.052, 0.052]),
        # multipletests([0.01, 0.02, 0.03, 0.04, 0.05], method="holm") of statsmodels
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([0.02, float("nan"), 0.03], [0.04, float("nan"), 0.04]),
        ([], []),
    ],
)
def test_holm_by_hand(p, adjusted):
    np.testing.assert_allclose(holm(p), adjusted, atol=1e-12)


def test_holm_is_monotone_and_never_below_p():
    p = np.random.default_rng(0).uniform(0, 0.2, 40)
    adjusted = holm(p)
    assert (adjusted >= p).all() and (np.diff(adjusted[np.argsort(p)]) >= 0).all() and adjusted.max() <= 1
    assert adjusted.min() == pytest.approx(40 * p.min())


def test_p_is_never_zero_and_has_no_side():
    assert two_sided_p(np.full(999, 0.1)) == two_sided_p(np.full(999, -0.1)) == pytest.approx(2 / 1000)
    assert two_sided_p(np.zeros(99)) == 1.0
    assert two_sided_p([1, 1, 1, 1, 1, 1, 1, 1, -1, float("nan")]) == pytest.approx(2 * 2 / 10)
    assert np.isnan(two_sided_p([float("nan")]))


def test_p_is_below_a_twentieth_just_when_the_interval_excludes_zero():
    for mean in np.linspace(0.02, 0.06, 60):
        gap = np.random.default_rng(1).normal(mean, 0.02, 4000)
        low = np.quantile(gap, 0.025)
        if abs(low) > 1e-3:
            assert (two_sided_p(gap) < 0.05) == (low > 0)


def test_p_of_no_difference_is_uniform():
    rng = np.random.default_rng(2)
    found = [two_sided_p(rng.normal(size=30).mean() + rng.normal(0, 30**-0.5, 400)) for _ in range(800)]
    assert abs(np.mean(np.array(found) < 0.1) - 0.1) < 0.035


def test_the_default_against_every_arm_by_probe_or_its_own_readout():
    systems = {
        ("supervised", "head"): Made({0: normal(0.8, 1)}),
        ("supervised", "probe"): Made({0: normal(0.8, 2)}),
        ("features", "trees"): Made({0: normal(0.9, 3)}),
        ("default", "probe"): Made({0: normal(0.85, 4)}),
        ("default", "stacked"): Made({0: normal(0.91, 5)}),
        ("rival", "probe"): Made({0: normal(0.7, 6)}),
        ("rival", "knn"): Made({0: normal(0.7, 7)}),
    }
    found = contrasts(("default", "rival"), systems)
    pairs = (
        found.filter(pl.col("scope") == "all tasks").select("readout", "against", "against_readout").rows()
    )
    assert pairs == [
        ("probe", "rival", "probe"),
        ("probe", "supervised", "probe"),
        ("probe", "features", "trees"),
        ("stacked", "features", "trees"),
    ]
    assert found["primary"].to_list() == [True] + [False] * 7
    first = found.row(0, named=True)
    assert first["difference"] == pytest.approx(0.15) and first["p_holm"] is None and first["family"] is None
    assert first["p"] == pytest.approx(2 / 1000)


def test_each_scope_is_a_family_without_the_primary_contrast():
    systems = {("default", "probe"): Made({0: normal(0.8, 0)})}
    systems |= {(f"arm{i}", "probe"): Made({0: normal(0.8 - 0.012 * i, i + 1)}) for i in range(5)}
    found = contrasts(("default", "arm4"), systems)
    for scope, n in (("all tasks", 4), ("one", 5)):
        own = found.filter((pl.col("scope") == scope) & ~pl.col("primary"))
        assert own["family"].to_list() == [n] * n
        np.testing.assert_allclose(own["p_holm"], holm(own["p"].to_numpy()))


def test_a_contrast_without_a_number_is_none_of_the_family():
    nothing = np.full(1000, np.nan)
    systems = {("default", "probe"): Made({0: normal(0.8, 1)}), ("rival", "probe"): Made({0: normal(0.7, 2)})}
    systems |= {("other", "probe"): Made({0: normal(0.79, 3)}), ("empty", "probe"): Made({0: nothing})}
    found = contrasts(("default", "rival"), systems).filter(
        pl.col("scope") == "all tasks", ~pl.col("primary")
    )
    assert found["family"].to_list() == [1, 1]
    other = found.filter(pl.col("against") == "other")
    assert other["p_holm"].to_list() == other["p"].to_list()


def test_only_seeds_in_common_count():
    better, worse = normal(0.9, 1), normal(0.5, 2)
    systems = {
        ("default", "probe"): Made({0: better, 1: worse}),
        ("one seed", "probe"): Made({0: better}),
        ("other seed", "probe"): Made({7: better}),
    }
    found = contrasts(("default", "one seed"), systems)
    assert set(found["against"]) == {"one seed"}
    assert found.row(0, named=True)["difference"] == 0 and found["seeds"].unique().to_list() == [1]


def test_one_task_alone_carries_the_primary_contrast():
    systems = {(arm, "probe"): Made({0: normal(0.8, i)}, ("sines",)) for i, arm in enumerate(("a", "b"))}
    assert contrasts(("a", "b"), systems)["primary"].to_list() == [True]


def test_without_a_primary_or_its_arm_there_are_none():
    systems = {("a", "probe"): Made({0: normal(0.8, 1)}), ("b", "probe"): Made({0: normal(0.8, 2)})}
    assert contrasts(None, systems).height == 0
    assert contrasts(("c", "a"), systems).height == 0


@pytest.mark.parametrize(
    "primary, said", [(["simclr", "no-such"], "'no-such' is not an arm"), (["simclr", "simclr"], "two arms")]
)
def test_a_primary_that_is_none_is_refused(values, primary, said):
    with pytest.raises(RecipeError, match=said):
        BenchmarkRecipe.of(values(primary=primary))


@pytest.fixture
def setting(corpus, values, tmp_path):
    recipe = values(primary=["simclr", "random-init"], against="random-init", replicates=200)
    return open_setting(BenchmarkRecipe.of(recipe), corpus, tmp_path / "result")


@pytest.fixture
def cells(finished):
    store = CellStore(finished["to"])
    names = [CellName(arm, 0, k) for arm in ("random-init", "supervised", "simclr") for k in range(3)]
    return {name: store.read(name) for name in names}


def test_the_primary_contrast_is_the_paired_difference_of_the_summary(setting, cells):
    found = tables(setting, cells)
    for row in found.contrasts.filter(pl.col("against") == "random-init").iter_rows(named=True):
        own = found.summary.filter((pl.col("arm") == "simclr") & (pl.col("scope") == row["scope"])).row(
            0, named=True
        )
        for key, name in (
            ("difference", "difference"),
            ("low", "difference_low"),
            ("high", "difference_high"),
        ):
            assert row[key] == pytest.approx(own[name])
    assert set(found.contrasts["scope"]) == {"first", "second", "all tasks", "without second"}


def test_a_default_with_more_seeds_is_compared_over_those_in_common(corpus, values, tmp_path, cells):
    recipe = BenchmarkRecipe.of(values(primary=["simclr", "random-init"], seeds=[0, 1], replicates=100))
    two = open_setting(recipe, corpus, tmp_path)
    worse = {k: json.loads(json.dumps(cells[CellName("random-init", 0, k)])) for k in range(3)}
    more = cells | {CellName("simclr", 1, k): worse[k] for k in range(3)}
    alone, found = (tables(two, some).contrasts.row(0, named=True) for some in (cells, more))
    assert found["seeds"] == 1 and found["difference"] == pytest.approx(alone["difference"])


def test_results_hold_the_contrasts_and_verify_reads_them(finished, corpus, values, tmp_path):
    import shutil

    to = tmp_path / "copy"
    to.mkdir()
    shutil.copytree(finished["to"] / "cells", to / "cells")
    shutil.copy(finished["to"] / "folds.csv", to / "folds.csv")
    recipe = BenchmarkRecipe.of(values(primary=["simclr", "random-init"], replicates=40))
    setting = open_setting(recipe, corpus, to)
    write_results(setting, to)
    stored = json.loads((to / "results.json").read_text())
    assert stored["contrasts"][0]["primary"] is True and len(stored["contrasts"]) == 8
    assert "contrast_p_holm" in (to / "results.csv").read_text()
    assert any("too few" in note for note in stored["notes"]) == (2 * 2 / 41 > 0.05)
    assert verify(to, corpus) == []
    stored["contrasts"][1]["p_holm"] = 0.0001
    (to / "results.json").write_text(json.dumps(stored))
    (fault,) = verify(to, corpus)
    assert "p_holm of simclr/probe/" in fault
    benchmark(recipe, corpus, to)  # nothing is computed again, the tables are
    assert verify(to, corpus) == []
