"""Charts for reports, as SVG that takes its colours and fonts from the page around it.

An arm is told apart by colour *and* by shape, so the charts survive a grey printer and a colour-blind reader.
Classes: ``arm-0`` … ``arm-5`` for the arms, ``axis``, ``tick``, ``chance``, ``muted`` for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from ..report.content import Arm, Curve, CurveChart, Interval, LabelScore, TaskRow
from ..report.words import number, spread

Scale = Callable[[float], float]
WIDTH = 1004  # pixels between the margins of the page
_RIGHT = 150
_RIGHT_NAMED = 238  # where an arm's name stands beside the figure
_FEW = 10  # records below which an interval says too little


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover a range.

    >>> ticks(0.52, 0.97)
    [0.6, 0.7, 0.8, 0.9]
    >>> ticks(0, 1000, 4)
    [0.0, 250.0, 500.0, 750.0, 1000.0]
    """
    raw = max(high - low, 1e-12) / about
    power = 10 ** math.floor(math.log10(raw))
    step = min((s * power for s in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def forest(tasks: Sequence[TaskRow], arms: Sequence[Arm], score: str) -> str:
    """Every task's score and interval, an arm a line, the figures at the right: one look tells who wins where."""
    left, row, gap, top = 230, 20, 16, 26
    low, high = _range([s for task in tasks for s in task.scores.values()])
    x = _scale(low, high, left, WIDTH - _RIGHT)
    parts, y = [], float(top)
    for task in tasks:
        parts.append(_text(0, y + 13, _shorten(task.title), "label", title=task.title))
        parts.append(_text(0, y + 30, f"{task.records:,} records, {_count(task.labels, 'label')}", "muted"))
        for i, arm in enumerate(arms):
            interval = task.scores.get(arm.name, Interval(None))
            parts += _mark(interval, x, y + 10, i, f"{arm.title}, {task.title}: {spread(interval)}")
            parts.append(_text(WIDTH, y + 14, spread(interval), "figure", "end"))
            y += row
        y = max(y, y - row * len(arms) + 2 * row) + gap
    axis = _axis(low, high, x, top - 6, y - gap + 6, score)
    return _svg(y + 30, f"{score} of every arm on every task", [*axis, *parts])


def label_marks(
    labels: Sequence[LabelScore], arms: Sequence[Arm], score: str, *, beside: Sequence[LabelScore] = ()
) -> str:
    """One label below another, an arm a mark with its interval; at the right the best, or all that share the figure.

    Labels on fewer than ten records are faded and name no best. `beside` are labels of charts whose axis this one shares.
    """
    left, row, gap, top = 230, 6.5, 15.0, 28.0
    shared = [*labels, *beside]
    low, high = _range([label.scores[a.name] for label in shared for a in arms if a.name in label.scores])
    x = _scale(low, high, left, WIDTH - _RIGHT_NAMED)
    parts, y, height = [], top, max(row * len(arms), 28.0)
    for label in labels:
        parts.append(_text(0, y + 10, _shorten(label.label), "label", title=label.label))
        parts.append(_text(0, y + 25, f"{label.positives:,} of {label.labelled:,}", "muted"))
        few = label.positives < _FEW
        parts.append('<g class="few">' if few else "<g>")
        for i, arm in enumerate(arms):
            interval = label.scores.get(arm.name, Interval(None))
            middle = y + height * (i + 0.5) / len(arms)
            parts += _mark(interval, x, middle, i, f"{arm.title}, {label.label}: {spread(interval)}", 0.75)
        at = (WIDTH - _RIGHT_NAMED + 16, y + height / 2)
        said = [_text(at[0], at[1] + 4, "too few records to rank arms", "muted")]
        parts += ["</g>", *(said if few else _best(label, arms, *at))]
        y += height + gap
        parts.append(f'<path class="rule" d="M0 {y - gap / 2:g}H{WIDTH:g}"/>')
    return _svg(
        y - gap + 6, f"{score} of every label", [*_axis(low, high, x, top - 8, y - gap + 6, ""), *parts[:-1]]
    )


def _best(label: LabelScore, arms: Sequence[Arm], x: float, y: float) -> list[str]:
    """The highest figure as it is printed, and the mark and name of the arm that reached it, or the marks of all that did."""
    found = {arm.title: label.scores.get(arm.name, Interval(None)).value for arm in arms}
    printed = [number(value) for value in found.values()]
    most = max((value for value in found.values() if value is not None and value == value), default=None)
    if most is None:
        return []
    who = [i for i, text in enumerate(printed) if text == number(most)]
    parts = [
        _text(x, y + 4, number(most), "figure"),
        *(_shape(x + 45 + 13 * n, y, i) for n, i in enumerate(who)),
    ]
    if len(who) == 1:
        title = arms[who[0]].title
        parts.append(_text(x + 55, y + 4, _shorten(title, 28), "figure", title=title))
    return parts


def curve_chart(chart: CurveChart, arms: Sequence[Arm]) -> str:
    """Courses of training: one line a run, one colour an arm."""
    width, height, left, right, top, bottom = 460.0, 250.0, 52.0, 20.0, 14.0, 36.0
    points = [p for curve in chart.curves for p in curve.points if all(map(math.isfinite, p))]
    if not points:
        return ""
    (x_low, x_high), (y_low, y_high) = (_padded(values) for values in zip(*points))
    x_low, x_high = (
        min(p[0] for p in points),
        max(max(p[0] for p in points), min(p[0] for p in points) + 1),
    )
    x, y = _scale(x_low, x_high, left, width - right), _scale(y_low, y_high, height - bottom, top)
    parts = []
    for value in ticks(y_low, y_high, 4):
        parts.append(f'<path class="tick" d="M{left:g} {y(value):.1f}H{width - right:g}"/>')
        parts.append(_text(left - 6, y(value) + 4, f"{value:g}", "muted", "end"))
    for value in ticks(x_low, x_high, 4):
        parts.append(_text(x(value), height - bottom + 16, f"{value:,g}", "muted", "middle"))
    parts.append(_text((left + width) / 2, height - 4, "step", "muted", "middle"))
    order = [arm.name for arm in arms]
    for curve in chart.curves:
        parts += _line(curve, x, y, order.index(curve.arm) if curve.arm in order else None)
    return _svg(height, f"{chart.title}: {chart.y_label} over steps", parts, width)


def legend_mark(arm: int) -> str:
    """An arm's mark alone, for a legend in the text."""
    return f'<svg class="key" viewBox="-8 -6 16 12" aria-hidden="true">{_shape(0, 0, arm)}</svg>'


def _line(curve: Curve, x: Scale, y: Scale, arm: int | None) -> list[str]:
    points = [(x(a), y(b)) for a, b in curve.points if math.isfinite(a) and math.isfinite(b)]
    if not points:
        return []
    d = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
    kind = "plain" if arm is None else f"arm-{arm}"
    drawn = f'<path class="line {kind}" d="{d}"><title>{escape(curve.run)}</title></path>'
    return [drawn, _shape(*points[-1], arm)] if len(points) < 200 and arm is not None else [drawn]


def _mark(interval: Interval, x: Scale, y: float, arm: int, title: str, size: float = 1.0) -> list[str]:
    if interval.value is None:
        return []
    parts = ["<g>", f"<title>{escape(title)}</title>"]
    if interval.low is not None and interval.high is not None:
        parts.append(
            f'<path class="whisker arm-{arm}" d="M{x(interval.low):.1f} {y:g}H{x(interval.high):.1f}"/>'
        )
    return [*parts, _shape(x(interval.value), y, arm, size), "</g>"]


def _shape(x: float, y: float, arm: int, size: float = 1.0) -> str:
    """Circle, square, diamond, triangle, … : an arm's own; `size` 1 = some ten pixels."""
    shapes = (
        "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
        "m-4 -4h8v8h-8z",
        "m0 -5.6l5.6 5.6l-5.6 5.6l-5.6-5.6z",
        "m0 -5l5 9h-10z",
        "m0 5l5-9h-10z",
        "m-5 -1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
    )
    if size == 1:
        return f'<path class="mark arm-{arm % 6}" d="M{x:.1f} {y:.1f}{shapes[arm % 6]}"/>'
    at = f'transform="translate({x:.1f} {y:.1f}) scale({size:g})"'
    return f'<path class="mark arm-{arm % 6}" {at} d="M0 0{shapes[arm % 6]}"/>'


def _axis(low: float, high: float, x: Scale, top: float, bottom: float, title: str) -> list[str]:
    parts = []
    for value in ticks(low, high, 6):
        kind = "chance" if abs(value - 0.5) < 1e-9 else "tick"
        parts.append(f'<path class="{kind}" d="M{x(value):.1f} {top:g}V{bottom:g}"/>')
        parts.append(_text(x(value), top - 6, f"{value:g}", "muted", "middle"))
    return [*parts, _text((x(low) + x(high)) / 2, bottom + 20, title, "muted", "middle")] if title else parts


def _range(intervals: Iterable[Interval]) -> tuple[float, float]:
    """From chance (or lower, where something lies lower) to 1."""
    found = [v for i in intervals for v in (i.value, i.low) if v is not None]
    return math.floor(min([0.5, *found]) * 20 + 1e-9) / 20, 1.0


def _padded(values: Iterable[float]) -> tuple[float, float]:
    low, high = min(values := list(values)), max(values)
    pad = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return low - pad, high + pad


def _scale(low: float, high: float, begin: float, end: float) -> Scale:
    return lambda value: begin + (value - low) / (high - low) * (end - begin)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _shorten(text: str, most: int = 34) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start", title: str = "") -> str:
    hover = f"<title>{escape(title)}</title>" if title and title != text else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}{hover}</text>'


def _svg(height: float, label: str, parts: Sequence[str], width: float = WIDTH) -> str:
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label, quote=True)}" '
        f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px">' + "".join(parts) + "</svg>"
    )
