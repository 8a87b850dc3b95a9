"""Sections of a comparison of many arms, from the tables of a result: what is shown, in which order, and when nothing is."""

import copy

import pytest

from ecgprior.app.report.comparison import (
    Comparison,
    above,
    contrasts,
    cost,
    efficiency,
    highest,
    kinds,
    panel,
    readouts,
    retrieval,
    robustness,
    shown_arms,
)
from ecgprior.app.report.content import Arm, Interval, TaskRow

SELF = ("default", "rival", "third", "fourth")
SCORES = {
    "random-init": 0.70,
    "default": 0.86,
    "rival": 0.83,
    "third": 0.84,
    "fourth": 0.80,
    "supervised": 0.85,
    "trees": 0.90,
}
SCOPES = ("all tasks", "one", "two")


def supervised(arm):
    return arm["name"] == "supervised"


def an_arm(name):
    return {
        "name": name,
        "train": name != "random-init",
        "control": False,
        "features": "trees" if name == "trees" else None,
    }


RECIPE = {
    "arms": [an_arm(name) for name in SCORES],
    "seeds": [0, 1, 2],
    "against": "random-init",
    "primary": ["default", "rival"],
    "draws": 20,
    "changed": [
        {"name": "loud", "noise_db": 0.0, "rate": None, "leads": []},
        {"name": "quiet", "noise_db": 20.0},
        {"name": "slow", "rate": 100.0},
        {"name": "limb", "leads": ["I", "II"]},
        {"name": "one", "leads": ["I"]},
        {"name": "never", "leads": ["V1"]},
    ],
}


def made():
    """The tables of results.json, by hand."""
    summary, contrast, labels = [], [], []
    for arm, value in SCORES.items():
        if arm == "trees":
            read = {"trees": value}
        else:
            read = {"probe": value, "knn": value - 0.05, "stacked": 0.91}
            read |= {
                f"probe:{c['name']}": value - 0.01 * (i + 1) for i, c in enumerate(RECIPE["changed"][:-1])
            }
        if arm == "supervised":
            read["head"] = 0.855
        for readout, v in read.items():
            seeds = 1 if arm == "fourth" else 3
            summary += [
                dict(arm=arm, readout=readout, scope=s, auroc=v, low=v - 0.02, high=v + 0.02, seeds=seeds)
                for s in SCOPES
            ]
    for arm, value in SCORES.items():
        if arm != "default":
            for s in SCOPES:
                first = arm == "rival" and s == "all tasks"
                gap, own = 0.86 - value, "trees" if arm == "trees" else "probe"
                contrast.append(
                    dict(arm="default", readout="probe", against=arm, against_readout=own, scope=s, difference=gap, low=gap - 0.02,
                         high=gap + 0.02, p=0.01, p_holm=None if first else 0.04 if arm == "random-init" else 0.2,
                         family=None if first else 5, seeds=1 if arm == "fourth" else 3, primary=first)
                )  # fmt: skip
    part = [
        dict(arm=arm, fraction=f, scope=s, auroc=v - 0.1 * (1 - f), low=v - 0.15, high=v)
        for arm, v in SCORES.items() if arm != "trees" for f in (0.25, 0.01) for s in SCOPES
    ]  # fmt: skip
    near = [dict(arm=arm, seeds=3, precision=0.3, chance=0.05, r2_median=0.2) for arm in SELF]
    cells = [
        dict(arm=arm, seed=s, fold=0, train_seconds=60.0 * (s + 1), seconds=200.0,
             view_passes=0 if arm in ("random-init", "trees") else 128_064)
        for arm in SCORES for s in range(3)
    ]  # fmt: skip
    return {
        "summary": summary, "labels": labels, "contrasts": contrast, "efficiency": part, "retrieval": near, "cells": cells,
    }  # fmt: skip


def comparison(recipe=RECIPE, **changes):
    found = made() | changes
    arms = [Arm("trees/trees" if name == "trees" else name, name.title()) for name in SCORES]
    arms.insert(6, Arm("supervised/head", "Supervised, own head"))
    arms = [a for a in arms if a.name.partition("/")[0] in {row["arm"] for row in found["summary"]}]
    titles = {"all tasks": "Mean over tasks", "one": "One", "two": "Two"}

    def scores(scope):
        rows = [
            row
            for row in found["summary"]
            if row["scope"] == scope and row["readout"] in ("probe", "head", "trees")
        ]
        key = lambda r: r["arm"] if r["readout"] == "probe" else f"{r['arm']}/{r['readout']}"  # noqa: E731
        return {key(r): Interval(r["auroc"], r["low"], r["high"]) for r in rows}

    tasks = [TaskRow(s, titles[s], 100, 3, scores(s)) for s in SCOPES]
    return Comparison(found, recipe, arms, tasks, kinds(recipe, supervised))


