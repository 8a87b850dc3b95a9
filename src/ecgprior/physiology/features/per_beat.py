"""What is measured in every beat: intervals from the fiducials, amplitudes from the signal in mV.

Row 0 of every array is the whole record (global fiducials; amplitudes: root mean square over the leads that were
measured, so no lead's polarity cancels another's), the rows after it are the leads with their own fiducials.

**Source**: the ten quantities a beat of the PhysioCLR vector (PR, QRS, QTc after Bazett, P and T duration, R, P and T
amplitude, QRS slope; RR is the record's alone) and ST at J + 60 ms; Bazett 1920, Heart 7:353; J, J + 60 and J + 80 ms
against the PQ level as in Rautaharju et al. 2009, AHA/ACCF/HRS part IV, and Thygesen et al. 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...record.beats import Delineation
from ..ectopy import Shapes, beat_kinds, compare_beats
from .cuts import cut, drift, level_before, pq_level, value_at
from .deflections import Deflections
from .median_beat import median_deflections
from .statistics import row_median

Array = NDArray[np.float64]

INTERVALS = {
    "pr_ms": ("P", "onset", "QRS", "onset"),
    "p_duration_ms": ("P", "onset", "P", "offset"),
    "qrs_ms": ("QRS", "onset", "QRS", "offset"),
    "qt_ms": ("QRS", "onset", "T", "offset"),
    "t_duration_ms": ("T", "onset", "T", "offset"),
    "tpe_ms": ("T", "peak", "T", "offset"),
}
"""From which global or lead fiducial to which."""

AMPLITUDES = (
    "p_amplitude_mv",
    "r_amplitude_mv",
    "t_amplitude_mv",
    "qrs_slope_mv_per_s",
    "st_j_mv",
    "st_j60_mv",
    "st_j80_mv",
)
QUANTITIES = (*INTERVALS, "beat_qtc_ms", *AMPLITUDES)
"""Second axis of :attr:`BeatValues.values`, in this order."""

_BLOCK = 1024  # beats measured at a time: memory of a 24 h record stays bounded
_LONGEST_QRS_S = 0.4
_SLOPE_S = 0.004


@dataclass(frozen=True, slots=True)
class BeatValues:
    """Every beat's measurements.

    Attributes
    ----------
    values : ndarray, float64, (quantity, 1 + L, K)
        In the order of :data:`QUANTITIES`; ms, mV or mV/s; NaN = not measurable in this beat.
    usual : ndarray, bool, (K,)
        Beats of kind ``"N"`` (:mod:`~ecgprior.physiology.ectopy`); all when none is.
    shapes : Shapes
    rr_ms : ndarray, float64, (K − 1,)
        Intervals between R.
    level, slope : ndarray, float64, (L, K), mV and mV a sample
        PQ level and its line to the next usual beat.
    noise_mv : ndarray, float64, (L,)
        Spread of the signal about the PQ level: 1.4826 × median absolute deviation over the usual beats.
    deflections : Deflections
        Q, R, S and R′ of the leads' median beats.
    """

    values: Array
    usual: NDArray[np.bool_]
    shapes: Shapes
    rr_ms: Array
    level: Array
    slope: Array
    noise_mv: Array
    deflections: Deflections


def measure_beats(signal: NDArray[np.float32], fs: float, delineation: Delineation) -> BeatValues:
    """Measure every beat of one ECG.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
        NaN = missing.
    fs : float, Hz
    delineation : Delineation
        Of the same leads.
    """
    marks = np.concatenate([delineation.global_[None], delineation.points])
    r = _r_samples(delineation.global_, signal.shape[1])
    width_s = (marks[0, :, 1, 2] - marks[0, :, 1, 0]) / fs
    shapes = compare_beats(signal, fs, r, width_s)
    kinds = beat_kinds(signal, fs, r, marks[0, :, 1, 0], marks[0, :, 1, 2], shapes=shapes)
    usual = np.array([kind == "N" for kind in kinds], bool)
    usual = usual if usual.any() else np.ones(len(r), bool)
    rr_ms = np.diff(r) * 1000 / fs
    level, samples = pq_level(signal, fs, marks[0])
    slope = drift(level, marks[0, :, 1, 0], usual)
    values = np.full((len(QUANTITIES), *marks.shape[:2]), np.nan)
    spans = np.stack([_span(marks, *edges) for edges in INTERVALS.values()]) * (1000 / fs)
    values[: len(INTERVALS)] = spans
    rr_before = np.concatenate([[np.nan], rr_ms])[: len(r)]
    with np.errstate(invalid="ignore", divide="ignore"):
        values[len(INTERVALS)] = spans[3] / np.sqrt(np.where(rr_before > 0, rr_before, np.nan) / 1000)
    away = np.where(usual[:, None], np.abs(samples - level[..., None]), np.nan)
    noise = 1.4826 * row_median(away.reshape(len(signal), -1).astype(np.float64))
    at = shapes.at.astype(np.float64)
    median, until = median_deflections(signal, fs, marks, at, usual, (level, slope, noise))
    until = np.where(usual & ~np.isnan(until[:, None]), until[:, None] + at - marks[0, :, 1, 0], np.inf)
    for low in range(0, len(r), _BLOCK):
        part = slice(low, low + _BLOCK)
        one = _amplitudes(signal, fs, marks[:, part], (level[:, part], slope[:, part]), until[:, part])
        values[len(INTERVALS) + 1 :, 1:, part] = one
    values[len(INTERVALS) + 1 :, 0] = _over_leads(values[len(INTERVALS) + 1 :, 1:])
    return BeatValues(values, usual, shapes, rr_ms, level, slope, noise, median)


def _r_samples(marks: Array, n_samples: int) -> Array:
    """R of each beat from the global marks, brought into the record; a peak that is not known lies mid-QRS."""
    edges = marks[:, 1, [0, 2]]
    middle = np.where(
        np.isnan(edges).any(axis=1), np.where(np.isnan(edges), 0, edges).sum(1), edges.mean(axis=1)
    )
    r = np.where(np.isfinite(marks[:, 1, 1]), marks[:, 1, 1], middle)
    return np.clip(np.nan_to_num(r), 0, n_samples - 1)


def _span(marks: Array, wave: str, mark: str, to_wave: str, to_mark: str) -> Array:
    at = lambda w, m: marks[..., ("P", "QRS", "T").index(w), ("onset", "peak", "offset").index(m)]  # noqa: E731
    return at(to_wave, to_mark) - at(wave, mark)


def _over_leads(values: Array) -> Array:
    """Root mean square over the leads that were measured: (quantity, K)."""
    known = np.isfinite(values)
    n = known.sum(axis=1)
    squares = np.square(np.where(known, values, 0.0)).sum(axis=1)
    return np.where(n > 0, np.sqrt(squares / np.maximum(n, 1)), np.nan)


def _amplitudes(
    signal: NDArray[np.float32], fs: float, marks: Array, line: tuple[Array, Array], r_until: Array
) -> Array:
    """The quantities :data:`AMPLITUDES` in each lead: (quantity, L, K)."""
    level, slope = line
    whole, leads = marks[0], marks[1:]
    seen = np.isfinite(leads[:, :, 1, 1])
    onset, offset = whole[:, 1, 0], whole[:, 1, 2]
    p_at = np.where(np.isfinite(leads[:, :, 0, 1]), leads[:, :, 0, 1], whole[:, 0, 1])
    t_at = np.where(np.isfinite(leads[:, :, 2, 1]), leads[:, :, 2, 1], whole[:, 2, 1])
    p_level, _ = level_before(signal, fs, whole[:, 0, 0])
    r, steepest = _qrs(signal, fs, marks, line, r_until)
    j = [np.broadcast_to(offset + later_s * fs, p_at.shape) for later_s in (0.0, 0.060, 0.080)]
    at = np.stack([p_at, t_at, *j], axis=1)  # (L, 5, K)
    values = value_at(signal, fs, at.reshape(len(signal), -1)).reshape(at.shape).transpose(1, 0, 2)
    p, (t, *st) = values[0] - p_level, values[1:] - level - slope * (at - onset).transpose(1, 0, 2)[1:]
    return np.where(seen, np.stack([p, r, t, steepest, *st]), np.nan)


def _qrs(
    signal: NDArray[np.float32], fs: float, marks: Array, line: tuple[Array, Array], r_until: Array
) -> tuple[Array, Array]:
    """Highest point of QRS above the PQ level up to `r_until` (mV, ≥ 0), steepest slope up to the QRS peak (mV/s)."""
    level, slope = line
    onset, offset = marks[0, :, 1, 0], marks[0, :, 1, 2]
    length = np.where(offset >= onset, offset - onset, np.nan)
    n = int(np.nan_to_num(np.clip(np.nanmax(length, initial=1), 1, _LONGEST_QRS_S * fs)))
    grid = np.arange(n + 2)
    x = cut(signal, np.where(np.isfinite(length), onset, np.nan), grid)
    inside = grid <= np.round(offset)[:, None] - np.round(onset)[:, None]
    above = x - (level[..., None] + slope[..., None] * grid)
    known = (np.isfinite(above) | ~inside).all(axis=-1) & np.isfinite(length)
    top = np.where(
        known, np.where(inside & (grid <= np.round(r_until)[..., None]), above, 0.0).max(axis=-1), np.nan
    )
    step = max(1, round(_SLOPE_S * fs))
    if n + 2 <= step:
        return np.maximum(top, 0), np.full_like(top, np.nan)
    rise = np.abs(x[..., step:] - x[..., :-step]) * (fs / step)
    first = np.where(np.isfinite(marks[1:, :, 1, 0]), marks[1:, :, 1, 0], onset) - onset
    last = marks[1:, :, 1, 1] - onset
    middle = grid[:-step] + step / 2
    before = (middle >= first[..., None] - 0.5 * step) & (middle <= last[..., None] + 0.5 * step)
    before &= np.isfinite(rise)
    steepest = np.where(before, rise, 0.0).max(axis=-1)
    return np.maximum(top, 0), np.where(before.any(axis=-1), steepest, np.nan)
