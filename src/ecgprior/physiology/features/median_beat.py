"""The median QRS of the usual beats: aligned where shapes fit best, each beat against its own PQ level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cuts import cut
from .deflections import Deflections, deflections
from .statistics import row_median

Array = NDArray[np.float64]

_OF = 256  # usual beats at most, evenly spread
_MARGIN_S, _FARTHEST_S = 0.010, 0.4


def median_deflections(
    signal: NDArray[np.float32],
    fs: float,
    marks: Array,
    at: Array,
    usual: NDArray[np.bool_],
    zero: tuple[Array, ...],
) -> tuple[Deflections, Array]:
    """Q, R, S and R′ of each lead's median beat, and until when after `at` a usual beat's R lasts.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
    fs : float, Hz
    marks : ndarray, float64, (1 + L, K, 3, 3), samples
        Fiducials: global, then leads.
    at : ndarray, float64, (K,), samples
        R, aligned.
    usual : ndarray, bool, (K,)
    zero : level, slope, noise
        float64, (L, K), (L, K), (L,): PQ level in mV, its slope in mV a sample, spread of the signal about it in mV.

    Returns
    -------
    deflections : Deflections
    r_until : ndarray, float64, (L,), samples after `at`
        −inf in a lead without positive deflection; NaN where it is not known.
    """
    level, slope, noise = zero
    onset, offset = marks[0, :, 1, 0], marks[0, :, 1, 2]
    chosen = np.flatnonzero(usual & (offset >= onset))
    if not len(chosen):
        nothing = np.full(len(signal), np.nan)
        return deflections(np.full((len(signal), 2), np.nan), fs, nothing, nothing, nothing), nothing
    if len(chosen) > _OF:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _OF).round().astype(int)]
    at = at[chosen]
    edges = row_median((marks[:, chosen, 1] - at[:, None]).transpose(0, 2, 1))  # (1 + L, 3), from R
    edges[1:] = np.where(np.isfinite(edges[1:]), edges[1:], edges[0])
    margin, farthest = max(1, round(_MARGIN_S * fs)), round(_FARTHEST_S * fs)
    first = max(int(np.floor(np.nanmin(edges[:, 0]))) - margin, -farthest)
    last = min(max(int(np.ceil(np.nanmax(edges[:, 2]))) + margin, first + 2), farthest)
    grid = np.arange(first, max(last, first + 1) + 1)
    line = (at - onset[chosen])[:, None] + grid
    x = cut(signal, at, grid) - (level[:, chosen, None] + slope[:, chosen, None] * line)
    beat = row_median(np.ascontiguousarray(x.transpose(0, 2, 1)))
    beat[~np.isfinite(marks[1:, chosen, 1, 1]).any(axis=1)] = np.nan
    left = noise * 1.2533 / np.sqrt(len(chosen))  # of a median of so many
    found = deflections(beat, fs, edges[1:, 0] - first, edges[1:, 2] - first, left)
    return found, np.where(
        found.r_until >= 0, found.r_until + first, np.where(np.isnan(found.r_until), np.nan, -np.inf)
    )
