"""The only HTML engine: a :class:`Report` in, one self-contained page out (inline CSS and SVG, no script)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from itertools import groupby

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..plots.charts import curve_chart, forest, label_bars, legend_mark
from ..plots.comparison import contrast_chart, series_chart
from ..plots.spread import spread_chart
from . import words
from .content import Arm, ChartGroup, Report, SeriesChart


def render(report: Report) -> str:
    """The page as HTML text.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        A whole document that asks no server for anything.
    """
    here = resources.files(__package__)
    page = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = page.from_string(here.joinpath("page.html").read_text(encoding="utf-8"))
    titles = {arm.name: arm.title for arm in report.arms}
    coloured = report.shown or report.arms
    return template.render(
        r=report,
        style=Markup(here.joinpath("style.css").read_text(encoding="utf-8")),
        forest=Markup(forest(report.tasks, report.arms, report.score))
        if report.tasks and not report.panel
        else "",
        coloured=coloured,
        contrasts=Markup(contrast_chart(report.contrasts)) if report.contrasts else "",
        drawn=lambda group: _drawn(group, coloured, report.arms),
        bars=_bars(report, coloured),
        curves=[(c, Markup(curve_chart(c, coloured))) for c in report.curves if c.curves],
        spread=Markup(spread_chart(report.census)) if report.census else "",
        metrics=_metric_names(report),
        by_task=[(task, list(rows)) for task, rows in groupby(report.differences, lambda d: d.task)],
        mark=lambda arm: Markup(legend_mark(arm)),
        title=lambda name: titles.get(name, name),
        safe=Markup,
        number=words.number,
        signed=words.signed,
        verdict=words.verdict,
    )


def _drawn(
    group: ChartGroup, coloured: Sequence[Arm], arms: Sequence[Arm]
) -> list[tuple[SeriesChart, Markup]]:
    """Every chart of a group, on one vertical axis."""
    charts, wide = group.charts, len(group.charts) == 1
    drawn = [(c, series_chart(c, coloured, arms, wide=wide, beside=charts)) for c in charts]
    return [(chart, Markup(svg)) for chart, svg in drawn]


def _bars(report: Report, arms: Sequence[Arm]) -> list[tuple[str, Markup]]:
    """One chart of label bars a task, in the order of the tasks."""
    tasks = list(dict.fromkeys(label.task for label in report.labels))
    score = report.score.removeprefix("Macro ")  # of one label there is no mean
    charts = [label_bars([s for s in report.labels if s.task == t], arms, score) for t in tasks]
    return list(zip(tasks, map(Markup, charts)))


def _metric_names(report: Report) -> list[str]:
    """Every metric that any task has, in the order of first appearance."""
    return list(dict.fromkeys(m for task in report.tasks for arm in task.metrics.values() for m in arm))
