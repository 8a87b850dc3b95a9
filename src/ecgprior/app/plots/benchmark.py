"""Figures of a benchmark: a forest plot of every scope, and AUROC by label, as SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...evaluation.benchmark import BenchmarkResult

_COLOURS = ("#7a7a7a", "#0b6fa4", "#d1495b", "#2f8f5b", "#8a4fb0", "#c98a12")
_MARKS = ("o", "s", "D", "^", "v", "P")


def save_figures(result: BenchmarkResult, to: str | Path) -> list[Path]:
    """Draw ``auroc.svg`` / ``.png`` and ``labels.svg`` / ``.png`` in a folder; nothing without a finished arm."""
    if not result.tables.summary.height:
        return []
    made = []
    level = float(result.manifest["recipe"]["level"])
    figures = {
        "auroc": forest(result.tables.summary, "scope", result.title, level),
        "labels": forest(
            result.tables.labels.with_columns(pl.concat_str("task", "label", separator=" / ").alias("name")),
            "name",
            f"{result.title}: by label",
            level,
        ),
    }
    for name, figure in figures.items():
        for kind in ("svg", "png"):
            path = Path(to) / f"{name}.{kind}"
            made.append(_save(figure, path))
    return made


def forest(table: pl.DataFrame, row: str, title: str, level: float = 0.95) -> Figure:
    """AUROC with its interval: a row for each value of column `row`, a mark for each system."""
    from matplotlib.figure import Figure

    rows = table[row].unique(maintain_order=True).to_list()
    systems = table.select("arm", "readout").unique(maintain_order=True).rows()
    figure = Figure(figsize=(8.5, 1.4 + len(rows) * (0.18 * len(systems) + 0.22)), layout="constrained")
    axes = figure.add_subplot()
    for i, (arm, readout) in enumerate(systems):
        own = table.filter(
            (pl.col("arm") == arm) & (pl.col("readout") == readout) & pl.col("auroc").is_not_nan()
        )
        shift = (i - (len(systems) - 1) / 2) * 0.8 / len(systems)
        y = [rows.index(name) + shift for name in own[row]]
        low, high = (own["auroc"] - own["low"]).clip(0), (own["high"] - own["auroc"]).clip(0)
        style: dict[str, Any] = {"color": _COLOURS[i % 6], "marker": _MARKS[i % 6], "linestyle": "none"}
        name = f"{arm}, own head" if readout == "head" else arm
        error = [low.fill_nan(0).to_list(), high.fill_nan(0).to_list()]
        axes.errorbar(own["auroc"].to_list(), y, xerr=error, markersize=4.5, linewidth=1, label=name, **style)
    _finish(axes, rows, title, level)
    return figure


def _finish(axes: Axes, rows: list[str], title: str, level: float) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.axvline(0.5, color="0.6", linewidth=0.8, linestyle=":")
    for y in range(1, len(rows)):
        axes.axhline(y - 0.5, color="0.9", linewidth=0.6, zorder=0)
    axes.set_xlabel(f"AUROC, {level:.0%} interval over patients and seeds")
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)


def _save(figure: Figure, path: Path) -> Path:
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "ecgprior", "svg.fonttype": "none"}):
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=150, metadata=metadata)
    return path
