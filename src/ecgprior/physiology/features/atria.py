"""What the atria do between T and QRS: size, frequency and regularity of f waves.

The signal from T offset (or 250 ms after QRS where T is not known) to 20 ms before the next QRS, without delineated P
waves and where no gap of the signal may hide a beat, each stretch less its mean. Fibrillation gives small waves of drifting frequency; flutter one frequency and its
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

Array = NDArray[np.float64]
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
    size_mv : ndarray, float64, (N,)
        Root mean square.
    frequency_hz : ndarray, float64, (N,)
        Of the sinusoid, between 3 and 9 Hz, that explains most together with its octave.
    regularity : ndarray, float64, (N,)
        The part of the variance that they explain, 0 … 1.
    """

    size_mv: Array
    frequency_hz: Array
    regularity: Array


def f_waves(m: Measured) -> FWaves:
    """Measure the f waves of each ECG (its first 60 s)."""
    fs, n_records = m.fs, m.n_records
    step = max(1, round(fs / _HZ))
    n = int(min(m.strip.n_samples, _LONGEST_S * fs)) // step
    gap, n_gaps = _gaps(m, n, step)
    if fs / step < 4 * _BAND_HZ[1] or n * step < _LEAST_S * fs or not gap.any():
        return FWaves(*np.full((3, n_records), np.nan))
    preferred = m.recorded & np.isin(m.leads, _LEADS)[:, None]
    used = np.where(preferred.any(axis=0), preferred, m.recorded)
    rows = np.flatnonzero(used.any(axis=1))
    used = used[rows]  # (rows, N)
    raw = m.strip.signal.reshape(m.n_leads, n_records, -1)[rows, :, : n * step]
    x: Array = raw.reshape(len(rows), n_records, n, step).astype(np.float64) @ np.full(step, 1 / step)
    whole = np.isfinite(x)
    sums = [np.bincount(gap.ravel(), np.where(fine, row, 0.0).ravel(), n_gaps) for fine, row in zip(whole, x)]
    length = np.bincount(gap.ravel(), minlength=n_gaps)
    mean = np.array(sums).reshape(len(rows), n_gaps) / np.maximum(length, 1)
    good = (gap > 0) & (length[gap] * step >= _LEAST_STRETCH_S * fs) & (whole | ~used[..., None]).all(axis=0)
    x = np.where(good & used[..., None], x - mean[:, gap], 0.0)
    n_good = good.sum(axis=1)
    enough = (n_good * step >= _LEAST_S * fs) & used.any(axis=0)
    variance = np.square(x).sum(axis=(0, 2))
    size = np.where(enough, np.sqrt(variance / np.maximum(n_good * used.sum(axis=0), 1)), np.nan)
    share, hz = _explained(x, fs / step)
    share *= 2 / np.where(size >= 1e-6, n_good * variance, np.inf)[:, None]
    low, high = np.searchsorted(hz, _BAND_HZ)
    both = share[:, low:high] + share[:, 2 * np.arange(low, high)]
    best = np.argmax(both, axis=1)
    regularity = np.minimum(both[np.arange(n_records), best], 1.0)
    large = size >= 1e-6
    return FWaves(size, np.where(large, hz[low + best], np.nan), np.where(large, regularity, np.nan))


def _explained(x: Array, rate: float) -> tuple[Array, Array]:
    """Power of (rows, N, n) summed over rows, four times as dense as the record's length gives: (N, F), and Hz."""
    length = 4 * x.shape[2]
    power = np.square(np.abs(np.fft.rfft(x, length, axis=2))).sum(axis=0)
    return power, np.arange(power.shape[1]) * (rate / length)


def _gaps(m: Measured, n: int, step: int) -> tuple[NDArray[np.int64], int]:
    """The number of the stretch between T and QRS to which each of `n` steps of a record belongs: (N, n); 0 = none.

    And how many numbers there are, 0 included.
    """
    whole = m.marks[0] / step
    each = m.fs / step
    t_end = np.where(np.isfinite(whole[:, 2, 2]), whole[:, 2, 2], whole[:, 1, 2] + _AFTER_QRS_S * each)
    start, stop = t_end[:-1], whole[1:, 1, 0] - _BEFORE_QRS_S * each
    p_on, p_off = whole[1:, 0, 0], whole[1:, 0, 2]
    with_p = (p_on > start) & (p_off < stop)
    of = m.records.of[1:]
    record = np.concatenate([of, of[with_p]])
    firsts = np.concatenate([start, p_off[with_p]])
    lasts = np.concatenate([np.where(with_p, p_on, stop), stop[with_p]])
    known = np.isfinite(firsts) & np.isfinite(lasts)
    same_beat = (of == m.records.of[:-1]) & ~m.beats.hidden[1:]
    known &= np.concatenate([same_beat, same_beat[with_p]])
    order = np.flatnonzero(known)[np.argsort(record[known], kind="stable")]
    record = record[order]
    first = np.clip(np.ceil(firsts[order]), 0, n).astype(np.int64)
    last = np.clip(np.floor(lasts[order]), 0, n).astype(np.int64)
    count = np.bincount(record, minlength=m.n_records)
    before = np.cumsum(count) - count
    number = np.where(last > first, np.arange(1, len(order) + 1) - before[record], 0)
    edge = np.zeros((m.n_records, n + 1), np.int64)
    np.add.at(edge, (record, first), number)
    np.add.at(edge, (record, last), -number)
    inside = np.clip(np.cumsum(edge, axis=1)[:, :n], 0, count[:, None])
    inside[_lone_p(m, n, step)] = 0
    return np.where(inside > 0, inside + before[:, None], 0), len(order) + 1


def _lone_p(m: Measured, n: int, step: int) -> NDArray[np.bool_]:
    """Where a P that no QRS follows lies: (N, n)."""
    waves = [d.lone_p[-1] for d in m.delineations]
    of = np.repeat(np.arange(m.n_records), [len(w) for w in waves])
    at = np.concatenate(waves) / step
    known = np.isfinite(at).any(axis=1)
    of, at = of[known], at[known]
    edge = np.zeros((m.n_records, n + 1), np.int64)
    np.add.at(edge, (of, np.clip(np.floor(np.nanmin(at, axis=1)), 0, n).astype(np.int64)), 1)
    np.add.at(edge, (of, np.clip(np.ceil(np.nanmax(at, axis=1)), 0, n).astype(np.int64)), -1)
    return np.asarray(np.cumsum(edge, axis=1)[:, :n] > 0)
