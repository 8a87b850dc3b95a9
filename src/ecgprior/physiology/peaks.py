"""Where a wave's peak is: its largest deflection from the straight line between its onset and its offset.

In a lead by that lead's trace; over all leads by the length of the vector of all leads that show the wave, so that one
polarity or one quiet lead does not decide. A parabola through the largest sample and its neighbours gives the fraction
of a sample. All waves at once, no loop over beats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .runs import segments

SLOPE_SPAN = 4
"""Samples at 250 Hz over which a slope is taken."""
HALF_WIDTH = 15
"""Samples at 250 Hz from the peak of a QRS to a boundary of it that is not known."""
_LEAST_MV = 0.003  # what counts as a median slope at least: no QRS is flatter than a few times this
_BLOCK = 256  # so many waves of like length at a time
_EDGE = 5  # samples in which filters that met the record's end still ring


def lead_peaks(
    signal: NDArray[np.float32],
    row: NDArray[np.int64],
    onset: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The peak of each wave in its own lead.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
        Finite.
    row : ndarray, int64, (n,)
        The lead of each wave.
    onset, offset : ndarray, float64, (n,), samples
        Finite, onset < offset.

    Returns
    -------
    ndarray, float64, (n,), samples
        Between onset and offset.
    """
    if not len(row):
        return np.empty(0)
    n = signal.shape[1]
    flat = signal.ravel()
    start, last = _inside(onset, offset, n)
    first = start + row * n
    best, shift = np.empty(len(row), np.int64), np.empty(len(row))
    order = np.argsort(last)
    for begin in range(0, len(row), _BLOCK):
        some = order[begin : begin + _BLOCK]
        step = _steps(last[some])
        here = flat.take(first[some, None] + step).astype(np.float64)
        y0, y1 = here[:, :1], here[:, -1:]
        line = _parts(last[some])
        line *= y1 - y0
        line += y0
        here -= line
        best[some], shift[some] = _vertex(np.abs(here, out=here), last[some])
    return _kept(start + best + shift, onset, offset)


def vector_peaks(
    signal: NDArray[np.float32],
    seen: NDArray[np.bool_],
    onset: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The peak of each wave over all leads that show it.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
        Finite.
    seen : ndarray, bool, (L, n)
        Which leads show the wave.
    onset, offset : ndarray, float64, (n,), samples
        Finite, onset < offset.

    Returns
    -------
    ndarray, float64, (n,), samples
        Between onset and offset.
    """
    if not len(onset):
        return np.empty(0)
    start, last = _inside(onset, offset, signal.shape[1])
    best, shift = np.empty(len(start), np.int64), np.empty(len(start))
    order = np.argsort(last)
    block = max(1, _BLOCK // len(signal))
    for begin in range(0, len(start), block):
        some = order[begin : begin + block]
        step = _steps(last[some])
        here = np.ascontiguousarray(np.moveaxis(signal[:, start[some, None] + step], 0, 2))
        here -= here[:, :1].copy()
        here -= here[:, -1:] * _parts(last[some]).astype(np.float32)[:, :, None]
        here *= seen[:, some].T[:, None]
        size = np.sqrt(np.einsum("ntl,ntl->nt", here, here).astype(np.float64))
        best[some], shift[some] = _vertex(size, last[some])
    return _kept(start + best + shift, onset, offset)


def prominence(
    smoothed: NDArray[np.float32],
    lead_mask: NDArray[np.bool_],
    onset: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far a wave stands out of its surroundings: its steepest slope over the lead's median slope.

    Parameters
    ----------
    smoothed : ndarray, float32, (L, T), mV
        The trace at 250 Hz, smoothed over 20 ms, which takes 50 Hz out of it.
    lead_mask : ndarray, bool, (L,)
        Leads that count; at least one.
    onset, offset : ndarray, float64, (n,), samples

    Returns
    -------
    ndarray, float64, (n,)
        Root mean square over the leads. About 3 for the steepest places of noise, above 10 for a QRS.
    """
    part = smoothed[lead_mask]
    slope = np.abs(part[:, SLOPE_SPAN:] - part[:, :-SLOPE_SPAN])
    n = slope.shape[1]
    if n < 1 or not len(onset):
        return np.zeros(len(onset))
    slope[:, :_EDGE] = slope[:, -_EDGE:] = 0.0
    usual = _usual(slope)
    start = np.clip(np.floor(onset).astype(np.int64) - SLOPE_SPAN // 2, 0, n - 1)
    stop = np.clip(np.ceil(offset).astype(np.int64), start + 1, n)
    at, first = segments(start, stop - start)
    steepest = np.maximum.reduceat(slope[:, at], first, axis=1)
    return np.sqrt(np.square(steepest / usual[:, None], dtype=np.float64).mean(axis=0))


def usual_slope(smoothed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each lead's median slope over 16 ms, at least 3 µV: (L, T) smoothed over 20 ms at 250 Hz, T > 4, to (L,), mV."""
    return _usual(np.abs(smoothed[:, SLOPE_SPAN:] - smoothed[:, :-SLOPE_SPAN]))


def _usual(slope: NDArray[np.float32]) -> NDArray[np.float32]:
    some = slope[:, :: max(1, min(4, slope.shape[1] // 500))]  # every fourth sample tells the median as well
    middle = some.shape[1] // 2
    return np.maximum(np.partition(some, middle, axis=1)[:, middle], np.float32(_LEAST_MV))


def smooth(signal: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Centred moving mean over an odd number of samples; the ends are held. Same shape."""
    half = width // 2
    wide = np.empty((signal.shape[0], signal.shape[1] + 2 * half), np.float32)
    wide[:, half : wide.shape[1] - half] = signal
    wide[:, :half], wide[:, wide.shape[1] - half :] = signal[:, :1], signal[:, -1:]
    n = signal.shape[1]
    total = wide[:, :n].copy()
    for shift in range(1, width):
        total += wide[:, shift : shift + n]
    total *= np.float32(1 / width)
    return total


def _inside(
    onset: NDArray[np.float64], offset: NDArray[np.float64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First sample of each wave, and the last one counted from it."""
    start = np.minimum(np.maximum(np.floor(onset), 0), n - 1)
    last = np.minimum(np.maximum(np.ceil(offset), start), n - 1) - start
    return start.astype(np.int64), last.astype(np.int64)


def _steps(last: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, longest): 0, 1, …, last in each row; shorter waves repeat their last sample. `last` increases."""
    return np.minimum(np.arange(last[-1] + 1), last[:, None])


def _parts(last: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, longest): what part of its wave each of these steps is, 0 … 1."""
    part = np.arange(last[-1] + 1.0) / np.maximum(last, 1)[:, None].astype(np.float64)
    return np.minimum(part, 1.0, out=part)


def _vertex(
    size: NDArray[np.float64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where each row is largest, and how far from there the top of the parabola through its neighbours is."""
    flat, best = size.ravel(), size.argmax(axis=1)
    middle = (best > 0) & (best < last)
    at = np.arange(len(size)) * size.shape[1] + best
    largest, left, right = flat[at], flat[at - middle], flat[at + middle]
    bend = left - 2 * largest + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros(len(bend)), where=bend < 0)
    return best, shift.clip(-0.5, 0.5)


def _kept(
    peak: NDArray[np.float64], onset: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Within onset and offset."""
    margin = np.minimum(0.25, 0.25 * (offset - onset))
    return peak.clip(onset + margin, offset - margin)
