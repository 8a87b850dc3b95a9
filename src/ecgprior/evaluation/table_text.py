"""A benchmark's tables as Markdown: what was asked first, everything else in tables of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import polars as pl

from .contrasts import ALL
from .plan import BenchmarkRecipe
from .results import Tables

_READOUTS = {
    "probe": "linear probe",
    "trees": "boosted trees",
    "head": "its own head",
    "knn": "nearest neighbours",
    "finetune": "fine-tuned",
    "stacked": "with features",
}
TOLD = "‡"
"""Marks an arm that is told what others are not: labels of the trunk's sources."""
SIMULATOR = " – the simulator's truth"
_FEW = 6
"""Systems beside which a table of labels has room for intervals."""

Row = Mapping[str, Any]


def markdown(recipe: BenchmarkRecipe, found: Tables, notes: Sequence[str], cells: str) -> str:
    """The whole result as one Markdown page.

    In this order, each where the result holds it: the contrast named beforehand in a sentence; the recipe's first note; a line a system – an arm and
    a way of reading it out – by task; differences; all contrasts; fewer labels; changed test records; retrieval; other
    metrics; what it cost; a line a label.

    `cells` says how many are finished.
    """
    found = _marked(recipe, found)
    own = [found.contrasts.row(0, named=True)] if found.contrasts["primary"].any() else []
    lines = [f"# {recipe.title}", ""]
    lines += [line for row in own for line in (_primary(found, row), "")]
    lines += [line for note in recipe.notes[:1] for line in (note, "")]
    lines += [
        f"{cells} cells. AUROC ({recipe.level:.0%} interval over patients and seeds):",
        "",
        *_systems_table(found),
        "",
    ]
    lines += [line for said in _told(recipe) for line in (said, "")]
    against = _marks(recipe).get(recipe.against, recipe.against)
    lines += [
        f"Difference from {against}, paired, over the seeds that both have:",
        "",
        *_differences(found),
    ]
    sections = (
        _contrasts(found),
        _efficiency(recipe, found),
        _changed(recipe, found),
        _retrieval(found),
    )
    lines += [line for section in sections for line in section]
    lines += ["", "Other metrics, mean over folds and seeds:", "", *_metrics(found), *_cost(found)]
    lines += ["", "By label, AUROC:", "", *_label_table(found.labels)]
    if rest := [note for note in notes if note not in recipe.notes[:1]]:
        lines += ["", "Notes", "", *(f"- {note}" for note in rest)]
    return "\n".join(lines) + "\n"


def _marked(recipe: BenchmarkRecipe, found: Tables) -> Tables:
    """The tables with a mark at the names of arms that learn other labels first."""
    names = _marks(recipe)
    if not names:
        return found
    marked = {
        field.name: table.with_columns(pl.col("^(arm|against)$").replace(names))
        for field in fields(found)
        if "arm" in (table := getattr(found, field.name)).columns
    }
    return replace(found, **marked)


def _marks(recipe: BenchmarkRecipe) -> dict[str, str]:
    return {arm.name: f"{arm.name} {TOLD}" for arm in recipe.arms if arm.trunk_labels}


def _told(recipe: BenchmarkRecipe) -> list[str]:
    """What the mark says; nothing where no arm has it."""
    told = list(dict.fromkeys(arm.trunk_labels for arm in recipe.arms if arm.trunk_labels))
    if not told:
        return []
    labels = ", ".join(f"{name}{SIMULATOR if name == 'simulated' else ''}" for name in told)
    return [f"{TOLD} Told more than the others: its trunk learns the labels {labels}."]


def _primary(found: Tables, row: Row) -> str:
    mine, its = (_score(found, row[arm], row["scope"]) for arm in ("arm", "against"))
    gap = _spread(row["difference"], row["low"], row["high"], "+.3f")
    low, high = round(row["low"], 3), round(row["high"], 3)  # as printed
    said = "higher" if low > 0 else "lower" if high < 0 else "not told apart"
    return (
        f"**Named beforehand: {row['arm']} against {row['against']}, {row['scope']}: {mine} against {its}, difference {gap}, "
        f"p {_p(row['p'])} – {said}.**"
    )


