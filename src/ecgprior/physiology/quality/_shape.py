"""The average beat of each lead, and how alike the beats are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BEFORE_S, _AFTER_S = 0.24, 0.40
_MOST_BEATS = 40


@dataclass(frozen=True, eq=False)
class Heart:
    """The average beat.

    Attributes
    ----------
    shape : ndarray, float64, (L, W), mV
        Mean over the beats that resemble each other.
    agreement : ndarray, float64, (L,)
        Correlation of a beat with the likest half of the others, median over beats.
    time_s : ndarray, float64, (W,)
        Seconds from the QRS.
    """

    shape: NDArray[np.float64]
    agreement: NDArray[np.float64]
    time_s: NDArray[np.float64]


def average_beat(waves: NDArray[np.float32], beats: NDArray[np.int64], fs: float) -> Heart | None:
    """Cut the beats out and compare them with each other; None with fewer than two whole ones.

    Parameters
    ----------
    waves : ndarray, float32, (L, T), mV
        Without baseline.
    beats : ndarray, int64, (K,)
        Samples.
    fs : float
        Hz.
    """
    before, after = round(_BEFORE_S * fs), round(_AFTER_S * fs)
    inside = beats[(beats >= before) & (beats + after <= waves.shape[1])]
    if len(inside) < 2:
        return None
    inside = inside[np.linspace(0, len(inside) - 1, min(len(inside), _MOST_BEATS)).astype(int)]
    span = np.arange(-before, after)
    cut = waves[:, inside[:, None] + span]  # (L, K, W)
    cut -= cut.mean(axis=2, keepdims=True)
    size = np.sqrt(np.einsum("lkw,lkw->lk", cut, cut))
    unit = cut / np.maximum(size, 1e-9)[:, :, None]
    alike = unit @ unit.transpose(0, 2, 1)
    half = max(1, (len(inside) - 1) // 2)
    best = np.sort(alike, axis=2)[:, :, -1 - half : -1].mean(axis=2)  # the last is the beat itself
    agreement = np.median(best, axis=1).astype(np.float64)
    of_beat = best.mean(axis=0)
    usual = of_beat >= np.median(of_beat) - 0.05
    return Heart(cut[:, usual].mean(axis=1).astype(np.float64), agreement, span / fs)
