"""Cut stretches of signal around each beat, and find the zero from which amplitudes are measured.

The zero of QRS, ST and T is the PQ level: the median of the 20 ms before QRS onset, less what P covers; where P runs
into QRS, the 20 ms before P. The level moves along a straight line to the next usual beat's, which takes baseline
wander off without any filter that would bend ST. P has its own zero, the 20 ms before its onset.

**Source**: CSE Working Party 1985, Eur Heart J 6:815 (PQ level as reference of QRS, ST and T; P against the line
before it); straight lines instead of Meyer & Keiser's 1977 cubic splines are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .statistics import row_median

_LEVEL_S, _GAP_S = 0.020, 0.002
_POINT_S = 0.004


@dataclass(frozen=True, slots=True)
class Strip:
    """The signals of records of equal length, one after another, and where the beats' records begin.

    Attributes
    ----------
    signal : ndarray, float32, (L, N · n_samples), mV
        C order.
    fs : float, Hz
    n_samples : int
        Of each record.
    first : ndarray, int64, (K,)
        Where in `signal` the record of each beat begins; times of a beat are counted from there.
    """

    signal: NDArray[np.float32]
    fs: float
    n_samples: int
    first: NDArray[np.int64]

    def beats(self, some: slice | NDArray) -> Strip:
        """The same for some beats."""
        return Strip(self.signal, self.fs, self.n_samples, self.first[some])

    def rows(self, leads: list[int]) -> Strip:
        """The same for some leads."""
        first, last = leads[0], leads[-1]
        side_by_side = leads == list(range(first, last + 1))
        signal = self.signal[first : last + 1] if side_by_side else self.signal[leads]
        return Strip(signal, self.fs, self.n_samples, self.first)


def cut(strip: Strip, start: NDArray[np.float64], grid: NDArray[np.int64]) -> NDArray[np.float32]:
    """Samples at ``round(start) + grid``; NaN outside the beat's record and where `start` is NaN.

    `start` is (K,), the same in all leads, or (L, …, K); the result is (L, K, W) or (L, …, K, W). `grid` increases by
    equal steps.
    """
    signal, low, n_grid = strip.signal, int(grid[0]), len(grid)
    step = int(grid[1]) - low if n_grid > 1 else 1
    known = np.isfinite(start)
    begin = np.round(np.where(known, start, 0)).astype(np.int64)
    edge = ~known | (begin + low < 0) | (begin + grid[-1] >= strip.n_samples)
    row = signal.shape[1] * np.arange(len(signal)).reshape(-1, *[1] * max(start.ndim - 1, 1))
    first = begin + (row + strip.first)  # in all the signals, lead after lead
    n_windows, item = max(signal.size - step * (n_grid - 1), 0), signal.itemsize
    windows = np.ndarray((n_windows, n_grid), signal.dtype, signal, strides=(item, step * item))
    place = np.where(edge, 0, first + low)
    x = windows[place] if n_windows else np.empty((*place.shape, n_grid), signal.dtype)
    if edge.any():  # there, sample by sample
        some = (slice(None), edge) if start.ndim == 1 else edge
        where = begin[edge][:, None] + grid
        inside = known[edge][:, None] & (where >= 0) & (where < strip.n_samples)
        samples = signal.take(np.where(inside, first[some][..., None] + grid, 0))
        x[some] = np.where(inside, samples, np.float32(np.nan))
    return x


def level_before(
    strip: Strip, at: NDArray[np.float64], after: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Median of the 20 ms before `at`, of what lies after `after` (NaN = no limit): (L, K), and the samples."""
    n = max(3, round(_LEVEL_S * strip.fs))
    grid = -max(1, round(_GAP_S * strip.fs)) + np.arange(1 - n, 1)
    samples = cut(strip, at, grid)
    if after is not None:
        covered = np.round(at)[:, None] + grid <= after[:, None]
        samples = np.where(covered, np.float32(np.nan), samples)
        few = n - covered.sum(axis=1) < 3
        samples[:, few] = np.nan
    return row_median(samples).astype(np.float64), samples


def pq_level(strip: Strip, marks: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The PQ level of each lead and beat: float64, (L, K), mV; NaN where nothing is recorded there.

    Parameters
    ----------
    strip : Strip
    marks : ndarray, float64, (K, 3, 3), samples
        Global fiducials.

    Returns
    -------
    level : ndarray, float64, (L, K), mV
    samples : ndarray, float32, (L, K, n), mV
        What the level is the median of.
    """
    level, samples = level_before(strip, marks[:, 1, 0], marks[:, 0, 2])
    joined = np.isnan(samples).all(axis=(0, 2)) & np.isfinite(marks[:, 0, 0])  # P runs into QRS
    if joined.any():
        before_p, more = level_before(strip, np.where(joined, marks[:, 0, 0], np.nan))
        level = np.where(joined, before_p, level)
        samples = np.where(joined[:, None], more, samples)
    return level, samples


def drift(
    level: NDArray[np.float64],
    onset: NDArray[np.float64],
    usual: NDArray[np.bool_],
    of: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Slope of the line from each beat's level to the next usual one's: float64, (L, K), mV a sample; 0 if unknown.

    `of` is each beat's record: the line ends with it.
    """
    slope = np.zeros_like(level)
    knots = np.flatnonzero(usual & np.isfinite(onset))
    if len(knots) < 2:
        return slope
    rise = np.diff(level[:, knots], axis=1) / np.maximum(np.diff(onset[knots]), 1)
    slope[:, knots[:-1]] = np.where(np.isfinite(rise) & (np.diff(of[knots]) == 0), rise, 0.0)
    return slope


def value_at(strip: Strip, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the samples within 4 ms of `at`, (L, …, K): float64, of that shape, mV; NaN where one is missing."""
    n = round(_POINT_S * strip.fs)
    return cut(strip, at, np.arange(-n, n + 1)).mean(axis=-1, dtype=np.float64)
