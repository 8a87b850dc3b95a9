"""Which lead lies where on the paper, and its samples in millimetres."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...record.record import LEADS, Record

MM_PER_S = 25.0
MM_PER_MV = 10.0
LIMIT_MV = 5.0
"""A trace that goes further from its median is cut there, and the drawing says so."""
LEFT_MM = 10.0
"""Room for the calibration pulse before each row."""

_COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
_STRIP_S, _MOST_STRIPS = 10.0, 6
_LABEL_MM = 8.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One stretch of one lead on the paper.

    Attributes
    ----------
    lead : str
    row : int
        From the top.
    x_mm : float
        Where it begins, from the paper's left edge.
    start_s, stop_s : float
        Its time in the record.
    note : str
        When it begins, where the place on the paper does not tell.
    """

    lead: str
    row: int
    x_mm: float
    start_s: float
    stop_s: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A panel's samples in millimetres: `y` upwards from the lead's median, NaN where not recorded."""

    panel: Panel
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    cut: bool

    @property
    def up(self) -> float:
        """How far it goes above its median; 0 when nothing was recorded."""
        return float(np.nanmax(self.y, initial=0.0))

    @property
    def down(self) -> float:
        """How far it goes below its median."""
        return float(-np.nanmin(self.y, initial=0.0))

    @property
    def under_label(self) -> float:
        """How far it goes up where the lead's name stands."""
        return float(np.nanmax(self.y[self.x < self.panel.x_mm + _LABEL_MM], initial=0.0))


def absent_leads(record: Record) -> tuple[str, ...]:
    """The standard leads that a record does not name or of which it holds no sample."""
    there = {lead for lead, row in zip(record.leads, record.signal) if np.isfinite(row).any()}
    return tuple(lead for lead in LEADS if lead not in there)


def three_by_four(record: Record, start_s: float, seconds: float, rhythm: str) -> list[Panel]:
    """Three rows of four columns, `seconds` in all; a rhythm strip; a strip for each further lead."""
    column_s, end = seconds / 4, record.seconds
    panels = []
    for column, names in enumerate(_COLUMNS):  # a record too short for four columns repeats its last stretch
        regular = start_s + column * column_s
        begin = min(regular, max(start_s, end - column_s))
        x, note = LEFT_MM + column * column_s * MM_PER_S, "" if begin == regular else f" from {begin:.3g} s"
        panels += [Panel(name, row, x, begin, begin + column_s, note) for row, name in enumerate(names)]
    absent = absent_leads(record)
    present = [lead for lead in (rhythm, *LEADS) if lead in record.leads and lead not in absent]
    below = [*present[:1], *(lead for lead in record.leads if lead not in LEADS)]
    return panels + [Panel(name, 3 + i, LEFT_MM, start_s, start_s + seconds) for i, name in enumerate(below)]


def strips(record: Record, start_s: float, seconds: float | None) -> list[Panel]:
    """Every lead over the whole width, ten seconds a line; without `seconds`, about six lines in all."""
    shown = min(seconds or math.inf, record.seconds - start_s)
    if seconds is None:
        shown = min(shown, _STRIP_S * max(1, _MOST_STRIPS // len(record.leads)))
    lines = max(1, math.ceil(shown / _STRIP_S - 1e-9))
    spans = [(start_s + i * _STRIP_S, start_s + min(shown, (i + 1) * _STRIP_S)) for i in range(lines)]
    return [
        Panel(lead, line * len(record.leads) + i, LEFT_MM, *span, f" from {span[0]:g} s" if line else "")
        for line, span in enumerate(spans)
        for i, lead in enumerate(record.leads)
    ]


def levels(record: Record, start_s: float, stop_s: float) -> dict[str, float]:
    """Each lead's median over the time that is shown, in mV; 0 where nothing was recorded."""
    shown = record.signal[:, round(start_s * record.fs) : max(1, round(stop_s * record.fs))]
    finite = [row[np.isfinite(row)] for row in shown]
    return {lead: float(np.median(row)) if len(row) else 0.0 for lead, row in zip(record.leads, finite)}


def trace(record: Record, panel: Panel, level: dict[str, float]) -> Trace:
    """A panel's samples on paper, about the lead's level; nothing where the record has no such lead."""
    if panel.lead not in record.leads:
        return Trace(panel, np.empty(0), np.empty(0), False)
    first, stop = (round(t * record.fs) for t in (panel.start_s, panel.stop_s))
    y = record.lead(panel.lead)[first:stop].astype(np.float64) - level[panel.lead]
    y[~np.isfinite(y)] = np.nan
    x = panel.x_mm + (np.arange(first, first + len(y)) / record.fs - panel.start_s) * MM_PER_S
    cut = bool(np.nanmax(np.abs(y), initial=0.0) > LIMIT_MV)
    return Trace(panel, x, np.clip(y, -LIMIT_MV, LIMIT_MV) * MM_PER_MV, cut)


def baselines(
    traces: list[Trace], below: Mapping[int, float] | None = None
) -> tuple[list[float], list[float], float]:
    """Each row's zero line, the height of its lead names above it, and the paper's height; all on the grid.

    `below` says how many millimetres a row needs under its traces for something else.
    """
    baselines: list[float] = []
    names: list[float] = []
    bottom = 0.0
    for row in range(1 + max(t.panel.row for t in traces)):
        members = [t for t in traces if t.panel.row == row]
        label = max(4.0, *(t.under_label + 1.5 for t in members), 0.0)
        up = max(13.0, label + 4.0, *(t.up + 2.0 for t in members))
        more = (below or {}).get(row, 0.0)
        down = max(9.0, *(t.down + 2.0 + more for t in members))
        baselines.append(5 * math.ceil((bottom + up) / 5))
        names.append(label)
        bottom = baselines[-1] + down
    return baselines, names, 5 * math.ceil(bottom / 5)
