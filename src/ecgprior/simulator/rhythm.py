"""When the beats come: sinus rhythm that breathes, atrial fibrillation, premature ventricular beats.

**Source**: respiratory and slow (Mayer) components of the RR interval as in McSharry et al. 2003, IEEE Trans Biomed
Eng 50:289, drawn here in the time domain; fibrillation: independent gamma intervals above a refractory time, ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .draws import Draws

LEAD_S = 1.2
"""Beats begin this long before the record, so that a T wave can reach into it."""

VISIT = ("start", "breath_hz", "breath_phase", "mayer_phase", "rr_sd", "af_spread", "pvc_share", "pvc_place",
         "pvc_coupling", "breath_gain", "f_hz", "f_mv", "f_drift", "f_phase", "f_second", "f_x", "f_y")  # fmt: skip
"""Uniform draws of a visit that this module uses."""

_MIN_RR_S = 0.34


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The beats of B ECGs, laid end to end: M beats in all.

    Attributes
    ----------
    ecg : ndarray, int64, (M,)
        To which ECG a beat belongs, not decreasing.
    time : ndarray, float64, (M,), s
        Time of the main deflection from the first sample; may lie before 0 or after the end.
    ectopic : ndarray, bool, (M,)
    gain : ndarray, float64, (M,)
        Amplitude factor of the beat, from breathing.
    stretch : ndarray, float64, (M,)
        Factor on the time of T, from the intervals before it.
    breath_hz : ndarray, float64, (B,)
    """

    ecg: NDArray[np.int64]
    time: NDArray[np.float64]
    ectopic: NDArray[np.bool_]
    gain: NDArray[np.float64]
    stretch: NDArray[np.float64]
    breath_hz: NDArray[np.float64]


def n_beats(seconds: float) -> int:
    """Beats drawn for an ECG of this length: as many as could come at the shortest interval."""
    return int(np.ceil((seconds + 2 * LEAD_S) / _MIN_RR_S)) + 2


def draw_rhythm(
    rr_s: NDArray[np.float64],
    age: NDArray[np.float64],
    fibrillating: NDArray[np.bool_],
    premature: NDArray[np.bool_],
    visit: Draws,
    seconds: float,
) -> Rhythm:
    """Beat times of a batch.

    Parameters
    ----------
    rr_s, age : ndarray, float64, (B,), s and years
        Mean RR interval; age (the young breathe more in their rhythm).
    fibrillating, premature : ndarray, bool, (B,)
        Atrial fibrillation; at least one premature ventricular beat well inside the record.
    visit : Draws
        Names :data:`VISIT`; ``2 * n_beats(seconds)`` normal numbers a row.
    seconds : float
        Length of the record.
    """
    n = n_beats(seconds)
    noise, second = visit.normal[:, :n], visit.normal[:, n : 2 * n]
    breath_hz = np.clip(visit.gauss("breath_hz", 0.24, 0.045), 0.13, 0.40)
    time = _sinus(rr_s, age, noise, breath_hz, visit)
    time = np.where(fibrillating[:, None], _fibrillation(rr_s, noise, second, visit), time)
    ectopic, time = _premature(time, premature, visit, seconds)
    keep = time <= seconds + 0.5
    phase = 2 * np.pi * (breath_hz[:, None] * time + visit.uniform("breath_phase")[:, None])
    gain = 1 + visit.uniform("breath_gain", 0.0, 0.07)[:, None] * np.sin(phase)
    before = np.diff(time, axis=1, prepend=time[:, :1] - rr_s[:, None])
    slow = 0.75 * rr_s[:, None] + 0.25 * before
    stretch = np.clip(np.cbrt(slow / rr_s[:, None]), 0.85, 1.12)
    ecg = np.broadcast_to(np.arange(len(rr_s))[:, None], time.shape)
    return Rhythm(ecg[keep], time[keep], ectopic[keep], gain[keep], stretch[keep], breath_hz)


