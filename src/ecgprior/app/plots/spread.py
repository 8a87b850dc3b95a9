"""How a score from 0 to 1 is spread over records: a histogram that takes its colours from the page around it."""

from __future__ import annotations

from ..report.content import Census
from .charts import WIDTH, _svg, _text, ticks


def spread_chart(census: Census) -> str:
    """Bars of counts from 0 to 1; those below the cut are of one kind, those above of the other.

    Bars are drawn by the square root of the count, so that a handful beside thousands can be seen; the count stands
    over each.
    """
    if not any(census.counts):
        return ""
    left, right, top, floor = 14.0, 14.0, 40.0, 190.0
    n = len(census.counts)
    width = (WIDTH - left - right) / n
    most = max(census.counts) ** 0.5
    parts = []
    for number, count in enumerate(census.counts):
        x = left + number * width
        height = (floor - top) * count**0.5 / most
        kind = "good" if (number + 0.5) / n >= census.cut else "bad"
        said = f"{number / n:.2f} to {(number + 1) / n:.2f}: {count:,}"
        if count:
            parts.append(
                f'<rect class="bin share-{kind}" x="{x + 1:.1f}" y="{floor - height:.1f}" width="{width - 2:.1f}" '
                f'height="{height:.1f}"><title>{said}</title></rect>'
            )
            parts.append(_text(x + width / 2, floor - height - 5, f"{count:,}", "muted", "middle"))
    at = left + census.cut * (WIDTH - left - right)
    parts.append(f'<path class="chance" d="M{at:.1f} {top - 12:g}V{floor:g}"/>')
    parts.append(_text(at - 8, top - 16, census.low_text, "muted", "end"))
    parts.append(_text(at + 8, top - 16, census.high_text, "muted"))
    parts.append(f'<path class="tick" d="M{left:g} {floor:g}H{WIDTH - right:g}"/>')
    for value in ticks(0, 1, 5):
        parts.append(
            _text(left + value * (WIDTH - left - right), floor + 17, f"{value:g}", "muted", "middle")
        )
    parts.append(_text(WIDTH / 2, floor + 34, "score (height = square root of the count)", "muted", "middle"))
    return _svg(floor + 42, f"{census.title}: {sum(census.counts):,} records by score", parts)
