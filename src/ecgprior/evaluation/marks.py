"""Waves of one recording as anybody marked them: a publisher, the simulator, a delineator of ours or of others.

The one form in which :mod:`~ecgprior.evaluation.delineation` and :mod:`~ecgprior.evaluation.wave_intervals` take both
truth and predictions, so that every method goes through the same scorer.

Published marks (LUDB, QTDB) are a list ``( p ) ( N ) ( t )``. Read here: opening brackets directly before a peak are
its onset, closing ones directly behind it its offset. A few places of LUDB are marked irregularly, and are taken as
they stand: a peak without a bracket has no onset (the paced beats of record 104), brackets without a peak between
them are no wave, and a peak that was marked several times in a row (a T of record 116) is one wave with the middle
of its onsets, peaks and offsets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..errors import RecordError, ShapeError
from ..record.beats import FIDUCIALS, WAVES, Delineation
from ..record.record import Record, canonical_lead

Points = NDArray[np.float64]

GLOBAL = "global"
"""Name of the row of waves over all leads."""

_GROUP = re.compile(r"(\(*)([pNt])(\2*)(\)*)")
_WAVE_OF = {"p": "P", "N": "QRS", "t": "T"}


@dataclass(frozen=True, eq=False, slots=True)
class Marks:
    """Onset, peak and offset of every wave that was marked, by lead and wave.

    Parameters
    ----------
    record : str
        Name of the recording.
    fs : float
        Rate of the samples below, Hz.
    leads : sequence of str, (L,)
        Leads that were looked at; one without a wave belongs here too.
    waves : mapping of (lead, wave) to array_like, float64, (N, 3), samples from 0
        Onset, peak, offset in the order of time; wave is P, QRS or T; NaN = this fiducial is unknown. An absent
        key = no such wave.
    spans : mapping of lead to (first, last), samples, optional
        Where the lead was looked at. By default from its first to its last fiducial.

    Raises
    ------
    ShapeError
        An array is not (N, 3), or its key is no lead of `leads` and wave.
    """

    record: str
    fs: float
    leads: tuple[str, ...]
    waves: Mapping[tuple[str, str], Points]
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        leads = tuple(canonical_lead(lead) for lead in self.leads)
        waves: dict[tuple[str, str], Points] = {}
        for (lead, wave), points in self.waves.items():
            rows = (
                np.array(points, dtype=np.float64).reshape(-1, 3) if np.size(points) == 0 else _points(points)
            )
            if canonical_lead(lead) not in leads or wave not in WAVES:
                raise ShapeError(
                    f"marks: expected a lead of {', '.join(leads)} and P, QRS or T, got {lead!r}, {wave!r}"
                )
            waves[canonical_lead(lead), wave] = rows[np.argsort(_place(rows), kind="stable")]
        spans = {lead: span for lead in leads if (span := _span(lead, waves)) is not None}
        object.__setattr__(self, "leads", leads)
        object.__setattr__(self, "waves", waves)
        object.__setattr__(self, "spans", spans | dict(self.spans))

    def of(self, lead: str, wave: str) -> Points:
        """Waves of one kind in one lead: float64 (N, 3), samples; N = 0 where there is none."""
        return self.waves.get((lead, wave), np.empty((0, 3)))

    def milliseconds(self, lead: str, wave: str, fiducial: str) -> Points:
        """Known times of one fiducial, increasing: float64 (N,), ms from the record's beginning."""
        column = self.of(lead, wave)[:, FIDUCIALS.index(fiducial)]
        return np.sort(column[~np.isnan(column)]) * (1000.0 / self.fs)

    def pick(self, leads: Iterable[str]) -> Marks:
        """The same without the other leads."""
        keep = tuple(lead for lead in map(canonical_lead, leads) if lead in self.leads)
        waves = {key: rows for key, rows in self.waves.items() if key[0] in keep}
        return Marks(self.record, self.fs, keep, waves, {k: v for k, v in self.spans.items() if k in keep})

    def table(self) -> pl.DataFrame:
        """Columns lead, wave, onset, peak, offset (float64 samples; null = unknown), one row a wave."""
        parts = [
            pl.DataFrame({"lead": [lead] * len(rows), "wave": [wave] * len(rows)}).with_columns(
                pl.Series(name, rows[:, k]) for k, name in enumerate(FIDUCIALS)
            )
            for (lead, wave), rows in self.waves.items()
            if len(rows)
        ]
        empty = pl.DataFrame(
            schema={"lead": pl.String, "wave": pl.String} | dict.fromkeys(FIDUCIALS, pl.Float64)
        )
        return pl.concat([empty, *parts]).with_columns(pl.col(FIDUCIALS).fill_nan(None))

    @classmethod
    def from_table(
        cls, record: str, fs: float, table: pl.DataFrame, leads: Sequence[str] | None = None
    ) -> Marks:
        """From a table with the columns of ``Delineation.table()``; rows of ``lead="global"`` are left out.

        Parameters
        ----------
        record, fs
            As in the class.
        table : polars.DataFrame
            ``lead``, ``wave``, ``onset``, ``peak``, ``offset`` in samples; null or NaN = unknown. Rows with three
            unknowns are no waves.
        leads : sequence of str, optional
            Leads that were looked at; by default those of the table.
        """
        table = table.filter(pl.col("lead") != GLOBAL).with_columns(
            pl.col(FIDUCIALS).cast(pl.Float64).fill_nan(None)
        )
        table = table.filter(pl.any_horizontal(pl.col(FIDUCIALS).is_not_null()))
        found = {
            (str(lead), str(wave)): rows.select(FIDUCIALS).fill_null(float("nan")).to_numpy()
            for (lead, wave), rows in table.group_by("lead", "wave", maintain_order=True)
        }
        named = table["lead"].unique(maintain_order=True).to_list() if leads is None else leads
        return cls(record, fs, tuple(named), found)

    @classmethod
    def of_delineation(cls, record: Record, delineation: Delineation) -> Marks:
        """From a delineation of `record`; its global fiducials are left out."""
        return cls.from_table(record.name, record.fs, delineation.table(), delineation.leads)

    @classmethod
    def of_annotations(cls, record: Record) -> Marks:
        """From the marks that were published with a record, each for a lead of its own.

        Raises
        ------
        RecordError
            The record carries no marks, or marks that belong to no lead.
        """
        marks = record.annotations
        if marks is None or None in marks.lead:
            raise RecordError(f"record '{record.name}': expected published marks of single leads, got none")
        of_lead = np.array(marks.lead)
        text = np.array([s if s in "()pNt" and len(s) == 1 else "?" for s in marks.symbol])
        waves: dict[tuple[str, str], Points] = {}
        spans = {}
        for lead in record.leads:
            mine = np.flatnonzero(of_lead == lead)
            if len(mine):
                sample = marks.sample[mine].astype(np.float64)
                spans[lead] = (float(sample.min()), float(sample.max()))
                waves |= {
                    (lead, wave): rows for wave, rows in _read_brackets("".join(text[mine]), sample).items()
                }
        return cls(record.name, record.fs, tuple(record.leads), waves, spans)


