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

    def pick(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Runs:
        """Some of the runs."""
        return Runs(*(getattr(self, field.name)[which] for field in fields(self)))


def find_runs(p: NDArray[np.float32], low: float | NDArray[np.float32], gap: NDArray[np.int64]) -> Runs:
    """All runs of all rows.

    Parameters
    ----------
    p : ndarray, float32, (row, time)
        Probabilities, finite.
    low : float, or ndarray, float32, (row,)
        A run is where `p` is above this.
    gap : ndarray, int64, (row,)
        Runs of one row with at most so many samples between them are one.

    Returns
    -------
    Runs
    """
    n_rows, n = p.shape
    low = np.broadcast_to(np.asarray(low, np.float32), n_rows)
    width = n + 1  # a False between rows, so that no run goes from one row into the next
    above = np.zeros(n_rows * width + 1, bool)
    np.greater(p, low[:, None], out=above[1:].reshape(n_rows, width)[:, :n])
    edges = np.flatnonzero(above[1:] != above[:-1])
    start, stop = edges[::2], edges[1::2]
    row = start // width
    if not len(start):
        empty = np.empty(0)
        none, no = empty.astype(np.float32), empty.astype(bool)
        return Runs(empty.astype(np.int64), empty, empty, no, no, none, none)
    apart = (row[1:] != row[:-1]) | (start[1:] - stop[:-1] > gap[row[1:]])
    begins, ends = np.ones(len(start), bool), np.ones(len(start), bool)
    begins[1:] = ends[:-1] = apart
    start, stop, row = start[begins] - row[begins], stop[ends] - row[ends], row[begins]  # now samples of p
    flat = p.ravel()
    length = stop - start
    at, begin = segments(start, length)
    here = flat[at]
    top, mass = np.maximum.reduceat(here, begin), np.add.reduceat(here, begin)
    level = np.maximum(np.float32(0.5) * top, low[row])
    high = np.flatnonzero(here > np.repeat(level, length))
    after = np.searchsorted(high, begin)
    first, last = at[high[after]], at[high[np.append(after[1:], len(high)) - 1]]
    base = row * n
    cut_onset, cut_offset = first == base, last == base + n - 1
    onset = first - _fraction(flat[first], flat[first - 1], level) - base
    offset = last + _fraction(flat[last], flat[np.minimum(last + 1, len(flat) - 1)], level) - base
    onset[cut_onset], offset[cut_offset] = 0.0, n - 1.0
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


def _fraction(
    inside: NDArray[np.float32], outside: NDArray[np.float32], level: NDArray[np.float32]
) -> NDArray[np.float64]:
    """How far from the sample inside to the one outside `level` is crossed, 0 … 1."""
    return ((inside - level) / np.maximum(inside - outside, 1e-9)).astype(np.float64)
