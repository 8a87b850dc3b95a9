"""Cut stretches of signal around each beat, and find the zero from which amplitudes are measured.

The zero of QRS, ST and T is the PQ level: the median of the 20 ms before QRS onset, less what P covers; where P runs
into QRS, the 20 ms before P. The level moves along a straight line to the next usual beat's, which takes baseline
wander off without any filter that would bend ST. P has its own zero, the 20 ms before its onset.

**Source**: CSE Working Party 1985, Eur Heart J 6:815 (PQ level as reference of QRS, ST and T; P against the line
before it); straight lines instead of Meyer & Keiser's 1977 cubic splines are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .statistics import row_median

_LEVEL_S, _GAP_S = 0.020, 0.002
_POINT_S = 0.004


def cut(signal: NDArray, start: NDArray[np.float64], grid: NDArray[np.int64]) -> NDArray:
    """Samples at ``round(start) + grid``: (L, K, W); NaN outside the record and where `start` is NaN."""
    known = np.isfinite(start)
    where = np.round(np.where(known, start, 0)).astype(np.int64)[..., None] + grid
    inside = known[..., None] & (where >= 0) & (where < signal.shape[1])
    if start.ndim == 1:
        x = signal.take(where, axis=1, mode="clip")
    else:
        where = np.minimum(np.maximum(where, 0), signal.shape[1] - 1)
        x = signal.take(where + signal.shape[1] * np.arange(signal.shape[0])[:, None, None])
    return x if inside.all() else np.where(inside, x, np.float32(np.nan))


def level_before(
    signal: NDArray[np.float32], fs: float, at: NDArray[np.float64], after: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Median of the 20 ms before `at`, of what lies after `after` (NaN = no limit): (L, K), and the samples."""
    n = max(3, round(_LEVEL_S * fs))
    grid = -max(1, round(_GAP_S * fs)) - np.arange(n)
    samples = cut(signal, at, grid)
    if after is not None:
        covered = np.round(at)[:, None] + grid <= after[:, None]
        samples = np.where(covered, np.float32(np.nan), samples)
        few = n - covered.sum(axis=1) < 3
        samples[:, few] = np.nan
    return row_median(samples).astype(np.float64), samples


def pq_level(
    signal: NDArray[np.float32], fs: float, marks: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The PQ level of each lead and beat: float64, (L, K), mV; NaN where nothing is recorded there.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
    fs : float, Hz
    marks : ndarray, float64, (K, 3, 3), samples
        Global fiducials.

    Returns
    -------
    level : ndarray, float64, (L, K), mV
    samples : ndarray, float32, (L, K, n), mV
        What the level is the median of.
    """
    level, samples = level_before(signal, fs, marks[:, 1, 0], marks[:, 0, 2])
    joined = np.isnan(samples).all(axis=(0, 2)) & np.isfinite(marks[:, 0, 0])  # P runs into QRS
    if joined.any():
        before_p, more = level_before(signal, fs, np.where(joined, marks[:, 0, 0], np.nan))
        level = np.where(joined, before_p, level)
        samples = np.where(joined[:, None], more, samples)
    return level, samples


def drift(
    level: NDArray[np.float64], onset: NDArray[np.float64], usual: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Slope of the line from each beat's level to the next usual one's: float64, (L, K), mV a sample; 0 if unknown."""
    slope = np.zeros_like(level)
    knots = np.flatnonzero(usual & np.isfinite(onset))
    if len(knots) < 2:
        return slope
    rise = np.diff(level[:, knots], axis=1) / np.maximum(np.diff(onset[knots]), 1)
    slope[:, knots[:-1]] = np.where(np.isfinite(rise), rise, 0.0)
    return slope


def value_at(signal: NDArray[np.float32], fs: float, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the samples within 4 ms of `at`, (K,) or (L, K): float64, (L, K), mV; NaN where one is missing."""
    n = round(_POINT_S * fs)
    return cut(signal, at, np.arange(-n, n + 1)).mean(axis=-1, dtype=np.float64)