def _sinus(
    rr_s: NDArray[np.float64], age: NDArray[np.float64], noise: NDArray, breath_hz: NDArray, visit: Draws
) -> NDArray[np.float64]:
    spread = visit.lognormal("rr_sd", 0.036, 0.65) * np.exp(-(age - 55) / 80) * rr_s
    spread = np.minimum(spread, 0.12 * rr_s)
    breath, mayer = 1.15 * spread, 0.6 * spread
    now = -LEAD_S + visit.uniform("start") * rr_s
    times = []
    for k in range(noise.shape[1]):
        times.append(now)
        step = rr_s + breath * np.sin(2 * np.pi * (breath_hz * now + visit.uniform("breath_phase")))
        step = step + mayer * np.sin(2 * np.pi * (0.1 * now + visit.uniform("mayer_phase")))
        now = now + np.maximum(step + 0.35 * spread * noise[:, k], _MIN_RR_S)
    return np.stack(times, axis=1)


def _fibrillation(rr_s: NDArray[np.float64], noise: NDArray, second: NDArray, visit: Draws) -> NDArray[np.float64]:
    """Gamma-like intervals: skewed, independent, never shorter than a refractory time."""
    spread = visit.uniform("af_spread", 0.14, 0.30)[:, None]
    drawn = np.exp(spread * noise.clip(-2.5, 3) - spread**2 / 2) * (1 + 0.05 * second.clip(-2, 2))
    steps = np.maximum(rr_s[:, None] * drawn, _MIN_RR_S)
    start = -LEAD_S + visit.uniform("start")[:, None] * rr_s[:, None]
    return start + np.concatenate([np.zeros_like(start), np.cumsum(steps[:, :-1], axis=1)], axis=1)


def _premature(
    time: NDArray[np.float64], premature: NDArray[np.bool_], visit: Draws, seconds: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Draw some beats forward; the beat after each stays where it was, which is the compensatory pause."""
    place = (visit.uniform("pvc_place", 0.35, 0.75) * seconds)[:, None]
    sure = np.argmin(np.abs(time - place), axis=1)
    n = time.shape[1]
    order = np.arange(n)[None, :]
    every = np.maximum(2, np.round(1 / visit.uniform("pvc_share", 0.06, 0.30))).astype(int)[:, None]
    chosen = ((order - sure[:, None]) % every == 0) & (order > 0) & premature[:, None]
    before = np.diff(time, axis=1, prepend=time[:, :1] - 1.0)
    coupling = visit.uniform("pvc_coupling", 0.52, 0.72)[:, None]
    early = np.maximum(time - before + coupling * before, time - before + 0.30)
    return chosen, np.where(chosen, np.minimum(early, time), time)


def f_waves(
    dipole_shape: tuple[int, int, int], fibrillating: NDArray[np.bool_], visit: Draws, fs: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The atria's dipole in fibrillation: two drifting oscillations of 4–8 Hz, largest in V1 and inferior leads.

    Parameters
    ----------
    dipole_shape : tuple of int
        (B, 3, T).
    fibrillating : ndarray, bool, (B,)
    visit : Draws
    fs : float, Hz

    Returns
    -------
    which : ndarray, int64, (A,)
        The ECGs that fibrillate.
    dipole : ndarray, float32, (A, 3, T), mV

    Notes
    -----
    **Source**: sawtooth model of Stridh & Sörnmo 2001, IEEE Trans Biomed Eng 48:105 (fundamental with modulated
    frequency and amplitude, a harmonic); the second oscillation, in another direction, is ours.
    """
    which = np.flatnonzero(fibrillating)
    time = np.arange(dipole_shape[2]) / fs
    pick = lambda name, *a: visit.uniform(name, *a)[which][:, None]  # noqa: E731
    drift = np.sin(2 * np.pi * (pick("f_drift", 0.1, 0.4) * time + pick("f_second")))
    phase = 2 * np.pi * (pick("f_hz", 4.5, 7.5) * time + pick("f_phase")) + 1.8 * drift
    size = visit.lognormal("f_mv", 0.045, 0.5)[which][:, None]
    size = size * (1 + 0.4 * np.sin(2 * np.pi * (0.37 * time + pick("f_phase"))))
    first = size * (np.sin(phase) + 0.35 * np.sin(2 * phase + 1.0))
    second = 0.6 * size * np.sin(1.31 * phase + 2.2 * drift)
    x, y = pick("f_x", -0.9, -0.1), pick("f_y", 0.3, 1.0)
    dipole = np.stack([x * first + 0.4 * second, y * first - 0.5 * second, -0.4 * first - 0.3 * second], axis=1)
    return which, dipole.astype(np.float32)

