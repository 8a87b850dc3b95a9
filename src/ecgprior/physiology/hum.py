"""A loud hum of the mains, found and taken off.

The hum is what a second around each sample holds of 50 or 60 Hz, amplitude and phase of its own: a beat has next to
nothing in a band so narrow, and a mains that drifts by 0.2 Hz is followed. Our own rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAINS_HZ = (50.0, 60.0)
_LOUD_MV = 0.1


def without_hum(x: NDArray[np.float32], fs: float) -> NDArray[np.float32]:
    """Without 50 and 60 Hz where a lead hums with 0.1 mV and half its SD or more; other leads as they were.

    Parameters
    ----------
    x : ndarray, float32, (L, T), mV
        Finite.
    fs : float
        Hz; at 120 Hz and less nothing is taken off, nor from less than a second.

    Returns
    -------
    ndarray, float32, (L, T)
        `x` itself where no lead hums.
    """
    if fs <= 2 * MAINS_HZ[1]:
        return x
    for _ in range(2):  # the second time what drifted is left
        for hz, loud in zip(MAINS_HZ, _humming(x, fs)):
            if len(loud):
                x = x.copy()
                for lead in loud:  # one at a time: what is computed takes 16 bytes a sample
                    x[lead] -= _hum(x[lead], hz, fs)
    return x


def _humming(x: NDArray[np.float32], fs: float) -> list[NDArray[np.intp]]:
    """The loud leads at each of the mains' frequencies: by the median over seconds of their amplitude there."""
    second = round(fs)
    n_seconds = x.shape[1] // second
    if not n_seconds:
        return []
    blocks = x[:, : n_seconds * second].reshape(len(x), n_seconds, second)
    turns = 2 * np.pi / fs * np.outer(np.arange(second), MAINS_HZ)
    waves = blocks @ (2 / second * np.hstack([np.cos(turns), np.sin(turns)])).astype(np.float32)
    size = np.median(np.hypot(waves[:, :, : len(MAINS_HZ)], waves[:, :, len(MAINS_HZ) :]), axis=1)
    loud = size >= _LOUD_MV
    if loud.any():
        loud &= size >= 0.5 * x.std(axis=1, keepdims=True)
    return [np.flatnonzero(column) for column in loud.T]


def _hum(x: NDArray[np.float32], hz: float, fs: float) -> NDArray[np.float32]:
    """What a second around each sample (less at the ends) of one lead holds of one frequency, same shape."""
    at, half = np.arange(len(x)), round(fs) // 2
    turn = np.exp(-2j * np.pi * hz / fs * at)
    total = np.zeros(len(x) + 1, complex)
    np.cumsum((x - x.mean()) * turn, out=total[1:])
    first, stop = np.maximum(at - half, 0), np.minimum(at + half + 1, len(x))
    around = (total[stop] - total[first]) / (stop - first)
    return 2 * (around * turn.conj()).real.astype(np.float32)