@pytest.fixture
def this():
    return comparison()


def test_six_arms_get_a_colour_the_control_first_and_the_primary_pair_among_them(this):
    assert [arm.name for arm in shown_arms(this)] == [
        "random-init",
        "supervised",
        "default",
        "rival",
        "trees/trees",
        "third",
    ]
    few = [row for row in made()["summary"] if row["arm"] in ("random-init", "default", "rival")]
    assert shown_arms(comparison(summary=few)) == ()


def test_the_panel_is_by_kind_the_best_first_and_its_best_are_bold(this):
    table = panel(this)
    assert [row.title for row in table.rows] == [
        "Default", "Third", "Rival", "Fourth", "Supervised, own head", "Supervised", "Trees", "Random-Init",
    ]  # fmt: skip
    assert [row.group for row in table.rows][3:5] == ["Self-supervised", "Supervised"]
    assert [row.strong for row in table.rows][:2] == [(0, 1, 2), ()]
    assert table.rows[3].text == "1 seed only" and table.rows[0].text == ""
    assert table.rows[-1].strong == () and table.rows[-2].strong == ()  # alone of its kind: best of nothing
    assert table.columns[0] == ("Mean over tasks", "100 records, 3 labels")


def test_a_panel_of_few_arms_is_left_to_the_chart():
    few = [row for row in made()["summary"] if row["arm"] in ("random-init", "default", "rival")]
    assert panel(comparison(summary=few)) is None


def test_the_primary_contrast_stands_apart_and_is_not_adjusted(this):
    found = contrasts(this, "macro AUROC")
    assert found.default == "Default" and found.primary.against == "Rival"
    assert (
        found.primary.p == 0.01
        and found.primary.p_adjusted is None
        and found.primary.text == "named beforehand"
    )
    assert [c.against for c in found.others] == ["Trees", "Supervised", "Third", "Fourth", "Random-Init"]
    assert found.others[0].value.value == pytest.approx(-0.04) and found.others[3].text == "1 seed only"
    assert "The other 5 are exploratory" in found.about
    assert [name for name, _ in found.by_task.columns] == ["One", "Two"]
    assert [row.title for row in found.by_task.rows] == ["Rival", *(c.against for c in found.others)]
    assert {row.title: row.strong for row in found.by_task.rows}["Random-Init"] == (0, 1)


def test_what_does_better_than_the_default_is_the_best_of_its_kind_after_adjustment(this):
    assert above(this) == []  # trees lie higher, but their adjusted p is 0.2
    sure = [row | {"p_holm": None if row["primary"] else 0.01} for row in made()["contrasts"]]
    assert above(comparison(contrasts=sure)) == [("measured features", 0.90)]
    worse = [row | {"difference": -0.1} for row in sure]
    assert above(comparison(contrasts=worse)) == [
        ("measured features", 0.90), ("supervised training", 0.85), ("Third", 0.84),
    ]  # fmt: skip
    stacked = [row | {"readout": "stacked"} for row in worse]
    assert above(comparison(contrasts=stacked)) == []


def test_the_highest_of_all_is_named_unless_it_is_told_of_already(this):
    said = highest(this, ["default", "rival"])
    assert "Trees: 0.900 (0.880–0.920)" in said and "it is not told apart from Default" in said
    assert highest(this, ["default", "trees/trees"]) == ""
    assert "told apart" not in highest(comparison(contrasts=[]), ["default"])
    sure = [row | {"p_holm": None if row["primary"] else 0.01} for row in made()["contrasts"]]
    assert highest(comparison(contrasts=sure), ["default", "rival"]) == ""  # the headline says it


def test_without_the_primary_contrast_the_others_are_shown_and_nothing_is_said_of_it():
    rest = [row for row in made()["contrasts"] if row["against"] != "rival"]
    found = contrasts(comparison(contrasts=rest), "macro AUROC")
    assert (
        found.primary is None
        and len(found.others) == 5
        and "beforehand" not in found.about
        and "before" not in found.about
    )


