"""Runs of one class in rows of probabilities: where each begins and ends, to a fraction of a sample.

A run is a stretch above a low level (gaps up to a few samples are bridged). Its onset and offset are where the
probability crosses half of the run's own maximum (the low level, if that is higher), by linear interpolation: given that
the wave is there at all, that is the median of where it begins. All rows at once, no loop over runs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """Runs in the order of row and time; every array is (n,).

    Attributes
    ----------
    row : ndarray, int64
    onset, offset : ndarray, float64, in samples of the probabilities
        Where half of the maximum is crossed; beyond a cut end, the row's first or last sample.
    cut_onset, cut_offset : ndarray, bool
        The run goes on to the row's first or last sample: the true onset or offset is not known.
    top, mass : ndarray, float32
        Largest probability, and the sum of probabilities (in samples).
    """

    row: NDArray[np.int64]
    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    cut_onset: NDArray[np.bool_]
    cut_offset: NDArray[np.bool_]
    top: NDArray[np.float32]
    mass: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def centre(self) -> NDArray[np.float64]:
        """Half way between onset and offset: float64, (n,)."""
        return 0.5 * (self.onset + self.offset)

    def pick(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Runs:
        """Some of the runs."""
        return Runs(*(getattr(self, field.name)[which] for field in fields(self)))


def find_runs(p: NDArray[np.float32], low: float, gap: NDArray[np.int64]) -> Runs:
    """All runs of all rows.

    Parameters
    ----------
    p : ndarray, float32, (row, time)
        Probabilities, finite.
    low : float
        A run is where `p` is above this.
    gap : ndarray, int64, (row,)
        Runs of one row with at most so many samples between them are one.

    Returns
    -------
    Runs
    """
    n_rows, n = p.shape
    width = n + 2  # a zero before and after each row, so that no run goes from one row into the next
    padded = np.zeros((n_rows, width), np.float32)
    padded[:, 1:-1] = p
    flat = padded.ravel()
    above = flat > low
    edges = np.flatnonzero(above[1:] != above[:-1]) + 1
    start, stop = edges[::2], edges[1::2]
    row = start // width
    if len(start) > 1:
        apart = (row[1:] != row[:-1]) | (start[1:] - stop[:-1] > gap[row[1:]])
        start, stop = start[np.r_[True, apart]], stop[np.r_[apart, True]]
        row = start // width
    if not len(start):
        empty = np.empty(0)
        none, no = empty.astype(np.float32), empty.astype(bool)
        return Runs(empty.astype(np.int64), empty, empty, no, no, none, none)
    bounds = np.column_stack([start, stop]).ravel()
    top = np.maximum.reduceat(flat, bounds)[::2]
    mass = np.add.reduceat(flat, bounds)[::2]
    level = np.maximum(np.float32(0.5) * top, np.float32(low))
    first, last = _outermost(flat, start, stop, level)
    onset = first - _fraction(flat[first], flat[first - 1], level)
    offset = last + _fraction(flat[last], flat[last + 1], level)
    base = row * width + 1
    cut_onset, cut_offset = first == base, last == base + n - 1
    onset = np.where(cut_onset, 0.0, onset - base)
    offset = np.where(cut_offset, n - 1.0, offset - base)
    return Runs(row, onset, offset, cut_onset, cut_offset, top, mass)


def segments(
    start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All samples of many stretches, one stretch after another.

    Parameters
    ----------
    start, length : ndarray, int64, (n,)

    Returns
    -------
    at : ndarray, int64, (sum of length,)
        ``start[0], start[0] + 1, …, start[1], …``
    first : ndarray, int64, (n,)
        Where each stretch begins in `at`.
    """
    first = np.cumsum(length) - length
    return np.arange(int(length.sum())) + np.repeat(start - first, length), first


def _outermost(
    flat: NDArray[np.float32], start: NDArray[np.int64], stop: NDArray[np.int64], level: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last sample above `level` in each stretch."""
    length = stop - start
    at, first = segments(start, length)
    above = flat[at] > np.repeat(level, length)
    held = at[above]
    n_above = np.add.reduceat(above, first, dtype=np.int64)
    after = np.cumsum(n_above)
    return held[after - n_above], held[after - 1]


def _fraction(
    inside: NDArray[np.float32], outside: NDArray[np.float32], level: NDArray[np.float32]
) -> NDArray[np.float64]:
    """How far from the sample inside to the one outside `level` is crossed, 0 … 1."""
    return ((inside - level) / np.maximum(inside - outside, 1e-9)).astype(np.float64)
