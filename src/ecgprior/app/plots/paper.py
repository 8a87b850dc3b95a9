"""ECG paper: the only place that draws an ECG. 25 mm/s and 10 mm/mV, as every cardiologist reads it.

The drawing is SVG whose user unit is one millimetre, and its width is given in ``mm``: printed without
scaling, a ruler on the page measures true time and voltage. Twelve standard leads come as three rows of four
columns and a rhythm strip; further leads follow as strips of their own; a record of one or two leads comes as
strips. Each lead is drawn about its own median (paper shows voltages, not baselines). What is absent is said.

Presentation is in attributes, so that the file stands alone; a page may restyle it through the classes
``ecg-paper``, ``ecg-minor``, ``ecg-major``, ``ecg-trace``, ``ecg-pulse``, ``ecg-lead`` and ``ecg-text``; waves
found in the ECG are drawn by :mod:`~ecgprior.app.plots.waves`.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any, Literal

import numpy as np

from ...errors import RecordError, RecordTooShort
from ...record.beats import Delineation
from ...record.record import LEADS, Record
from . import layout as place
from .layout import LIMIT_MV, MM_PER_MV, MM_PER_S, Trace
from .trace import path
from .waves import LANE_MM, highlight, lane, legend

_RIGHT, _HEAD, _NOTE, _FOOT = 5.0, 9.0, 5.0, 7.0
_FONT = "font-family=\"'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\""


def plot_ecg(
    record: Any,
    *,
    fs: float | None = None,
    leads: tuple[str, ...] | None = None,
    unit: str | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    layout: Literal["auto", "3x4", "strips"] = "auto",
    rhythm: str = "II",
    title: str | None = None,
    filter_text: str = "as recorded, no filter",
    waves: Delineation | None = None,
    note: str = "",
) -> str:
    """Draw an ECG on paper, true to scale.

    Parameters
    ----------
    record : Record, path or array_like (lead, time)
        An array needs `fs`, and `leads` unless it has the twelve.
    fs, leads, unit
        Declared for a file or an array that does not carry them.
    start_s : float
        First second that is shown.
    seconds : float, optional
        How long: 10 s by default (a quarter of it a column); strips go on over up to six lines.
    layout : {"auto", "3x4", "strips"}
        ``"auto"``: 3 × 4 and a rhythm strip where at least three standard leads are named, else strips.
    rhythm : str
        Lead of the rhythm strip; the first present one where it is absent.
    title : str, optional
        Default: the record's name.
    filter_text : str
        What was done to the signal, printed in the footer.
    waves : Delineation, optional
        Found in this record: its waves are highlighted in each lead, those over all leads in a lane below the rhythm.
    note : str
        A second line of the head: rate and intervals, say.

    Returns
    -------
    str
        An SVG document, user unit 1 mm.

    Raises
    ------
    RecordTooShort
        `start_s` lies at or behind the record's end.
    RecordError
        `start_s` is negative or `seconds` is not above 0.
    """
    if not isinstance(record, Record):
        from ...record.read import to_record

        record = to_record(record, fs=fs, leads=leads, unit=unit)
    if not start_s >= 0 or (seconds is not None and not seconds > 0):
        raise RecordError(f"window: expected start_s >= 0 and seconds > 0, got {start_s} and {seconds}")
    if start_s >= record.seconds:
        raise RecordTooShort(f"start_s {start_s:g}: expected less than the record's {record.seconds:g} s")
    standard = [lead for lead in LEADS if lead in record.leads]
    if layout == "auto":
        layout = "3x4" if len(standard) >= 3 else "strips"
    if layout == "3x4":
        panels = place.three_by_four(record, start_s, seconds or 10.0, rhythm)
    else:
        panels = place.strips(record, start_s, seconds)
    level = place.levels(record, min(p.start_s for p in panels), max(p.stop_s for p in panels))
    traces = [place.trace(record, panel, level) for panel in panels]
    return _draw(record, traces, title if title is not None else record.name, filter_text, waves, note)


def _draw(
    record: Record, traces: list[Trace], title: str, filter_text: str, waves: Delineation | None, note: str
) -> str:
    found = waves is not None and len(waves) + waves.lone_p.shape[1] > 0
    lanes = _lanes(traces) if found else []
    baselines, names, height = place.baselines(traces, {trace.panel.row: LANE_MM for trace in lanes})
    ends = [t.panel.x_mm + (t.panel.stop_s - t.panel.start_s) * MM_PER_S for t in traces]
    least = 160.0 if found and note else 135.0  # the note and the legend share a line
    width = 5 * math.ceil((max(*ends, least) + _RIGHT) / 5)
    parts = [_grid(width, height)]
    for row, y in enumerate(baselines):
        members = [t for t in traces if t.panel.row == row]
        parts.append(f'<path class="ecg-pulse" d="M2 {y:g}h1v-10h5v10h1" {_STROKE}/>')
        for i, trace in enumerate(members):
            drawn = _panel(record, trace, y, names[row], ends[traces.index(trace)], divider=i > 0)
            under, over = highlight(waves, trace, y, record.fs) if waves is not None else ("", "")
            parts += [under, drawn, over]
            if waves is not None and trace in lanes:
                parts.append(lane(waves, trace, y + max(t.down for t in members) + 2.0, record.fs))
    start, stop = min(t.panel.start_s for t in traces), max(t.panel.stop_s for t in traces)
    shown = f"{start:g}–{min(stop, record.seconds):.4g} s of {record.seconds:.4g} s"
    head = _HEAD + (_NOTE if note or waves is not None else 0.0)
    parts += [_text(2, 6 - head, title, 4, "start", bold=True), _text(width - 2, 6 - head, _who(record), 3.2, "end")]
    parts += [_text(2, -3, note, 3.4, "start"), legend(width - 2, -3) if found else ""]
    if waves is not None and not found:
        parts.append(_text(width - 2, -3, "no beats found", 3.2, "end"))
    footer = f"{MM_PER_S:g} mm/s · {MM_PER_MV:g} mm/mV · {record.fs:g} Hz · {filter_text}"
    parts += [_text(2, height + 4.6, footer, 3.2, "start"), _text(width - 2, height + 4.6, shown, 3.2, "end")]
    total = height + head + _FOOT
    label = escape(f"ECG {title}: leads {', '.join(record.leads)}; {shown}; {footer}", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ecg" role="img" aria-label="{label}" '
        f'width="{width:g}mm" height="{total:g}mm" viewBox="0 {-head:g} {width:g} {total:g}" {_FONT}>'
        + "".join(parts)
        + "</svg>"
    )


_STROKE = 'fill="none" stroke="#1c1c22" stroke-width=".3" stroke-linecap="round" stroke-linejoin="round"'


def _lanes(traces: list[Trace]) -> list[Trace]:
    """The panels that get a lane: the rhythm strips, or the last lead of each line of strips."""
    wide = [t for t in traces if t.panel.x_mm == place.LEFT_MM]
    rhythm = [t for t in wide if t.panel.stop_s - t.panel.start_s > 0.5 * _longest(traces)]
    last = {(t.panel.start_s, t.panel.stop_s): t for t in rhythm}
    return list(last.values())


def _longest(traces: list[Trace]) -> float:
    return max(t.panel.stop_s - t.panel.start_s for t in traces)


def _grid(width: float, height: float) -> str:
    """Paper with a line every millimetre and a stronger one every five: 0.04 s and 0.2 s, 0.1 and 0.5 mV."""
    lines = {1: "", 5: ""}
    for x in range(int(width) + 1):
        lines[5 if x % 5 == 0 else 1] += f"M{x} 0v{height:g}"
    for y in range(int(height) + 1):
        lines[5 if y % 5 == 0 else 1] += f"M0 {y}h{width:g}"
    return (
        f'<rect class="ecg-paper" width="{width:g}" height="{height:g}" fill="#fff8f6"/>'
        f'<path class="ecg-minor" d="{lines[1]}" fill="none" stroke="#f6d3cf" stroke-width=".1"/>'
        f'<path class="ecg-major" d="{lines[5]}" fill="none" stroke="#e9a49d" stroke-width=".18"/>'
    )


def _panel(record: Record, trace: Trace, y: float, name_mm: float, end: float, *, divider: bool) -> str:
    panel = trace.panel
    drawn = path(trace.x, y - trace.y)
    parts = []
    if divider:
        parts.append(f'<path class="ecg-pulse" d="M{panel.x_mm:g} {y - 2:g}v4" {_STROKE}/>')
    name = panel.lead + panel.note
    if drawn:
        parts.append(
            f'<path class="ecg-trace" data-lead="{escape(panel.lead, quote=True)}" d="{drawn}" {_STROKE}/>'
        )
        name += f" (cut at ±{LIMIT_MV:g} mV)" if trace.cut else ""
    else:
        there = panel.lead in record.leads and np.isfinite(record.lead(panel.lead)).any()
        name = f"{panel.lead} {'not recorded here' if there else 'absent'}"
        stroke = 'stroke="#8a6a66" stroke-width=".2" stroke-dasharray="1 1.5"'
        parts.append(
            f'<path class="ecg-absent" d="M{panel.x_mm + 2:g} {y:g}H{end - 2:g}" fill="none" {stroke}/>'
        )
    parts.append(_text(panel.x_mm + 1.2, y - name_mm, name, 3.4, "start", bold=True, kind="ecg-lead"))
    return "".join(parts)


def _who(record: Record) -> str:
    patient = record.patient
    age = (
        f"{math.floor(patient.age)} years" if patient.age is not None and math.isfinite(patient.age) else None
    )
    return ", ".join(part for part in (patient.sex, age) if part)


def _text(
    x: float, y: float, text: str, size: float, anchor: str, *, bold: bool = False, kind: str = "ecg-text"
) -> str:
    if not text:
        return ""
    weight = ' font-weight="600"' if bold else ""
    halo = ' paint-order="stroke" stroke="#fff8f6" stroke-width=".8"' if kind == "ecg-lead" else ""
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"{weight}{halo} '
        f'fill="#1c1c22">{escape(text)}</text>'
    )
