"""Markdown: which table holds what, and that many readouts do not flood the first one."""

import polars as pl
import pytest

from ecgprior.evaluation.contrasts import SCHEMA
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.results import Tables
from ecgprior.evaluation.table_text import markdown

SCOPES = ("first", "second", "all tasks")
READOUTS = ("probe", "head", "knn", "finetune", "stacked", "probe:noisy", "probe:one-lead")


def made(arms=("random-init", "simclr"), readouts=READOUTS, **changes):
    def row(arm, readout, scope, value):
        first = (arm, readout) == ("random-init", "probe")
        gap = (None, None, None) if first else (0.1, -0.01, 0.2)
        rest = (None,) * 4 if scope == "all tasks" else (0.5, 0.6, 0.1, 0.05)
        return (arm, readout, scope, value, value - 0.1, value + 0.1, *gap, *rest, 3, 5, None if first else 2)

    names = [
        "arm",
        "readout",
        "scope",
        "auroc",
        "low",
        "high",
        "difference",
        "difference_low",
        "difference_high",
    ]
    names += ["auprc", "f_max", "brier", "ece", "seeds", "folds", "difference_seeds"]
    systems = [
        (a, "trees") if a == "features" else (a, r)
        for a in arms
        for r in (readouts if a != "features" else ("trees",))
    ]
    rows = [row(a, r, s, 0.7 + 0.01 * i) for i, (a, r) in enumerate(systems) for s in SCOPES]
    labels = [(a, r, "first", "MI", 200, 30, 0.812, 0.7, 0.9) for a, r in systems]
    cells = [(a, s, f, 100.0, 360.0, 128_064) for a in arms for s in range(3) for f in range(5)]
    empty = {
        "efficiency": ("arm", "fraction", "scope", "auroc", "low", "high"),
        "retrieval": ("arm", "seeds"),
    }
    tables = {
        "summary": pl.DataFrame(rows, schema=names, orient="row"),
        "labels": pl.DataFrame(
            labels,
            ["arm", "readout", "task", "label", "n", "positives", "auroc", "low", "high"],
            orient="row",
        ),
        "cells": pl.DataFrame(
            cells, ["arm", "seed", "fold", "train_seconds", "seconds", "view_passes"], orient="row"
        ),
        "contrasts": pl.DataFrame(schema=SCHEMA),
        **{name: pl.DataFrame(schema=dict.fromkeys(columns, pl.String)) for name, columns in empty.items()},
    }
    return Tables(**(tables | changes))


@pytest.fixture
def recipe(values):
    changed = [{"name": "noisy", "noise_db": 0.0}, {"name": "one-lead", "leads": ["I"]}]
    return BenchmarkRecipe.of(values(changed=changed, primary=["simclr", "random-init"]))


def tables_of(text):
    """Title of the paragraph before → lines of cells."""
    found, title = {}, ""
    for line in text.splitlines():
        if line.startswith("|"):
            found.setdefault(title, []).append([cell.strip() for cell in line.strip("|").split("|")])
        elif line:
            title = line
    return found


def test_each_table_has_its_own_readouts(recipe):
    text = markdown(recipe, made(), (), "6 of 6")
    found = tables_of(text)
    main = next(rows for title, rows in found.items() if title.startswith("6 of 6 cells."))
    assert main[0] == ["system", "seeds", *SCOPES]
    assert [row[0] for row in main[2:]] == [
        f"{arm} ({how})"
        for how in ("linear probe", "its own head", "nearest neighbours", "fine-tuned", "with features")
        for arm in ("random-init", "simclr")
    ]
    changed = next(rows for title, rows in found.items() if title.startswith("The same probe on changed"))
    assert changed[0] == ["arm", "as recorded", "noisy", "one-lead"]
    assert changed[3] == ["simclr", "0.770", "0.820", "0.830"]
    assert [row[0] for row in found["By label, AUROC:"]] == ["task", "---", "first"]
    assert len(found["By label, AUROC:"][0]) == 3 + 4  # probe and head
    assert found["Cost:"][2] == ["random-init", "15", "128,064", "100", "1.50"]
    assert all(len({len(row) for row in rows}) == 1 for rows in found.values())


def test_a_line_of_differences_for_each_system_but_the_reference(recipe):
    rows = tables_of(markdown(recipe, made(readouts=("probe",)), (), ""))[
        "Difference from random-init, paired, over the seeds that both have:"
    ]
    assert rows[0] == ["system", "seeds", *SCOPES]
    assert rows[2:] == [["simclr (linear probe)", "2", *["+0.100 (-0.010 to +0.200)"] * 3]]


