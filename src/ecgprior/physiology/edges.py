"""Edges that look like beats: a step of an electrode, a spike of a pacemaker that no heart answers.

An edge is over within a few milliseconds; before it there is nothing, and after it the trace stays, or goes back on an
exponential (a high-pass filter, a polarised electrode), which is steepest at once and then ever less. A QRS takes tens
of milliseconds, and is steep more than once. So four numbers are taken of each beat: how much of its steepness (squared
slope) 12 ms hold; how fast the slope itself changes; and, with these milliseconds cut out, how steep the trace is before
them or *gets again* after them, against the trace's usual slope and against the edge's height. A captured QRS is steep
after its spike; an exponential is not, however steep it begins. No loop over beats.

**Source**: our own rule. Coefficients were fitted to one half of made-up steps and spikes and of real recordings
(``docs/physiology.md``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AROUND = 4  # samples by which a QRS is widened on either side
_HALF = 15  # samples from the peak to a boundary that is not known
_CUT = 3  # samples on either side of the steepest slope's first that belong to the edge
_BEFORE, _AFTER = 15, 30  # slopes that are looked at on either side of the cut
_SPAN = 4  # samples, as in peaks.prominence
_SOFT = np.array([1, 2, 2, 2, 1], np.float32) / 8  # takes off what an edge rings at: 125 and 62.5 Hz


def spans(waves: NDArray[np.float64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First sample of each QRS and the one after its last, widened by 16 ms; (K, 3) fiducials, NaN = not known."""
    peak = np.where(np.isnan(waves[:, 1]), 0.5 * (waves[:, 0] + waves[:, 2]), waves[:, 1])
    onset = np.where(np.isnan(waves[:, 0]), peak - _HALF, waves[:, 0])
    offset = np.where(np.isnan(waves[:, 2]), peak + _HALF, waves[:, 2])
    start = np.clip(np.floor(onset).astype(np.int64) - _AROUND, 0, max(0, n - 4))
    return start, np.clip(np.ceil(offset).astype(np.int64) + _AROUND + 1, start + 3, n - 1)


def abruptness(
    trace: NDArray[np.float32], waves: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """How abrupt each QRS is.

    Parameters
    ----------
    trace : ndarray, float32, (L, T), mV
        At 250 Hz, not smoothed, T ≥ 4.
    waves : ndarray, float64, (K, 3), samples
        Onset, peak and offset of each QRS over all leads; the peak, or both boundaries, are finite.

    Returns
    -------
    change : ndarray, float64, (K,)
        Mean square of the slope's change over that of the slope, 0 to 4: about 0.4 for a QRS, 2 for a step, 3 for a spike.
    held : ndarray, float64, (K,)
        What part of the squared slope the steepest 12 ms hold: about 0.5, and 0.9.
    at : ndarray, int64, (K,)
        The sample from which the middle one of these three slopes goes.
    """
    start, stop = spans(waves, trace.shape[1])
    step = np.arange((stop - start).max() + 1)
    inside = step[:-1] < (stop - start)[:, None]
    cut = trace[:, np.minimum(start[:, None] + np.append(step, step[-1] + 1), trace.shape[1] - 1)]
    slope = cut[:, :, 1:] - cut[:, :, :-1]
    turn = slope[:, :, 1:] - slope[:, :, :-1]
    slope = slope[:, :, :-1]
    bend, steep = np.einsum("lkw,lkw->kw", turn, turn), np.einsum("lkw,lkw->kw", slope, slope) * inside
    total = np.maximum(steep.sum(axis=1), 1e-12)
    three = steep[:, :-2] + steep[:, 1:-1] + steep[:, 2:]
    first = three.argmax(axis=1)
    change = (bend * inside).sum(axis=1) / total
    held = three[np.arange(len(first)), first] / total
    return change.astype(np.float64), held.astype(np.float64), start + first + 1


def left_over(
    trace: NDArray[np.float32], usual: NDArray[np.float32], at: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is steep beside the steepest place of each QRS.

    Parameters
    ----------
    trace : ndarray, float32, (L, T), mV
        At 250 Hz, not smoothed.
    usual : ndarray, float32, (L,), mV
        Each lead's usual slope (:func:`~ecgprior.physiology.peaks.usual_slope`).
    at : ndarray, int64, (K,)
        Of :func:`abruptness`.

    Returns
    -------
    rest : ndarray, float64, (K,)
        The steepest slope within 60 ms before the cut, or the largest return of steepness within 120 ms after it, over
        the usual slope; root mean square over leads.
    share : ndarray, float64, (K,)
        The same slopes over the edge's height, over all leads.
    """
    n, more = trace.shape[1], _SPAN + len(_SOFT) - 1
    take = lambda first, count: trace[:, np.clip(first[:, None] + np.arange(count), 0, n - 1)]  # noqa: E731
    before = _slopes(take(at - _CUT + 1 - _BEFORE - more, _BEFORE + more + 1)).max(axis=2)
    after = _slopes(take(at + _CUT + 1, _AFTER + more + 1))
    again = (after - np.minimum.accumulate(after, axis=2)).max(axis=2)
    steep = np.maximum(before, again)
    edge = take(at - _CUT + 1, 2 * _CUT + 1)
    height = np.abs(edge - edge[:, :, :1]).max(axis=2)
    rest = np.sqrt(np.square(steep / usual[:, None], dtype=np.float64).mean(axis=0))
    size = np.square(height, dtype=np.float64).sum(axis=0)
    return rest, np.sqrt(np.square(steep, dtype=np.float64).sum(axis=0) / np.maximum(size, 1e-12))


def _slopes(cut: NDArray[np.float32]) -> NDArray[np.float32]:
    """(L, K, W): size of the slope over 16 ms of the softened trace."""
    count = cut.shape[2] - len(_SOFT) + 1
    soft = _SOFT[0] * cut[:, :, :count]
    for shift in range(1, len(_SOFT)):
        soft = soft + _SOFT[shift] * cut[:, :, shift : shift + count]
    return np.abs(soft[:, :, _SPAN:] - soft[:, :, :-_SPAN])
