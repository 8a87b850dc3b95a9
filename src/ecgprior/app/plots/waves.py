"""A delineation on ECG paper: each wave as a highlighter's stroke under the trace, with ticks at onset and offset.

The trace stays black and whole, so the ECG is read as always. Blue, yellow and green are apart by at least 43 in
CIELAB for readers who confuse red and green, and by 19 for those who confuse blue and yellow. On a lead that runs over
the whole width there is also a lane with the waves over all leads, from which intervals are measured, and letters.

Presentation is in attributes; a page may restyle it through ``ecg-wave``, ``ecg-tick``, ``ecg-lane`` and
``data-wave="P"``, ``"QRS"``, ``"T"``.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from ...record.beats import WAVES, Delineation
from .layout import MM_PER_S, Trace
from .trace import path

COLOURS = {"P": ("#6cb6ff", "#0a5fb4"), "QRS": ("#ffc20a", "#8f6400"), "T": ("#0b8f5a", "#005c39")}
"""Of the stroke, and of its ticks and letters."""

LANE_MM = 5.0
"""Height of the lane below a trace, and where it begins below the row's lowest point."""

_STROKE_MM, _TICK_MM, _BAR_MM = 1.6, 2.6, 1.4
_LETTERS_MM, _GAP_MM = 2.6, 0.6  # height; and between one and the next


def highlight(waves: Delineation, trace: Trace, y: float, fs: float) -> tuple[str, str]:
    """Strokes that go under a panel's trace, and ticks that go over it.

    Parameters
    ----------
    waves : Delineation
        At the record's rate.
    trace : Trace
    y : float
        The panel's zero line on the paper, mm from the top.
    fs : float
        Hz.
    """
    if trace.panel.lead not in waves.leads or not len(trace.x):
        return "", ""
    lead = waves.leads.index(trace.panel.lead)
    marks = _marks(waves.points[lead], waves.lone_p[lead])
    under, over = [], []
    name = escape(trace.panel.lead, quote=True)
    for wave in WAVES:
        spans, ticks = _spans(marks[wave], trace, fs)
        light, dark = COLOURS[wave]
        strokes = "".join(_stroke(trace, y, a, b) for a, b in spans)
        lines = "".join(_tick(trace, y, x) for x in ticks)
        about = f'data-wave="{wave}" data-lead="{name}" fill="none"'
        if strokes:
            style = (
                f'stroke="{light}" stroke-width="{_STROKE_MM:g}" stroke-opacity=".7" stroke-linejoin="round"'
            )
            under.append(f'<path class="ecg-wave" {about} d="{strokes}" {style}/>')
        if lines:
            over.append(f'<path class="ecg-tick" {about} d="{lines}" stroke="{dark}" stroke-width=".25"/>')
    return "".join(under), "".join(over)


def lane(waves: Delineation, trace: Trace, top: float, fs: float) -> str:
    """The waves over all leads as bars along a panel, each kind once with its letters.

    Parameters
    ----------
    waves, trace, fs
        As for :func:`highlight`.
    top : float
        Where the lane begins, mm from the paper's top.
    """
    marks = _marks(waves.global_, waves.lone_p[-1])
    parts = [
        f'<text class="ecg-text" x="1" y="{top + down:.2f}" font-size="2.8" text-anchor="start" '
        f'fill="#1c1c22">{word}</text>'
        for word, down in (("all", 1.5), ("leads", 4.3))
    ]
    for wave in WAVES:
        spans, _ = _spans(marks[wave], trace, fs)
        if spans:
            bars = "".join(f"M{a:.2f} {top:.2f}H{b:.2f}v{_BAR_MM:g}H{a:.2f}z" for a, b in spans)
            parts.append(f'<path class="ecg-lane" data-wave="{wave}" d="{bars}" fill="{COLOURS[wave][0]}"/>')
    inside = [[len(_spans(wave[None], trace, fs)[1]) == 2 for wave in beat] for beat in waves.global_]
    shown = max(range(len(inside)), key=lambda k: (sum(inside[k]), -k), default=None)
    free = 0.0  # where the letters before end
    for number, wave in enumerate(WAVES):  # letters once, on the first beat of which most is on the panel
        if shown is not None and inside[shown][number]:
            ((left, right),), _ = _spans(waves.global_[shown, number][None], trace, fs)
            width = 0.75 * _LETTERS_MM * len(wave)
            x = max((left + right - width) / 2, free)
            free = x + width + _GAP_MM
            parts.append(
                f'<text class="ecg-text" x="{x:.2f}" y="{top + 4.3:.2f}" font-size="{_LETTERS_MM:g}" '
                f'text-anchor="start" font-weight="600" fill="{COLOURS[wave][1]}">{wave}</text>'
            )
    return "".join(parts)


