"""The median QRS of the usual beats: aligned where shapes fit best, each beat against its own PQ level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cuts import Strip, cut
from .deflections import Deflections, deflections
from .ragged import Ragged
from .statistics import row_median

Array = NDArray[np.float64]

_OF = 256  # usual beats at most, evenly spread
_MARGIN_S, _FARTHEST_S = 0.010, 0.4


def median_deflections(
    strip: Strip,
    marks: Array,
    at: Array,
    usual: NDArray[np.bool_],
    zero: tuple[Array, ...],
    records: Ragged,
) -> tuple[Deflections, Array]:
    """Q, R, S and R′ of each lead's median beat, and until when after `at` a usual beat's R lasts.

    Parameters
    ----------
    strip : Strip
    marks : ndarray, float64, (1 + L, K, 3, 3), samples
        Fiducials: global, then leads.
    at : ndarray, float64, (K,), samples
        R, aligned.
    usual : ndarray, bool, (K,)
    zero : level, slope, noise
        float64, (L, K), (L, K), (L, N): PQ level in mV, its slope in mV a sample, spread of the signal about it in mV.
    records : Ragged
        The beats of each record.

    Returns
    -------
    deflections : Deflections
        (L, N) each.
    r_until : ndarray, float64, (L, N), samples after `at`
        −inf in a lead without positive deflection; NaN where it is not known.
    """
    level, slope, noise = zero
    chosen = np.flatnonzero(usual & (marks[0, :, 1, 2] >= marks[0, :, 1, 0]))
    chosen = chosen[records.some(chosen).thinned(_OF)]
    some = records.some(chosen)
    if not len(chosen):
        nothing = np.full(noise.shape, np.nan)
        return deflections(np.full((*noise.shape, 2), np.nan), strip.fs, nothing, nothing, nothing), nothing
    at, marks = at[chosen], marks[:, chosen]
    edges = row_median(some.table((marks[:, :, 1] - at[:, None]).swapaxes(1, 2)))  # (1 + L, 3, N), from R
    edges[1:] = np.where(np.isfinite(edges[1:]), edges[1:], edges[0])
    first, last = _window(edges, strip.fs)
    grid = np.arange(first.min(), last.max() + 1)
    x = cut(strip.beats(chosen), at, grid)
    beat = np.zeros((len(x), records.n_records, len(grid)))
    stop = 0
    for record, n in enumerate(some.count.tolist()):  # a table of all would be large
        start, stop = stop, stop + n
        own = slice(first[record] - grid[0], last[record] - grid[0] + 1)
        after = (at - marks[0, :, 1, 0])[start:stop, None] + grid[own]
        line = level[:, chosen[start:stop], None] + slope[:, chosen[start:stop], None] * after
        beat[:, record, own] = row_median(np.ascontiguousarray((x[:, start:stop, own] - line).swapaxes(1, 2)))
    beat[~some.table(np.isfinite(marks[1:, :, 1, 1]), False).any(axis=-1)] = np.nan
    left = noise * 1.2533 / np.sqrt(np.maximum(some.count, 1))  # of a median of so many
    found = deflections(beat, strip.fs, edges[1:, 0] - grid[0], edges[1:, 2] - grid[0], left)
    until = np.where(np.isnan(found.r_until), np.nan, -np.inf)
    return found, np.where(found.r_until >= 0, found.r_until + grid[0], until)


def _window(edges: Array, fs: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last sample, from R, of each record's median beat: (N,) each; `edges` is (1 + L, 3, N)."""
    margin, farthest = max(1, round(_MARGIN_S * fs)), round(_FARTHEST_S * fs)
    earliest = np.fmin.reduce(np.floor(edges[:, 0]), axis=0)
    latest = np.fmax.reduce(np.ceil(edges[:, 2]), axis=0)
    first = np.maximum(np.where(np.isnan(earliest), 0, earliest) - margin, -farthest)
    last = np.minimum(np.maximum(np.where(np.isnan(latest), 0, latest) + margin, first + 2), farthest)
    return first.astype(np.int64), np.maximum(last, first + 1).astype(np.int64)