def test_the_reference_is_marked_too_when_it_is_told_more(recipe):
    told = {"trunk_labels": "u", "name": "simclr"}
    arms = [arm.model_copy(update=told) if arm.name == "simclr" else arm for arm in recipe.arms]
    text = markdown(recipe.model_copy(update={"arms": tuple(arms), "against": "simclr"}), made(), (), "")
    assert "Difference from simclr ‡, paired" in text and "| simclr ‡ (linear probe) |" in text


def test_many_systems_lose_their_intervals_by_label_only(recipe):
    few = tables_of(markdown(recipe, made(readouts=("probe",)), (), ""))["By label, AUROC:"]
    many = tables_of(markdown(recipe, made([f"a{i}" for i in range(20)], ("probe",)), (), ""))[
        "By label, AUROC:"
    ]
    assert few[2][3] == "0.812 (0.700 to 0.900)" and many[2][3] == "0.812" and len(many[2]) == 23


def test_the_contrast_named_beforehand_comes_first_and_is_not_adjusted(recipe):
    def row(against, scope, gap, p, primary=False):
        holm = None if primary else min(1.0, 2 * p)
        own = ("simclr", "probe", against, "trees" if against == "features" else "probe", scope)
        return (*own, gap, gap - 0.02, gap + 0.02, p, holm, None if primary else 2, 3, primary)

    rows = [row("random-init", "all tasks", 0.07, 0.0005, True), row("features", "all tasks", -0.01, 0.3)]
    rows += [row(against, "first", 0.05, 0.04) for against in ("random-init", "features")]
    contrasts = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    text = markdown(
        recipe, made(("random-init", "simclr", "features"), ("probe",), contrasts=contrasts), (), ""
    )
    lines = text.splitlines()
    assert lines[2].startswith(
        "**Named beforehand: simclr against random-init, all tasks: 0.710 against 0.700, difference +0.070"
    )
    assert lines[2].endswith("p < 0.001 – higher.**")
    found = next(rows for title, rows in tables_of(text).items() if title.startswith("Contrasts of simclr"))
    assert found[0] == ["contrast", "seeds", "all tasks", "first"]
    assert found[2][0] == "simclr (linear probe) – random-init (linear probe)"
    assert found[2][2].endswith("p < 0.001 †") and found[2][3].endswith("p 0.080")
    assert (
        found[3][0].endswith("features (boosted trees)")
        and found[3][2] == "-0.010 (-0.030 to +0.010), p 0.60"
    )


def test_fewer_labels_and_retrieval_have_tables_of_their_own(recipe):
    names = ["arm", "fraction", "scope", "auroc", "low", "high"]
    part = [("simclr", f, s, 0.8 - 0.1 * (1 - f), 0.6, 0.9) for f in (1.0, 0.25) for s in SCOPES]
    near = [("simclr", 3, 0.31, 0.05, float("nan"))]
    more = {
        "efficiency": pl.DataFrame(part, names, orient="row"),
        "retrieval": pl.DataFrame(near, ["arm", "seeds", "precision", "chance", "r2_median"], orient="row"),
    }
    found = tables_of(markdown(recipe, made(**more), (), ""))
    labels = next(rows for title, rows in found.items() if title.startswith("Probe on a part"))
    assert labels[0] == ["arm", "25 %", "100 %"]
    assert labels[2] == ["simclr", "0.725 (0.600 to 0.900)", "0.800 (0.600 to 0.900)"]
    near = next(rows for title, rows in found.items() if title.startswith("Neighbours"))
    assert near[2] == ["simclr", "3", "0.310", "0.050", "–"]


def test_what_a_result_does_not_hold_has_no_table(recipe):
    text = markdown(recipe, made(readouts=("probe",)), ("A note.",), "")
    for title in (
        "Named beforehand",
        "Contrasts of",
        "Probe on a part",
        "changed test records",
        "Neighbours",
    ):
        assert title not in text
    assert text.endswith("Notes\n\n- A note.\n")


def test_the_recipes_first_note_stands_at_the_top_and_only_there(values):
    recipe = BenchmarkRecipe.of(values(notes=["What it means.", "More."]))
    text = markdown(recipe, made(readouts=("probe",)), ("What it means.", "More."), "6 of 6")
    assert text.index("What it means.") < text.index("6 of 6 cells") and text.count("What it means.") == 1
    assert text.endswith("Notes\n\n- More.\n")


def test_an_unfinished_benchmark_is_a_page_too(recipe):
    nothing = made()
    empty = Tables(*(getattr(nothing, name).clear() for name in Tables.__dataclass_fields__))
    assert "0 of 6 cells" in markdown(recipe, empty, (), "0 of 6")
