"""Noise on electrodes: nine of them, so that what a real amplifier keeps – Einthoven's law – is kept here too.

Baseline wander follows breathing and slow skin potentials; muscle noise comes in bursts; mains hum has one phase and
a size per electrode; now and then one electrode moves. Sizes are drawn per ECG, most of them small.

**Source**: kinds of noise as in Moody, Muldrow & Mark 1984, Computers in Cardiology 11:381; sizes ours, compared with
PTB-XL's normals by ``benchmarks/simulator.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .draws import Draws, generator

VISIT = ("wander_mv", "wander_breath", "muscle_mv", "burst", "burst_at", "mains_mv", "mains_hz", "motion", "motion_mv",
         "motion_at", "motion_s", "motion_which")  # fmt: skip
"""Uniform draws of a visit that this module uses."""

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")
_N_SLOW = 3

# Leads I, II, V1–V6 from electrodes; Wilson's terminal is the mean of RA, LA, LL.
MONTAGE = np.zeros((8, 9), np.float32)
MONTAGE[0, :2] = -1, 1
MONTAGE[1, [0, 2]] = -1, 1
MONTAGE[2:, 3:] = np.eye(6)
MONTAGE[2:, :3] = -1 / 3


def electrode_noise(
    seed: int, indices: list[int], visit: Draws, breath_hz: NDArray[np.float64], shape: tuple[int, float]
) -> NDArray[np.float32]:
    """Noise of a batch as the eight independent leads see it.

    Parameters
    ----------
    seed, indices : int and list of int, (B,)
        Which ECGs.
    visit : Draws
        Names :data:`VISIT`.
    breath_hz : ndarray, float64, (B,)
    shape : (int, float)
        Samples, and sampling rate in Hz.

    Returns
    -------
    ndarray, float32, (B, 8, time), mV
    """
    n, fs = shape
    time = (np.arange(n) / fs).astype(np.float32)
    out = np.empty((len(indices), 9, n), np.float32)
    coefficients = np.empty((len(indices), 9, 3 + 2 * _N_SLOW + 2))
    for row, index in enumerate(indices):
        rng = generator(seed, 3, index)
        coefficients[row] = rng.standard_normal(coefficients.shape[1:])
        rng.standard_normal(dtype=np.float32, out=out[row])
    _colour(out, fs)
    out *= _muscle(visit, coefficients[:, :, 0], time)
    out += np.matmul(*_tones(visit, coefficients[:, :, 1:], breath_hz, time))
    _motion(out, visit, time)
    return np.matmul(MONTAGE, out)


def _colour(white: NDArray[np.float32], fs: float) -> None:
    """In place: white noise with less below 20 Hz, as muscle has (one zero near 0 Hz); its variance stays 1."""
    keep = np.float32(np.exp(-2 * np.pi * 25 / fs))
    white[..., 1:] -= keep * white[..., :-1]
    white /= np.sqrt(1 + keep**2)


def _muscle(visit: Draws, sizes: NDArray[np.float64], time: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation in mV over time: (B, 9, time) or (B, 9, 1), broad bursts in one ECG of six."""
    level = visit.lognormal("muscle_mv", 0.0009, 0.6)[:, None] * np.exp(0.35 * sizes.clip(-2, 2))
    burst = np.where(visit.uniform("burst") < 1 / 6, 3.0, 0.0)[:, None]
    centre = (visit.uniform("burst_at") * time[-1])[:, None]
    envelope = 1 + burst * np.exp(-0.5 * ((time - centre) / 0.9) ** 2)
    return (level[:, :, None] * envelope[:, None, :]).astype(np.float32)


def _tones(
    visit: Draws, normal: NDArray[np.float64], breath_hz: NDArray[np.float64], time: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (B, 9, tone) and tones (B, tone, time) of wander and hum."""
    slow_hz = 0.03 + 0.27 * np.abs(np.tanh(normal[:, 0, -_N_SLOW:]))
    mains_hz = np.where(visit.uniform("mains_hz") < 0.85, 50.0, 60.0)
    hz = np.concatenate([breath_hz[:, None], slow_hz, mains_hz[:, None]], axis=1)[:, :, None] * time
    angle = (2 * np.pi * (hz - np.floor(hz))).astype(np.float32)
    tones = np.concatenate([np.sin(angle), np.cos(angle[:, :-1])], axis=1)
    wander = visit.lognormal("wander_mv", 0.035, 0.75)[:, None, None]
    breath = visit.uniform("wander_breath", 0.2, 1.2)[:, None, None]
    too_fast = mains_hz >= 0.45 / float(time[1] - time[0])
    hum = np.where(too_fast, 0.0, visit.lognormal("mains_mv", 0.0003, 1.3))[:, None, None]
    k = 1 + _N_SLOW
    size = np.concatenate([wander * breath, *[wander / np.sqrt(_N_SLOW)] * _N_SLOW, hum], axis=2)
    size = np.concatenate([size, size[:, :, :k]], axis=2)
    return (normal[:, :, : 2 * k + 1] * size).astype(np.float32), tones


def _motion(out: NDArray[np.float32], visit: Draws, time: NDArray[np.float32]) -> None:
    """In place: one electrode in one ECG of twelve jumps and comes back."""
    for row in np.flatnonzero(visit.uniform("motion") < 1 / 12):
        which = int(visit.uniform("motion_which")[row] * 9)
        since = time - visit.uniform("motion_at")[row] * time[-1]
        length = visit.uniform("motion_s", 0.15, 0.7)[row]
        rise = 1 / (1 + np.exp(-(since / 0.04).clip(-30, 30)))
        out[row, which] += visit.gauss("motion_mv", 0, 0.5)[row] * rise * np.exp(-since.clip(0) / length)
