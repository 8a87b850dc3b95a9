"""The benchmark's figures: what is drawn, and nothing drawn twice differently."""

import json

import polars as pl
import pytest

from ecgprior.app.plots.benchmark import contrast_figure, efficiency_figure, forest, panels, save_figures
from ecgprior.evaluation.benchmark import benchmark

TABLE = pl.DataFrame(
    {
        "arm": ["random-init", "random-init", "simclr", "simclr"],
        "readout": ["probe"] * 4,
        "scope": ["one", "two"] * 2,
        "auroc": [0.6, float("nan"), 0.8, 0.7],
        "low": [0.5, float("nan"), 0.7, 0.6],
        "high": [0.7, float("nan"), 0.9, 0.8],
    }
)


def test_a_mark_for_each_system_and_what_is_not_defined_is_left_out():
    axes = forest(TABLE, "scope", "Title").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    drawn = [container.lines[0].get_xdata() for container in axes.containers]
    assert [list(x) for x in drawn] == [[0.6], [0.8, 0.7]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["random-init", "simclr"]


def test_one_arm_alone():
    axes = forest(TABLE.head(1), "scope", "Title").axes[0]
    assert axes.containers[0].lines[0].get_ydata()[0] == pytest.approx(0)


def test_a_panel_a_scope_and_a_row_a_system():
    figure = panels(TABLE, "scope", "Title")
    one, two = figure.axes
    assert [a.get_title(loc="left") for a in figure.axes] == ["one", "two"]
    assert [text.get_text() for text in one.get_yticklabels()] == ["random-init", "simclr"]
    marks = [[line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"] for axes in (one, two)]
    assert marks == [[0.6, 0.8], [0.7]]  # what is not defined is left out


def test_contrasts_are_filled_where_their_p_is_small_and_the_primary_is_on_top():
    rows = [
        ("a", "probe", "b", 0.1, 0.01, 0.2, 0.2, 0.4, False),
        ("a", "probe", "c", -0.1, -0.2, -0.01, 0.01, 0.03, False),
    ]
    rows += [
        ("a", "stacked", "b", 0.2, 0.1, 0.3, 0.001, 0.01, False),
        ("a", "probe", "rival", 0.3, 0.2, 0.4, 0.001, None, True),
    ]
    names = ["arm", "readout", "against", "difference", "low", "high", "p", "p_holm", "primary"]
    axes = contrast_figure(pl.DataFrame(rows, names, orient="row")).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "rival (named beforehand)",
        "c",
        "b",
        "b (stacked)",
    ]
    marks = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, False, True, False]
    assert [line.get_xdata()[0] for line in marks] == [0.3, -0.1, 0.1, 0.2]


def test_label_efficiency_has_a_line_an_arm_and_a_band_for_the_primary_pair():
    rows = [(arm, f, 0.7 + f / 10, 0.6, 0.9) for arm in ("a", "b", "c") for f in (1.0, 0.1)]
    axes = efficiency_figure(
        pl.DataFrame(rows, ["arm", "fraction", "auroc", "low", "high"], orient="row"), ["a", "b"]
    ).axes[0]
    assert len(axes.lines) == 3 and len(axes.collections) == 2
    assert list(axes.lines[0].get_xdata()) == [0.1, 1.0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["10 %", "100 %"]


def test_many_arms_are_grey_but_for_those_that_the_recipe_names():
    rows = [(f"arm{i}", f, 0.7, 0.6, 0.9) for i in range(9) for f in (1.0, 0.1)]
    table = pl.DataFrame(rows, ["arm", "fraction", "auroc", "low", "high"], orient="row")
    axes = efficiency_figure(table, ["arm3", "arm5"], "arm0").axes[0]
    assert [line.get_color() == "0.8" for line in axes.lines] == [i not in (0, 3, 5) for i in range(9)]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["arm0", "the other arms", "arm3", "arm5"]


@pytest.mark.parametrize("primary", [None, ["simclr", "supervised"]])
def test_figures_that_a_result_holds_are_saved(sines, finished, tmp_path, primary):
    to = finished(sines, tmp_path / "r", better="simclr", primary=primary)
    recipe = json.loads((to / "manifest.json").read_text())["recipe"]
    for arm in recipe["arms"]:
        del arm["pretrain_values"]
    result = benchmark(recipe, sines, to)  # every cell is there: tables only
    made = {path.name for path in save_figures(result, tmp_path)}
    names = {"auroc", "labels"} | ({"contrasts"} if primary else set())
    assert made == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