def _score(found: Tables, arm: str, scope: str) -> str:
    own = found.summary.filter(
        (pl.col("arm") == arm) & (pl.col("scope") == scope) & pl.col("readout").is_in(["probe", "trees"])
    )
    return _number(own["auroc"][0]) if own.height else "–"


def _systems_table(found: Tables) -> list[str]:
    scopes = found.summary["scope"].unique(maintain_order=True).to_list()
    rows = []
    for arm, readout in _systems(found.summary, _READOUTS):
        own = _of(found.summary, arm, readout)
        by_scope = {row["scope"]: row for row in own.iter_rows(named=True)}
        spreads = [_spread(by_scope[s]["auroc"], by_scope[s]["low"], by_scope[s]["high"]) for s in scopes]
        rows.append([_name(arm, readout), str(own["seeds"][0]), *spreads])
    return _table(["system", "seeds", *scopes], rows)


def _differences(found: Tables) -> list[str]:
    scopes = found.summary["scope"].unique(maintain_order=True).to_list()
    rows = []
    for arm, readout in _systems(found.summary, _READOUTS):
        own = {row["scope"]: row for row in _of(found.summary, arm, readout).iter_rows(named=True)}
        if any(row["difference"] is not None for row in own.values()):
            gaps = [
                (own[s]["difference"], own[s]["difference_low"], own[s]["difference_high"]) for s in scopes
            ]
            seeds = str(next(iter(own.values()))["difference_seeds"])
            rows.append([_name(arm, readout), seeds, *(_spread(*gap, "+.3f") for gap in gaps)])
    return _table(["system", "seeds", *scopes], rows)


def _contrasts(found: Tables) -> list[str]:
    if not found.contrasts.height:
        return []
    table = found.contrasts
    scopes = table["scope"].unique(maintain_order=True).to_list()
    rows = []
    for key in (
        table.select("arm", "readout", "against", "against_readout").unique(maintain_order=True).iter_rows()
    ):
        arm, readout, against, other = key
        own = {
            row["scope"]: row
            for row in table.iter_rows(named=True)
            if (row["arm"], row["readout"], row["against"], row["against_readout"]) == key
        }
        pair = f"{_name(arm, readout)} – {_name(against, other)}"
        rows.append(
            [pair, str(next(iter(own.values()))["seeds"]), *(_contrast(own.get(scope)) for scope in scopes)]
        )
    said = (
        f"Contrasts of {table['arm'][0]}, paired, over the seeds that both have; two-sided p of the bootstrap, after "
        "Holm's adjustment for the contrasts of the same column, but not of the one named beforehand (†):"
    )
    return ["", said, "", *_table(["contrast", "seeds", *scopes], rows)]


def _contrast(row: Row | None) -> str:
    if row is None:
        return "–"
    p = f"p {_p(row['p'])} †" if row["primary"] else f"p {_p(row['p_holm'])}"
    return f"{_spread(row['difference'], row['low'], row['high'], '+.3f')}, {p}"


def _efficiency(recipe: BenchmarkRecipe, found: Tables) -> list[str]:
    table = found.efficiency.filter(pl.col("scope") == _head(found))
    if not table.height:
        return []
    fractions = sorted(table["fraction"].unique().to_list())
    by_place = {(row["arm"], row["fraction"]): row for row in table.iter_rows(named=True)}
    rows = []
    for arm in table["arm"].unique(maintain_order=True):
        own = [by_place.get((arm, f)) for f in fractions]
        rows.append([arm, *(_spread(r["auroc"], r["low"], r["high"]) if r else "–" for r in own)])
    said = f"Probe on a part of the training labels, {_head(found)} ({recipe.level:.0%} of draws and seeds):"
    return ["", said, "", *_table(["arm", *(f"{100 * f:g} %" for f in fractions)], rows)]


def _changed(recipe: BenchmarkRecipe, found: Tables) -> list[str]:
    names = [f"probe:{change.name}" for change in recipe.changed]
    table = found.summary.filter(pl.col("scope") == _head(found))
    value = {(row["arm"], row["readout"]): row["auroc"] for row in table.iter_rows(named=True)}
    arms = [
        arm for arm in table["arm"].unique(maintain_order=True) if any((arm, name) in value for name in names)
    ]
    if not arms:
        return []
    rows = [[arm, *(_number(value.get((arm, name))) for name in ("probe", *names))] for arm in arms]
    said = f"The same probe on changed test records, {_head(found)}:"
    return ["", said, "", *_table(["arm", "as recorded", *(change.name for change in recipe.changed)], rows)]