def legend(x: float, y: float) -> str:
    """Which colour is which wave, ending at `x`."""
    parts = []
    for wave, (light, _) in reversed(COLOURS.items()):
        width = 1.7 * len(wave) + 1.5
        x -= width
        parts.append(
            f'<text class="ecg-text" x="{x + 0.8:g}" y="{y:g}" font-size="3.2" text-anchor="start" '
            f'fill="#1c1c22">{wave}</text>'
        )
        x -= 5.0
        parts.append(
            f'<path class="ecg-wave" data-wave="{wave}" d="M{x:g} {y - 1.1:g}h5" fill="none" stroke="{light}" '
            f'stroke-width="{_STROKE_MM:g}" stroke-opacity=".7"/>'
        )
        x -= 2.5
    return "".join(parts)


def _marks(points: NDArray[np.float64], lone: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Onset, peak and offset of each wave that is there, (n, 3)."""
    found = {wave: points[:, number] for number, wave in enumerate(WAVES)}
    found["P"] = np.concatenate([found["P"], lone])
    return {wave: marks[np.isfinite(marks).any(axis=1)] for wave, marks in found.items()}


def _spans(
    marks: NDArray[np.float64], trace: Trace, fs: float
) -> tuple[list[tuple[float, float]], list[float]]:
    """Where each wave runs on the paper, cut to the panel, and its boundaries that lie in it, in mm from the left."""
    panel = trace.panel
    x = panel.x_mm + (marks / fs - panel.start_s) * MM_PER_S
    onset, peak, offset = x.T
    first = np.where(np.isfinite(onset), onset, np.fmin(peak, offset))
    last = np.where(np.isfinite(offset), offset, np.fmax(peak, onset))
    left, right = panel.x_mm, panel.x_mm + (panel.stop_s - panel.start_s) * MM_PER_S
    if len(trace.x):
        right = min(right, float(trace.x[-1]))
    inside = (last > left) & (first < right) & (last > first)
    spans = [(float(max(a, left)), float(min(b, right))) for a, b in zip(first[inside], last[inside])]
    edges = np.concatenate([onset[inside], offset[inside]])
    return spans, sorted(edges[(edges >= left) & (edges <= right)].tolist())


def _stroke(trace: Trace, y: float, a: float, b: float) -> str:
    """The trace from `a` to `b`, its ends exactly there."""
    within = (trace.x > a) & (trace.x < b)
    x = np.concatenate([[a], trace.x[within], [b]])
    return path(x, y - np.concatenate([[_height(trace, a)], trace.y[within], [_height(trace, b)]]))


def _tick(trace: Trace, y: float, x: float) -> str:
    height = _height(trace, x)
    if not np.isfinite(height):
        return ""
    return f"M{x:.2f} {y - height - _TICK_MM / 2:.2f}v{_TICK_MM:g}"


def _height(trace: Trace, x: float) -> float:
    """The trace's height at a place between two samples; NaN in a gap."""
    right = int(np.clip(np.searchsorted(trace.x, x), 1, max(1, len(trace.x) - 1)))
    if len(trace.x) < 2:
        return float(trace.y[0])
    share = (x - trace.x[right - 1]) / (trace.x[right] - trace.x[right - 1])
    return float(trace.y[right - 1] + share * (trace.y[right] - trace.y[right - 1]))
