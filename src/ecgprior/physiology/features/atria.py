"""What the atria do between T and QRS: size, frequency and regularity of f waves.

The signal from T offset (or 250 ms after QRS where T is not known) to 20 ms before the next QRS, without delineated P
waves, each stretch less its mean. Fibrillation gives small waves of drifting frequency; flutter one frequency and its
harmonic, so that a sinusoid and its octave explain most of it. In sinus rhythm what is left is noise and U waves.

What this cannot do: flutter with constant 2:1 conduction hides every second wave in T and QRS; where little is left
between them, the features are NaN and say so.

**Source**: the frequency domain view of f waves is that of Stridh & Sörnmo 2001, IEEE Trans Biomed Eng 48:105; measuring
on the gaps alone, without subtracting QRST, is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .measured import Measured

_LEADS = ("II", "III", "aVF", "V1")
_HZ = 50.0  # rate at which the gaps are looked at
_BAND_HZ = (3.0, 9.0)
_AFTER_QRS_S, _BEFORE_QRS_S = 0.250, 0.020
_LEAST_S, _LEAST_STRETCH_S = 1.0, 0.080
_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class FWaves:
    """f waves over the leads II, III, aVF and V1 (all leads when none of these is there); NaN = too little signal.

    Attributes
    ----------
    size_mv : float
        Root mean square.
    frequency_hz : float
        Of the sinusoid, between 3 and 9 Hz, that explains most together with its octave.
    regularity : float
        The part of the variance that they explain, 0 … 1.
    """

    size_mv: float
    frequency_hz: float
    regularity: float


def f_waves(m: Measured) -> FWaves:
    """Measure the f waves of an ECG (its first 60 s)."""
    step = max(1, round(m.fs / _HZ))
    n = int(min(m.signal.shape[1], _LONGEST_S * m.fs)) // step
    rows = [k for k, lead in enumerate(m.leads) if lead in _LEADS and m.recorded[k]]
    rows = rows or list(np.flatnonzero(m.recorded))
    gap = _gaps(m, n, step)
    if m.fs / step < 4 * _BAND_HZ[1] or m.n_beats < 2 or not rows or gap.max(initial=0) == 0:
        return FWaves(np.nan, np.nan, np.nan)
    x = m.signal[rows, : n * step].reshape(len(rows), n, step).mean(axis=2, dtype=np.float64)
    counts = np.bincount(gap)
    means = np.array(
        [np.bincount(gap, weights=np.where(np.isfinite(row), row, 0.0)) for row in x]
    ) / np.maximum(counts, 1)
    good = (gap > 0) & (counts[gap] * step >= _LEAST_STRETCH_S * m.fs) & np.isfinite(x).all(axis=0)
    if good.sum() * step < _LEAST_S * m.fs:
        return FWaves(np.nan, np.nan, np.nan)
    x = np.where(good, x - means[:, gap], 0.0)
    variance = np.square(x).sum()
    size = float(np.sqrt(variance / (good.sum() * len(rows))))
    if size < 1e-6:
        return FWaves(size, np.nan, np.nan)
    length = 4 * n
    share = 2 * np.square(np.abs(np.fft.rfft(x, length, axis=1))).sum(axis=0) / (good.sum() * variance)
    hz = np.arange(len(share)) * (m.fs / step / length)
    low, high = np.searchsorted(hz, _BAND_HZ)
    both = share[low:high] + share[2 * np.arange(low, high)]
    best = int(np.argmax(both))
    return FWaves(size, float(hz[low + best]), float(min(both[best], 1.0)))


def _gaps(m: Measured, n: int, step: int) -> NDArray[np.int64]:
    """The number (from 1) of the stretch between T and QRS to which each of `n` steps belongs; 0 = none."""
    whole = m.marks[0] / step
    each = m.fs / step
    t_end = np.where(np.isfinite(whole[:, 2, 2]), whole[:, 2, 2], whole[:, 1, 2] + _AFTER_QRS_S * each)
    edge = np.zeros(n + 1, np.int64)
    start, stop = t_end[:-1], whole[1:, 1, 0] - _BEFORE_QRS_S * each
    p_on, p_off = whole[1:, 0, 0], whole[1:, 0, 2]
    with_p = (p_on > start) & (p_off < stop)
    firsts = np.concatenate([start, p_off[with_p]])
    lasts = np.concatenate([np.where(with_p, p_on, stop), stop[with_p]])
    known = np.isfinite(firsts) & np.isfinite(lasts)
    first = np.clip(np.ceil(firsts[known]), 0, n).astype(np.int64)
    last = np.clip(np.floor(lasts[known]), 0, n).astype(np.int64)
    order = np.flatnonzero(last > first)
    np.add.at(edge, first[order], order + 1)
    np.add.at(edge, last[order], -(order + 1))
    inside = np.cumsum(edge)[:n]
    return np.clip(inside, 0, len(first))