def _retrieval(found: Tables) -> list[str]:
    if not found.retrieval.height:
        return []
    rows = [
        [
            row["arm"],
            str(row["seeds"]),
            *(_number(row[name]) for name in ("precision", "chance", "r2_median")),
        ]
        for row in found.retrieval.iter_rows(named=True)
    ]
    said = "Neighbours in the embedding that are physiologically similar, and measured features read off it:"
    return ["", said, "", *_table(["arm", "seeds", "precision", "by chance", "median R²"], rows)]


def _metrics(found: Tables) -> list[str]:
    rows = []
    for arm, readout in _systems(found.summary, ("probe", "trees", "head")):
        for row in (
            _of(found.summary, arm, readout).filter(pl.col("auprc").is_not_null()).iter_rows(named=True)
        ):
            figures = (_number(row[m]) for m in ("auprc", "f_max", "brier", "ece"))
            rows.append([_name(arm, readout), row["scope"], *figures])
    return _table(["system", "task", "AUPRC", "F-max", "Brier", "ECE"], rows)


def _cost(found: Tables) -> list[str]:
    by_arm = found.cells.group_by("arm", maintain_order=True).agg(
        pl.len(), pl.col("view_passes").mean(), pl.col("train_seconds").mean(), pl.col("seconds").sum()
    )
    rows = [
        [
            row["arm"],
            str(row["len"]),
            f"{row['view_passes']:,.0f}",
            f"{row['train_seconds']:,.0f}",
            f"{row['seconds'] / 3600:.2f}",
        ]
        for row in by_arm.iter_rows(named=True)
    ]
    head = ["arm", "cells", "encoder passes a cell", "training a cell, s", "all computing, h"]
    return ["", "Cost:", "", *_table(head, rows)]


def _label_table(labels: pl.DataFrame) -> list[str]:
    systems = _systems(labels, ("probe", "trees", "head"))
    rows = []
    for (task, label), own in labels.group_by(["task", "label"], maintain_order=True):
        found = {(r["arm"], r["readout"]): r for r in own.iter_rows(named=True)}
        cells = [found.get(system) for system in systems]
        texts = ["–" if r is None else _spread(r["auroc"], r["low"], r["high"]) for r in cells]
        if len(systems) > _FEW:
            texts = ["–" if r is None else _number(r["auroc"]) for r in cells]
        first = own.row(0, named=True)
        rows.append([str(task), str(label), f"{first['positives']} of {first['n']}", *texts])
    return _table(["task", "label", "positives", *(_name(*s) for s in systems)], rows)


def _head(found: Tables) -> str:
    """The scope to judge by: the mean over tasks, or the only task."""
    scopes = found.summary["scope"].unique(maintain_order=True).to_list()
    return ALL if ALL in scopes else next(iter(scopes), ALL)


def _systems(table: pl.DataFrame, readouts: Iterable[str]) -> list[tuple[str, str]]:
    """Arms and readouts that are there, all arms read out in the first way (or as trees) before those in the next."""
    there = [
        (str(a), str(r)) for a, r in table.select("arm", "readout").unique(maintain_order=True).iter_rows()
    ]
    order = {readout: max(0, i - 1) for i, readout in enumerate(readouts)}  # probe and trees together
    return sorted((system for system in there if system[1] in order), key=lambda system: order[system[1]])


def _of(table: pl.DataFrame, arm: str, readout: str) -> pl.DataFrame:
    return table.filter((pl.col("arm") == arm) & (pl.col("readout") == readout))


def _name(arm: str, readout: str) -> str:
    return f"{arm} ({_READOUTS.get(readout, readout)})"


def _p(value: float | None) -> str:
    if value is None or value != value:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _spread(value: float | None, low: float | None, high: float | None, form: str = ".3f") -> str:
    return "–" if value is None else f"{_number(value, form)} ({_number(low, form)} to {_number(high, form)})"


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None or value != value else format(value, form)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = lambda cells: "| " + " | ".join(cells) + " |"  # noqa: E731
    return [line(head), line(["---"] * len(head)), *(line(row) for row in rows)]