def _read_brackets(text: str, sample: Points) -> dict[str, Points]:
    rows: dict[str, list[list[float]]] = {wave: [] for wave in WAVES}
    for found in _GROUP.finditer(text):
        onset, peak, offset = found.span(1), (found.start(2), found.end(3)), found.span(4)
        if (
            len(range(*peak)) == 1
        ):  # brackets of a neighbour may pile up against one peak: the nearest is its own
            onset, offset = (
                (max(onset[0], onset[1] - 1), onset[1]),
                (offset[0], min(offset[1], offset[0] + 1)),
            )
        rows[_WAVE_OF[found[2]]].append([_middle(sample[a:b]) for a, b in (onset, peak, offset)])
    return {wave: np.array(points, dtype=np.float64).reshape(-1, 3) for wave, points in rows.items()}


def _middle(samples: Points) -> float:
    return float(np.median(samples)) if len(samples) else float("nan")


def _points(points: ArrayLike) -> Points:
    rows = np.array(points, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise ShapeError(f"marks: expected (N, 3) onsets, peaks and offsets, got shape {rows.shape}")
    return rows[~np.isnan(rows).all(axis=1)]


def _place(rows: Points) -> Points:
    """One known time of each wave, to order waves by: its peak, else its onset, else its offset."""
    onset, peak, offset = rows.T
    return np.where(np.isnan(peak), np.where(np.isnan(onset), offset, onset), peak)


def _span(lead: str, waves: Mapping[tuple[str, str], Points]) -> tuple[float, float] | None:
    known = [rows[~np.isnan(rows)] for (name, _), rows in waves.items() if name == lead]
    merged = np.concatenate(known) if known else np.empty(0)
    return (float(merged.min()), float(merged.max())) if len(merged) else None