def test_stacked_against_trees_is_a_line_of_its_own():
    row = next(r for r in made()["contrasts"] if r["against"] == "trees" and r["scope"] == "all tasks")
    both = comparison(contrasts=[*made()["contrasts"], row | {"readout": "stacked", "difference": 0.01}])
    lines = [c for c in contrasts(both, "macro AUROC").others if c.against == "Trees"]
    assert [line.text for line in lines] == ["", "embedding with features, stacked"]


def test_readouts_are_columns_and_changed_records_are_not_among_them(this):
    table = readouts(this)
    assert [name for name, _ in table.columns] == [
        "Linear probe",
        "Nearest neighbours",
        "Own head",
        "With features",
    ]
    by_title = {row.title: row for row in table.rows}
    assert by_title["Rival"].values[1].value == pytest.approx(0.78)
    assert by_title["Supervised"].values[2].value == 0.855 and by_title["Rival"].values[2].value is None
    assert "Trees" not in by_title and "0.900 (0.880–0.920)" in table.about


def test_probes_and_heads_alone_need_no_table_of_readouts():
    plain = [row for row in made()["summary"] if row["readout"] in ("probe", "head", "trees")]
    assert readouts(comparison(summary=plain)) is None


def test_label_efficiency_ends_with_all_labels_and_says_what_a_quarter_gives(this):
    group = efficiency(this, "macro AUROC")
    (chart,) = group.charts
    assert [text for _, text in chart.ticks] == ["1 %", "25 %", "100 %"]
    series = {s.arm: s for s in chart.series}
    assert [v.value for v in series["default"].values] == pytest.approx([0.761, 0.785, 0.86])
    assert "trees/trees" not in series
    assert {arm for arm, s in series.items() if s.band} == {"default", "rival"}
    assert chart.level == (0.83, "Rival with all labels: 0.830")
    assert "With a quarter of the labels Default reaches 0.785; Rival with all of them 0.830." in group.about


def test_robustness_goes_from_clean_to_worst_and_leaves_out_what_was_not_run(this):
    group = robustness(this, "macro AUROC")
    assert [(c.title, [text for _, text in c.ticks]) for c in group.charts] == [
        ("Noise", ["none", "20 dB", "0 dB"]),
        ("Sampling rate", ["as it is", "100 Hz"]),
        ("Fewer leads", ["all", "2", "1"]),
    ]
    noise = next(s for s in group.charts[0].series if s.arm == "default")
    assert [v.value for v in noise.values] == pytest.approx([0.86, 0.84, 0.85])
    assert group.arms == {name for name in SCORES if name != "trees"}
    assert "Leads that were left – 2: I, II; 1: I." in group.about  # not of the change that was never run
    assert len(group.table.columns) == 1 + 5


def test_retrieval_and_cost(this):
    table = retrieval(this)
    assert len(table.rows) == 4 and [v.value for v in table.rows[0].values] == [0.3, 0.05, 0.2]
    listing = cost(this)
    by_arm = {row[0]: row for row in listing.rows}
    assert by_arm["Default"][1:] == ("128,064", "–", "2 min", "3", "10 min")
    assert by_arm["Random-Init"][1:] == by_arm["Trees"][1:] == ("none", "–", "–", "3", "10 min")
    seen = [cell | {"records": 1200} for cell in made()["cells"]]
    assert cost(comparison(cells=seen)).rows[0][2] == "1,200"


def test_an_older_result_has_none_of_it():
    recipe = {
        key: value
        for key, value in copy.deepcopy(RECIPE).items()
        if key not in ("primary", "changed", "draws")
    }
    old = {key: value for key, value in made().items() if key in ("summary", "labels", "cells")}
    old["summary"] = [row for row in old["summary"] if row["readout"] in ("probe", "head", "trees")]
    this = comparison(recipe, **old, contrasts=[], efficiency=[], retrieval=[])
    for table in ("contrasts", "efficiency", "retrieval"):
        del this.found[table]
    assert contrasts(this, "x") is efficiency(this, "x") is robustness(this, "x") is None
    assert retrieval(this) is readouts(this) is None
    assert [arm.name for arm in shown_arms(this)][0] == "random-init" and len(shown_arms(this)) == 6
