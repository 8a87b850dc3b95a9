"""A benchmark's tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from .plan import BenchmarkRecipe
from .results import Tables


def markdown(recipe: BenchmarkRecipe, found: Tables, notes: Sequence[str], cells: str) -> str:
    """The whole result as one Markdown page: a line a system, then a line a label.

    `cells` says how many are finished.
    """
    lines = [f"# {recipe.title}", "", f"{cells} cells. AUROC ({recipe.level:.0%} interval over patients and seeds):", ""]
    systems = _systems(found.summary)
    scopes = found.summary["scope"].unique(maintain_order=True).to_list()
    head = ["system", "seeds", *scopes]
    rows = []
    for arm, readout in systems:
        own = found.summary.filter((pl.col("arm") == arm) & (pl.col("readout") == readout))
        by_scope = {row["scope"]: row for row in own.iter_rows(named=True)}
        spreads = [_spread(by_scope[s]["auroc"], by_scope[s]["low"], by_scope[s]["high"]) for s in scopes]
        rows.append([_name(arm, readout), str(own["seeds"][0]), *spreads])
    lines += [*_table(head, rows), "", f"Difference from {recipe.against}, paired:", ""]
    rows = []
    for row in found.summary.filter(pl.col("difference").is_not_null()).iter_rows(named=True):
        gap = _spread(row["difference"], row["difference_low"], row["difference_high"], "+.3f")
        rows.append([_name(row["arm"], row["readout"]), row["scope"], gap])
    lines += [*_table(["system", "scope", "difference"], rows), "", "Other metrics, mean over folds and seeds:", ""]
    rows = [
        [_name(row["arm"], row["readout"]), row["scope"], *(_number(row[m]) for m in ("auprc", "f_max", "brier", "ece"))]
        for row in found.summary.filter(pl.col("auprc").is_not_null()).iter_rows(named=True)
    ]
    lines += [*_table(["system", "task", "AUPRC", "F-max", "Brier", "ECE"], rows), "", "By label, AUROC:", ""]
    lines += _label_table(found.labels, systems)
    if notes:
        lines += ["", "Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _label_table(labels: pl.DataFrame, systems: Sequence[tuple[str, str]]) -> list[str]:
    rows = []
    for (task, label), own in labels.group_by(["task", "label"], maintain_order=True):
        cells = {(r["arm"], r["readout"]): _spread(r["auroc"], r["low"], r["high"]) for r in own.iter_rows(named=True)}
        first = own.row(0, named=True)
        rows.append([str(task), str(label), f"{first['positives']} of {first['n']}", *(cells[s] for s in systems)])
    return _table(["task", "label", "positives", *(_name(*s) for s in systems)], rows)


def _systems(summary: pl.DataFrame) -> list[tuple[str, str]]:
    return [(str(a), str(r)) for a, r in summary.select("arm", "readout").unique(maintain_order=True).iter_rows()]


def _name(arm: str, readout: str) -> str:
    return f"{arm} ({_READOUTS[readout]})"


_READOUTS = {"head": "its own head", "probe": "linear probe", "trees": "boosted trees"}


def _spread(value: float, low: float, high: float, form: str = ".3f") -> str:
    return f"{_number(value, form)} ({_number(low, form)} to {_number(high, form)})"


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None or value != value else format(value, form)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = lambda cells: "| " + " | ".join(cells) + " |"  # noqa: E731
    return [line(head), line(["---"] * len(head)), *(line(row) for row in rows)]
