"""Clinical intervals over all leads, found against marked: P, PQ, QRS and QT.

LUDB marks every lead by itself. A wave over all leads is made of the waves of single leads that overlap in time, at
least three of them: its onset is the second-earliest, its offset the second-latest (one lead alone does not decide),
its peak the middle one. The same rule turns another method's leads into global waves; a method that gives global
fiducials is taken at its word.

**Source** the idea that one lead alone does not decide: Laguna et al. 1994, doi 10.1006/cbmr.1994.1006 (there by
neighbours within a time, here by rank). Limits to compare with: IEC 60601-2-25, mean ± SD of P ±10 ± 15, PQ ±10 ± 10,
QRS ±10 ± 10, QT ±25 ± 30 ms. The standard measures ECGs of its own, once each; here every beat counts and nothing is
left out, and the medians of recordings stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..record.beats import FIDUCIALS, WAVES
from .marks import GLOBAL, Marks
from .matching import match

Points = NDArray[np.float64]

INTERVALS = {
    "P": (("P", "onset"), ("P", "offset")),
    "PQ": (("P", "onset"), ("QRS", "onset")),
    "QRS": (("QRS", "onset"), ("QRS", "offset")),
    "QT": (("QRS", "onset"), ("T", "offset")),
}
"""Name → from which fiducial to which."""

LIMIT_MS = {"P": (10, 15), "PQ": (10, 10), "QRS": (10, 10), "QT": (25, 30)}
"""Mean and SD that IEC 60601-2-25 allows."""

MIN_LEADS = 3
_LONGEST_PQ_MS = 600.0
_SAME_BEAT_MS = 150.0


def global_waves(marks: Marks) -> dict[str, Points]:
    """Waves over all leads from those of single leads: P, QRS and T → float64 (N, 3), ms."""
    return {wave: _overlapping(marks, wave) for wave in WAVES}


def _overlapping(marks: Marks, wave: str) -> Points:
    rows = [(k, *row) for k, lead in enumerate(marks.leads) for row in marks.of(lead, wave)]
    known = np.array([row for row in rows if not np.isnan(row).any()]).reshape(-1, 4)
    known = known[np.argsort(known[:, 1], kind="stable")]
    if not len(known):
        return np.empty((0, 3))
    reach = np.maximum.accumulate(known[:, 3])
    group = np.concatenate([[0], np.cumsum(known[1:, 1] > reach[:-1])])
    made = []
    for g in range(group[-1] + 1):
        mine = known[group == g]
        leads = np.unique(mine[:, 0])
        if len(leads) >= MIN_LEADS:
            onset = sorted(mine[mine[:, 0] == lead, 1].min() for lead in leads)
            offset = sorted(mine[mine[:, 0] == lead, 3].max() for lead in leads)
            made.append([onset[1], float(np.median(mine[:, 2])), offset[-2]])
    return np.array(made).reshape(-1, 3) * (1000.0 / marks.fs)


def beats_of(waves: dict[str, Points]) -> Points:
    """Global waves as beats: float64 (K, 3, 3) as ``Delineation.global_``, ms.

    A P belongs to the next QRS when no other QRS and no other P lies between and its onset is at most 600 ms ahead;
    a T to the QRS before it when no other QRS and no other T lies between.
    """
    qrs, p, t = waves["QRS"], waves["P"], waves["T"]
    beats = np.full((len(qrs), 3, 3), np.nan)
    beats[:, 1] = qrs
    for k in range(len(qrs)):
        onset = qrs[k, 0]
        before, after = qrs[k - 1, 0] if k else -np.inf, qrs[k + 1, 0] if k + 1 < len(qrs) else np.inf
        mine = p[(p[:, 0] > max(before, onset - _LONGEST_PQ_MS)) & (p[:, 0] < onset)]
        if len(mine):
            beats[k, 0] = mine[-1]
        mine = t[(t[:, 1] > qrs[k, 1]) & (t[:, 1] < after)]
        if len(mine):
            beats[k, 2] = mine[0]
    return beats


def beats_of_table(table: pl.DataFrame, fs: float) -> Points:
    """The rows of ``lead="global"`` of a ``Delineation.table()`` as beats: float64 (K, 3, 3), ms; no lone P."""
    rows = table.filter((pl.col("lead") == GLOBAL) & pl.col("beat").is_not_null())
    beats = np.full((int(rows["beat"].max()) + 1 if len(rows) else 0, 3, 3), np.nan)  # type: ignore[arg-type]
    wave = np.array([WAVES.index(w) for w in rows["wave"]], dtype=np.intp)
    values = rows.select(pl.col(FIDUCIALS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    beats[rows["beat"].to_numpy(), wave] = values * (1000.0 / fs)
    return beats


def compare_intervals(
    record: str, truth: Points, found: Points, span: tuple[float, float] | None = None
) -> pl.DataFrame:
    """Intervals of the beats of one recording, marked and found.

    Parameters
    ----------
    record : str
    truth, found : ndarray, float64, (K, 3, 3) and (M, 3, 3), ms
        As ``Delineation.global_``; NaN = absent. Beats are paired by their QRS onsets, within 150 ms.
    span : (first, last), ms, optional
        Where the recording was marked: a found interval that reaches beyond it, in a beat of `truth` that has none,
        is left out. None = everywhere.

    Returns
    -------
    polars.DataFrame
        ``record``, ``interval``, ``truth_ms``, ``found_ms``: one row a beat and interval of `truth`; a null ``found_ms``
        = not found, a null ``truth_ms`` = found in a beat that has none.
    """
    marked_at, marked_beat = _sorted_onsets(truth)
    found_at, found_beat = _sorted_onsets(found)
    pairs = match(marked_at, found_at, _SAME_BEAT_MS)
    partner = np.full(len(truth), -1)
    partner[marked_beat[pairs[:, 0]]] = found_beat[pairs[:, 1]]
    parts = []
    for name, (start, end) in INTERVALS.items():
        marked, length = _length(truth, start, end), _length(found, start, end)
        if span is not None:
            beyond = (_at(found, start) < span[0]) | (_at(found, end) > span[1])
            beyond = np.append(beyond, False)[partner] & np.isnan(marked)
        else:
            beyond = np.zeros(len(truth), dtype=bool)
        there = np.where(beyond, np.nan, np.append(length, np.nan)[partner])  # no partner: the last, NaN
        parts.append(
            pl.DataFrame({"record": record, "interval": name, "truth_ms": marked, "found_ms": there})
        )
    rows = pl.concat(parts).with_columns(pl.col("truth_ms", "found_ms").fill_nan(None))
    return rows.filter(pl.any_horizontal(pl.col("truth_ms", "found_ms").is_not_null()))


def _sorted_onsets(beats: Points) -> tuple[Points, NDArray[np.intp]]:
    known = np.flatnonzero(~np.isnan(beats[:, 1, 0]))
    order = known[np.argsort(beats[known, 1, 0], kind="stable")]
    return beats[order, 1, 0], order


def _length(beats: Points, start: tuple[str, str], end: tuple[str, str]) -> Points:
    return _at(beats, end) - _at(beats, start)


def _at(beats: Points, key: tuple[str, str]) -> Points:
    return beats[:, WAVES.index(key[0]), FIDUCIALS.index(key[1])]


def interval_errors(rows: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Bias and SD of found − marked, by interval.

    Parameters
    ----------
    rows : iterable of polars.DataFrame
        Of :func:`compare_intervals`.

    Returns
    -------
    polars.DataFrame
        ``interval``; ``beats`` compared, ``missed`` (marked, not found), ``extra`` (found, not marked); ``mean_ms``,
        ``sd_ms`` over beats; ``records``, ``record_mean_ms``, ``record_sd_ms`` over recordings (each the median of
        its beats' errors). Null where fewer than two.
    """
    table = pl.concat(rows).with_columns(error=pl.col("found_ms") - pl.col("truth_ms"))
    both = pl.col("error").is_not_null()
    of_beats = table.group_by("interval", maintain_order=True).agg(
        beats=both.sum(),
        missed=pl.col("found_ms").is_null().sum(),
        extra=pl.col("truth_ms").is_null().sum(),
        mean_ms=pl.col("error").mean(),
        sd_ms=pl.col("error").std(),
    )
    medians = table.filter(both).group_by("interval", "record").agg(pl.col("error").median())
    of_records = medians.group_by("interval").agg(
        records=pl.len(), record_mean_ms=pl.col("error").mean(), record_sd_ms=pl.col("error").std()
    )
    return of_beats.join(of_records, on="interval", how="left", maintain_order="left")
