"""Where a wave's peak is: its largest deflection from the straight line between its onset and its offset.

In a lead by that lead's trace; over all leads by the length of the vector of all leads that show the wave, so that one
polarity or one quiet lead does not decide. A parabola through the largest sample and its neighbours gives the fraction
of a sample. All waves at once, no loop over beats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .runs import segments

_SLOPE = 4  # samples at 250 Hz
_LEAST_MV = 0.003  # what counts as a median slope at least: no QRS is flatter than a few times this
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
    start, stop = _inside(onset, offset, n)
    length = stop - start + 1
    at, first = segments(start + row * n, length)
    here = flat[at].astype(np.float64)
    y0, y1 = here[first], here[first + length - 1]
    part = _part(length, first)
    line = np.repeat(y0, length) + np.repeat(y1 - y0, length) * part
    return _vertex(np.abs(here - line), first, length, start, onset, offset)


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
    start, stop = _inside(onset, offset, signal.shape[1])
    length = stop - start + 1
    at, first = segments(start, length)
    wave = np.repeat(np.arange(len(start)), length)
    here = signal[:, at]
    y0, y1 = here[:, first], here[:, first + length - 1]
    here -= y0[:, wave]
    here -= (y1 - y0)[:, wave] * _part(length, first).astype(np.float32)
    here *= seen[:, wave]
    size = np.sqrt(np.einsum("lt,lt->t", here, here).astype(np.float64))
    return _vertex(size, first, length, start, onset, offset)


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
    slope = np.abs(part[:, _SLOPE:] - part[:, :-_SLOPE])
    n = slope.shape[1]
    if n < 1 or not len(onset):
        return np.zeros(len(onset))
    slope[:, :_EDGE] = slope[:, -_EDGE:] = 0.0
    some = slope[:, :: max(1, min(4, n // 500))]  # every fourth sample tells the median as well
    usual = np.partition(some, some.shape[1] // 2, axis=1)[:, some.shape[1] // 2]
    start = np.clip(np.floor(onset).astype(np.int64) - _SLOPE // 2, 0, n - 1)
    stop = np.clip(np.ceil(offset).astype(np.int64), start + 1, n)
    at, first = segments(start, stop - start)
    steepest = np.maximum.reduceat(slope[:, at], first, axis=1)
    return np.sqrt(np.square(steepest / np.maximum(usual, _LEAST_MV)[:, None], dtype=np.float64).mean(axis=0))


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
    return total * np.float32(1 / width)


def _inside(
    onset: NDArray[np.float64], offset: NDArray[np.float64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    start = np.clip(np.floor(onset), 0, n - 1).astype(np.int64)
    return start, np.clip(np.ceil(offset), start, n - 1).astype(np.int64)


def _part(length: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.float64]:
    """0 at the first sample of each stretch, 1 at its last."""
    step = np.arange(int(length.sum())) - np.repeat(first, length)
    return step / np.repeat(np.maximum(length - 1, 1), length)


def _vertex(
    size: NDArray[np.float64],
    first: NDArray[np.int64],
    length: NDArray[np.int64],
    start: NDArray[np.int64],
    onset: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Largest value of each stretch, refined by a parabola and kept within onset and offset."""
    largest = np.maximum.reduceat(size, first)
    hit = np.flatnonzero(size == np.repeat(largest, length))
    best = hit[np.searchsorted(hit, first)]
    middle = (best > first) & (best < first + length - 1)
    left, right = size[np.where(middle, best - 1, best)], size[np.where(middle, best + 1, best)]
    bend = left - 2 * largest + right
    shift = np.where(middle & (bend < 0), 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    peak = start + (best - first) + np.clip(shift, -0.5, 0.5)
    margin = np.minimum(0.25, 0.25 * (offset - onset))
    return np.clip(peak, onset + margin, offset - margin)
