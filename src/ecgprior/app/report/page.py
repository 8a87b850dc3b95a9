"""The only HTML engine: a :class:`Report` in, one self-contained page out (inline CSS and SVG, no script)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from itertools import groupby

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..plots.charts import curve_chart, forest, label_marks, legend_mark
from ..plots.comparison import contrast_chart, series_chart
from ..plots.spread import spread_chart
from . import words
from .content import Arm, ChartGroup, CurveChart, Report, SeriesChart


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
        by_label=_by_label(report, coloured),
        undrawn=[arm.title for arm in report.arms if arm not in coloured],
        curves=_curves(report, coloured),
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


def _by_label(report: Report, arms: Sequence[Arm]) -> list[tuple[str, Markup]]:
    """One chart of labels a task, in the order of the tasks; none without an arm."""
    tasks = list(dict.fromkeys(label.task for label in report.labels)) if arms else []
    score = report.score.removeprefix("Macro ")  # of one label there is no mean
    charts = [
        label_marks([s for s in report.labels if s.task == t], arms, score, beside=report.labels)
        for t in tasks
    ]
    return list(zip(tasks, map(Markup, charts)))


def _curves(
    report: Report, arms: Sequence[Arm]
) -> tuple[list[tuple[CurveChart, Markup]], list[tuple[CurveChart, Markup]]]:
    """Charts of training: those of the arms with a colour, and those of the others."""
    names = {arm.name for arm in arms}
    drawn = [(c, Markup(curve_chart(c, arms))) for c in report.curves if c.curves]
    first = [pair for pair in drawn if any(curve.arm in names for curve in pair[0].curves)]
    return first, [pair for pair in drawn if pair not in first]


def _metric_names(report: Report) -> list[str]:
    """Every metric that any task has, in the order of first appearance."""
    return list(dict.fromkeys(m for task in report.tasks for arm in task.metrics.values() for m in arm))
