"""Charts of a comparison of many arms: differences with their intervals, and scores over what changes.

As in :mod:`.charts`, colours and fonts come from the page, and an arm with a colour has a shape of its own too. Arms
without a colour are thin grey lines that say their name when pointed at; their figures stand in the table beside.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from html import escape

from ..report.content import Arm, Contrast, Contrasts, Series, SeriesChart
from ..report.words import difference, number, p_value, spread
from .charts import WIDTH, Scale, _scale, _shape, _shorten, _svg, _text, ticks

_ALPHA = 0.05


def contrast_chart(found: Contrasts) -> str:
    """A forest of differences from zero: the contrast named beforehand on top, the others by size below.

    A filled mark says that p – adjusted, where it is – is below 0.05, a hollow one that it is not.
    """
    lines = [*([found.primary] if found.primary else []), *found.others]
    if not lines:
        return ""
    left, right, top = 236.0, 300.0, 50.0
    ends = [v for line in lines for v in (line.value.low, line.value.high, line.value.value) if v is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    pad = 0.04 * (high - low) or 0.01
    x = _scale(low - pad, high + pad, left, WIDTH - right)
    parts = [
        _text(0, top - 30, f"{found.default} against", "muted"),
        _text(WIDTH - 118, top - 30, "difference (95 % interval)", "muted", "end"),
        _text(WIDTH - 60, top - 30, "p", "muted", "end"),
        _text(WIDTH, top - 30, "adjusted", "muted", "end"),
    ]
    y = top
    for line in lines:
        first, row = line is found.primary, 34.0 if line.text else 25.0
        if first:
            parts.append(
                f'<rect class="band" x="0" y="{y - 5:g}" width="{WIDTH}" height="{row + 4:g}" rx="4"/>'
            )
        parts += _contrast(line, x, y, first)
        y += row + (14 if first else 0)
    axis = [f'<path class="chance" d="M{x(0):.1f} {top - 16:g}V{y:g}"/>']
    for value in ticks(low - pad, high + pad, 5):
        axis.append(f'<path class="tick" d="M{x(value):.1f} {y - 4:g}V{y:g}"/>')
        axis.append(_text(x(value), y + 13, _signed_tick(value), "muted", "middle"))
    axis.append(_text((left + WIDTH - right) / 2, y + 31, f"difference in {found.score}", "muted", "middle"))
    if x(0) - left > 70:
        axis.append(_text(x(0) - 8, top - 18, "◂ the other is better", "muted", "end"))
    if WIDTH - right - x(0) > 70:
        axis.append(_text(x(0) + 8, top - 18, f"{_shorten(found.default, 20)} is better ▸", "muted"))
    return _svg(
        y + 38, f"{found.default} against every other arm: difference in {found.score}", [*parts, *axis]
    )


def _contrast(line: Contrast, x: Scale, y: float, first: bool) -> list[str]:
    p = line.p if line.p_adjusted is None else line.p_adjusted
    said = "filled" if p is not None and p < _ALPHA else "hollow"
    inset = 10 if first else 0
    middle = y + (12 if line.text else 8)
    parts = [_text(inset, y + 12, _shorten(line.against, 32), "label", title=line.against)]
    if line.text:
        parts.append(_text(inset, y + 26, _shorten(line.text, 40), "muted", title=line.text))
    value = line.value
    if value.value is not None:
        parts.append(f"<g><title>{escape(line.against)}: {difference(value)}</title>")
        if value.low is not None and value.high is not None:
            parts.append(f'<path class="gap" d="M{x(value.low):.1f} {middle:g}H{x(value.high):.1f}"/>')
        size = "m0 -7l7 7l-7 7l-7-7z" if first else "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z"
        parts.append(f'<path class="gap-mark {said}" d="M{x(value.value):.1f} {middle:g}{size}"/></g>')
    figures = [(118, difference(value)), (60, p_value(line.p)), (0, p_value(line.p_adjusted))]
    parts += [
        _text(WIDTH - from_right - inset * (from_right == 0), middle + 4, text, "figure", "end")
        for from_right, text in figures
    ]
    return parts


def series_chart(
    chart: SeriesChart, arms: Sequence[Arm], names: Sequence[Arm] = (), *, wide: bool = False, beside: Sequence[SeriesChart] = ()
) -> str:  # fmt: skip
    """Scores over what changes: a line an arm, a band its interval.

    Parameters
    ----------
    chart : SeriesChart
    arms : sequence of Arm
        Those with a colour, in the order of the colours.
    names : sequence of Arm
        All arms, for what a grey line says when pointed at.
    wide : bool
        True = as wide as the page, with names at the lines' ends; False = one of three side by side.
    beside : sequence of SeriesChart
        Charts whose vertical axis this one shares.
    """
    width, height = (float(WIDTH), 380.0) if wide else (330.0, 250.0)
    left, right, top, bottom = 40.0, 226.0 if wide else 8.0, 16.0, 46.0
    order = {arm.name: i for i, arm in enumerate(arms)}
    found = [s for s in chart.series if any(v.value is not None for v in s.values)]
    if not found:
        return ""
    y_low, y_high = _heights([chart, *beside], order)
    places = [place for place, _ in chart.ticks]
    x = _scale(
        min(places),
        max(places) if max(places) > min(places) else min(places) + 1,
        left + 12,
        width - right - 12,
    )
    y = _scale(y_low, y_high, height - bottom, top)
    parts: list[str] = []
    said: list[str] = []
    for value in ticks(y_low, y_high, 5):
        parts.append(f'<path class="tick" d="M{left:g} {y(value):.1f}H{width - right:g}"/>')
        parts.append(_text(left - 7, y(value) + 4, f"{value:.2f}", "muted", "end"))
    for place, text in chart.ticks:
        parts.append(_text(x(place), height - bottom + 18, text, "muted", "middle"))
    parts.append(_text((left + width - right) / 2, height - 8, chart.x_label, "muted", "middle"))
    if chart.level is not None and y_low <= chart.level[0] <= y_high:
        at = y(chart.level[0])
        parts.append(f'<path class="chance" d="M{left:g} {at:.1f}H{width - right:g}"/>')
        said = [_text(left + 6, at - 6, chart.level[1], "muted over")]
    titles = {arm.name: arm.title for arm in [*arms, *names]}
    clip = [s for s in found if s.arm not in order]
    drawn = [*clip, *sorted((s for s in found if s.arm in order), key=lambda s: -order[s.arm])]
    for series in drawn:
        parts += _course(series, places, x, y, order.get(series.arm), titles, floor=y_low)
    parts += said
    if wide:
        parts += _end_names(
            [s for s in drawn if s.arm in order], order, titles, y, width - right + 12, (top, height - bottom)
        )
    return _svg(height, f"{chart.title}: {chart.y_label} over {chart.x_label}", parts, width)


def _heights(charts: Sequence[SeriesChart], coloured: Container[str]) -> tuple[float, float]:
    """The axis, to the next twentieth: what the coloured lines need, with the bands that are drawn."""
    series = [s for chart in charts for s in chart.series]
    series = [s for s in series if s.arm in coloured] or series
    spreads = [((i.value, i.low, i.high) if s.band else (i.value,)) for s in series for i in s.values]
    values = [v for ends in spreads for v in ends if v is not None]
    values += [chart.level[0] for chart in charts if chart.level is not None]
    return math.floor(min(values) * 20 - 0.1) / 20, math.ceil(max(values) * 20 + 0.1) / 20


def _course(
    series: Series, places: Sequence[float], x: Scale, y: Scale, colour: int | None, titles: dict[str, str], *,
    floor: float,
) -> list[str]:  # fmt: skip
    known = [(place, v) for place, v in zip(places, series.values) if v.value is not None]
    line = "L".join(f"{x(place):.1f} {y(max(v.value or 0.0, floor)):.1f}" for place, v in known)
    title = titles.get(series.arm, series.arm)
    if colour is None:
        return (
            [f'<path class="line others" d="M{line}"><title>{escape(title)}</title></path>']
            if len(known) > 1
            else []
        )
    parts = []
    spread_ = [(place, v.low, v.high) for place, v in known if v.low is not None and v.high is not None]
    if series.band and len(spread_) > 1:
        upper = [f"{x(place):.1f} {y(high):.1f}" for place, _, high in spread_]
        lower = [f"{x(place):.1f} {y(low):.1f}" for place, low, _ in reversed(spread_)]
        parts.append(f'<path class="area arm-{colour}" d="M{"L".join([*upper, *lower])}z"/>')
    parts.append(f'<path class="line arm-{colour}" d="M{line}"><title>{escape(title)}</title></path>')
    for place, v in known:
        said = f"{title}: {spread(v)}"
        parts.append(f"<g><title>{escape(said)}</title>{_shape(x(place), y(v.value or 0.0), colour)}</g>")
    return parts


def _end_names(
    series: Sequence[Series], order: dict[str, int], titles: dict[str, str], y: Scale, x: float, ends: tuple[float, float]
) -> list[str]:  # fmt: skip
    """Each line's name beside its last point, moved apart where two would lie on each other."""
    last = {s.arm: next(v.value for v in reversed(s.values) if v.value is not None) for s in series}
    names = sorted(last, key=lambda arm: -(last[arm] or 0.0))
    places: list[float] = []
    for arm in names:
        wanted = y(last[arm] or 0.0)
        places.append(max(wanted, places[-1] + 17) if places else max(wanted, ends[0] + 4))
    if places and places[-1] > ends[1]:  # push up from below
        limit = ends[1]
        for i in range(len(places) - 1, -1, -1):
            places[i] = min(places[i], limit)
            limit = places[i] - 17
    parts = []
    for arm, place in zip(names, places):
        text = f"{_shorten(titles.get(arm, arm), 26)} {number(last[arm])}"
        parts += [_shape(x, place, order[arm]), _text(x + 10, place + 4, text, "figure")]
    return parts


def _signed_tick(value: float) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:+g}".replace("-", "−")
