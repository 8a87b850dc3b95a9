"""Figures of a benchmark as SVG and PNG: AUROC by scope and by label, contrasts, label efficiency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ...evaluation.contrasts import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...evaluation.benchmark import BenchmarkResult

_COLOURS = ("#7a7a7a", "#0b6fa4", "#d1495b", "#2f8f5b", "#8a4fb0", "#c98a12")
_MARKS = ("o", "s", "D", "^", "v", "P")


_MOST = 8
"""Systems that one forest plot can tell apart."""
_SHOWN = ["probe", "trees", "head"]


def save_figures(result: BenchmarkResult, to: str | Path) -> list[Path]:
    """Draw ``auroc`` and ``labels`` in a folder, and ``contrasts`` and ``efficiency`` where the result holds them.

    Each as ``.svg`` and ``.png``; nothing without a finished arm. Of many arms ``auroc`` has a panel a scope, and ``labels`` only
    those that the recipe names: the primary pair, ``against``, and the first few.
    """
    tables, title = result.tables, result.title
    if not tables.summary.height:
        return []
    recipe = result.manifest["recipe"]
    level = float(recipe["level"])
    summary = tables.summary.filter(pl.col("readout").is_in(_SHOWN))
    named = pl.concat_str("task", "label", separator=" / ").alias("name")
    labels = _few(tables.labels.filter(pl.col("readout").is_in(_SHOWN)).with_columns(named), recipe)
    many = summary.select("arm", "readout").n_unique() > _MOST
    figures = {
        "auroc": panels(summary, "scope", title, level) if many else forest(summary, "scope", title, level),
        "labels": forest(labels, "name", f"{title}: by label", level),
    }
    scopes = summary["scope"].unique(maintain_order=True).to_list()
    head = ALL if ALL in scopes else scopes[0]
    if (found := tables.contrasts.filter(pl.col("scope") == head)).height:
        figures["contrasts"] = contrast_figure(found, level)
    if (part := tables.efficiency.filter(pl.col("scope") == head)).height:
        figures["efficiency"] = efficiency_figure(part, recipe.get("primary") or (), recipe["against"])
    return [
        _save(figure, Path(to) / f"{name}.{kind}")
        for name, figure in figures.items()
        for kind in ("svg", "png")
    ]


def _few(table: pl.DataFrame, recipe: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of the systems that the recipe names first, when there are too many."""
    systems = table.select("arm", "readout").unique(maintain_order=True).rows()
    if len(systems) <= _MOST:
        return table
    wanted = [recipe["against"], *(recipe.get("primary") or ())]
    order = sorted(systems, key=lambda s: wanted.index(s[0]) if s[0] in wanted else len(wanted))[:_MOST]
    keep = pl.struct("arm", "readout").is_in([{"arm": a, "readout": r} for a, r in order])
    return table.filter(keep)


def _system(arm: str, readout: str) -> str:
    return f"{arm}, own head" if readout == "head" else arm


def panels(table: pl.DataFrame, column: str, title: str, level: float = 0.95) -> Figure:
    """AUROC with its interval: a row for each system, a panel for each value of `column`."""
    from matplotlib.figure import Figure

    scopes = table[column].unique(maintain_order=True).to_list()
    systems = table.select("arm", "readout").unique(maintain_order=True).rows()
    size = (2.2 + 1.7 * len(scopes), 1.3 + 0.26 * len(systems))
    figure = Figure(figsize=size, layout="constrained")
    row_of_axes = figure.subplots(1, len(scopes), sharex=True, sharey=True, squeeze=False)[0]
    for axes, scope in zip(row_of_axes, scopes):
        own = {
            (r["arm"], r["readout"]): r for r in table.filter(pl.col(column) == scope).iter_rows(named=True)
        }
        for y, system in enumerate(systems):
            row = own.get(system)
            if row is not None and row["auroc"] == row["auroc"]:
                axes.plot([row["low"], row["high"]], [y, y], color=_COLOURS[1], linewidth=1.2)
                axes.plot([row["auroc"]], [y], marker="o", color=_COLOURS[1], markersize=4.5)
        axes.set_title(scope, fontsize=9, loc="left")
        axes.grid(axis="x", color="0.9", linewidth=0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    row_of_axes[0].set_yticks(range(len(systems)), [_system(*s) for s in systems])
    row_of_axes[0].set_ylim(len(systems) - 0.4, -0.6)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.supxlabel(f"AUROC, {level:.0%} interval over patients and seeds", fontsize=9)
    return figure


def contrast_figure(table: pl.DataFrame, level: float = 0.95) -> Figure:
    """The default arm less every other: filled where p, adjusted where it is, is below 0.05; a diamond is the primary contrast."""
    from matplotlib.figure import Figure

    table = table.sort(~pl.col("primary"), pl.col("difference"))
    figure = Figure(figsize=(8, 1.3 + 0.28 * table.height), layout="constrained")
    axes = figure.add_subplot()
    names = []
    for y, row in enumerate(table.iter_rows(named=True)):
        p = row["p"] if row["primary"] else row["p_holm"]
        fill = _COLOURS[1] if p is not None and p < 0.05 else "white"
        axes.plot([row["low"], row["high"]], [y, y], color=_COLOURS[1], linewidth=1.5)
        style: dict[str, Any] = {
            "marker": "D" if row["primary"] else "o",
            "markerfacecolor": fill,
            "markeredgecolor": _COLOURS[1],
        }
        axes.plot([row["difference"]], [y], markersize=7 if row["primary"] else 6, **style)
        said = "named beforehand" if row["primary"] else "stacked" if row["readout"] == "stacked" else ""
        names.append(f"{row['against']} ({said})" if said else row["against"])
    axes.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(f"difference in AUROC, {level:.0%} interval")
    axes.set_title(f"{table['arm'][0]} against", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def efficiency_figure(table: pl.DataFrame, primary: Sequence[str], against: str = "") -> Figure:
    """AUROC by share of the labels: a line an arm, the interval of draws and seeds for the primary pair.

    Of many arms only the primary pair and `against` have a colour.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    arms = table["arm"].unique(maintain_order=True).to_list()
    coloured = arms if len(arms) <= len(_COLOURS) else [arm for arm in arms if arm in (*primary, against)]
    others = "the other arms"
    for arm in arms:
        own = table.filter(pl.col("arm") == arm).sort("fraction")
        x, y = own["fraction"].to_list(), own["auroc"].to_list()
        if arm not in coloured:
            axes.plot(x, y, color="0.8", linewidth=1, label=others, zorder=1)
            others = "_nolegend_"
            continue
        i = coloured.index(arm)
        axes.plot(x, y, label=arm, linewidth=2 if arm in primary else 1, color=_COLOURS[i], marker=_MARKS[i])
        if arm in primary:
            axes.fill_between(
                x, own["low"].to_list(), own["high"].to_list(), color=_COLOURS[i], alpha=0.13, linewidth=0
            )
    fractions = sorted(table["fraction"].unique().to_list())
    axes.set_xscale("log")
    axes.set_xticks(fractions, [f"{100 * f:g} %" for f in fractions])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("share of the training labels")
    axes.set_ylabel("AUROC")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
    return figure


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
        style: dict[str, Any] = {
            "color": _COLOURS[i % 6],
            "marker": _MARKS[(i + i // 6) % 6],
            "linestyle": "none",
        }
        name = _system(arm, readout)
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
