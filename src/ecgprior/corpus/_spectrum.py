"""A descriptor of an ECG that knows nothing of hearts: how strong each lead is in fifteen bands of frequency.

It stands in for measured physiology where the question is whether physiology matters: the same bands would describe
any sound. No beat is looked for, nothing is averaged over beats. Rate and voltage leave their trace in it all the
same, as in every description of the signal.

The bands lie between 0.5 and 40 Hz, side by side and equally wide on the scale log(1 + f / 5 Hz) – linear for slow
waves, logarithmic for fast ones, as the mel scale is for sound. Ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CORNER, _LOW, _HIGH, _RANGES, _BANDS = 5.0, 0.5, 40.0, 5, 3
EDGES = _CORNER * np.expm1(
    np.linspace(np.log1p(_LOW / _CORNER), np.log1p(_HIGH / _CORNER), _RANGES * _BANDS + 1)
)
"""Of the bands, in Hz: float64, (16,)."""

FLOOR = 1e-6
"""Added to a band's power, in mV²: a microvolt. A flat line has a logarithm too."""

_SHORTEST_S = 4.0
"""Shorter signals are filled up with zeros, so that every band holds some frequencies."""
_FEWEST = 0.5
"""A lead of which less is there has no spectrum."""


def spectrum_names(leads: Sequence[str]) -> tuple[str, ...]:
    """Names of the values, lead after lead: ``range1_band1_db.I`` … ``range5_band3_db.V6``.

    Three neighbouring bands are a range; the ranges are the descriptor's blocks.
    """
    return tuple(
        f"range{part + 1}_band{band + 1}_db.{lead}"
        for lead in leads
        for part in range(_RANGES)
        for band in range(_BANDS)
    )


def log_spectra(signal: NDArray[np.floating], fs: float) -> NDArray[np.float64]:
    """Power of each lead in each band.

    Parameters
    ----------
    signal : ndarray, float, (L, T), mV
        NaN = not there. A lead's mean is taken off, what is missing of it is then 0.
    fs : float
        Hz.

    Returns
    -------
    ndarray, float64, (L, 15)
        10 log10(power + 1e-6 mV²) in dB over 1 mV²; power = the mean square of what the lead has in the band, by a
        Hann window. NaN where half of the lead or more is missing, and in bands above half of `fs`.
    """
    there = np.isfinite(signal)
    samples = signal.shape[1]
    count = there.sum(axis=1, keepdims=True)
    mean = np.where(there, signal, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    window = np.sin(np.pi * (np.arange(samples) + 0.5) / samples) ** 2
    weight = np.where(there, window, 0.0)
    length = max(samples, int(np.ceil(_SHORTEST_S * fs)))
    found = np.fft.rfft(np.where(there, signal - mean, 0.0) * window, length, axis=1)
    scale = np.maximum(length * np.square(weight).sum(axis=1, keepdims=True), 1e-12)
    power = 2.0 * np.square(np.abs(found)) / scale
    first = np.searchsorted(np.fft.rfftfreq(length, 1.0 / fs), EDGES)  # a band holds its lower edge
    upto = np.concatenate([np.zeros((len(signal), 1)), np.cumsum(power, axis=1)], axis=1)
    out = 10.0 * np.log10(np.diff(upto[:, first], axis=1).clip(min=0.0) + FLOOR)
    out[:, EDGES[1:] > fs / 2] = np.nan
    out[count[:, 0] <= _FEWEST * samples] = np.nan
    return out
