"""Q, R, S and R′ of the median beat: how high, how long, notched or not.

The usual beats of a lead, aligned and each against its PQ level, give one median beat. Within QRS it is divided where
it crosses zero into positive and negative deflections; one counts when it exceeds 0.03 mV and three times the noise
that is left. The first negative one before any positive is Q, the highest positive one R, the deepest negative one
after the first positive is S; a QRS with no positive deflection is a QS and counts as S, because that is what voltage
and progression are read from. A positive one that follows an S is an R′.

**Source**: CSE Working Party 1985, Eur Heart J 6:815 (waves by zero crossings, least wave; theirs is 0.02 mV and
6 ms on a signal with less noise); Surawicz et al. 2009, AHA/ACCF/HRS part III (R′, notch, R peak time).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEAST_MV = 0.03
_MOST = 7  # deflections looked at
_OPEN_S = 0.004


@dataclass(frozen=True, slots=True)
class Deflections:
    """The median QRS of each lead and record: float64, (L, N); amplitudes in mV are 0 where there is no such deflection.

    NaN everywhere in a lead without a median beat; ``r_peak_ms`` (from QRS onset) NaN without R. ``r_until``: the sample
    of the median beat with which the last positive deflection ends, −1 without one.
    """

    q_mv: Array
    q_ms: Array
    r_ms: Array
    s_mv: Array
    s_ms: Array
    r_prime_mv: Array
    r_prime_ms: Array
    r_peak_ms: Array
    r_notch_mv: Array
    terminal_mv: Array
    r_until: Array


def deflections(beat: Array, fs: float, onset: Array, offset: Array, noise: Array) -> Deflections:
    """Measure the deflections of a median beat.

    Parameters
    ----------
    beat : ndarray, float64, (L, N, W), mV
        Against its PQ level; a lead that is not known is NaN.
    fs : float, Hz
    onset, offset : ndarray, float64, (L, N), samples of `beat`
        Where QRS begins and ends.
    noise : ndarray, float64, (L, N), mV
        Standard deviation of what noise is left in `beat`.
    """
    shape, beat = onset.shape, beat.reshape(-1, beat.shape[-1])
    onset, offset, noise = onset.ravel(), offset.ravel(), noise.ravel()
    known = np.isfinite(beat).all(axis=1) & np.isfinite(onset) & np.isfinite(offset)
    beat, onset, offset = (
        np.where(known[:, None] if a.ndim == 2 else known, a, 0) for a in (beat, onset, offset)
    )
    index = np.arange(beat.shape[1])
    inside = (index >= np.round(onset)[:, None]) & (index <= np.round(offset)[:, None])
    least = np.maximum(LEAST_MV, 3 * np.nan_to_num(noise))[:, None]
    sign, number = _divide(np.where(inside, beat, 0.0), least, inside)
    height, time = _measure(beat, sign, number, inside)
    time *= 1000 / fs
    height[_ends_open(beat, number, inside, max(1, round(_OPEN_S * fs)))] = 0
    order = np.arange(1, _MOST + 1)
    first = sign[np.arange(len(beat)), np.argmax(number == 1, axis=1)]  # of the first deflection; 0 = none
    positive = (order % 2 == 1) == (first > 0)[:, None]
    positive &= height > 0
    first_r = np.where(positive.any(axis=1), np.argmax(positive, axis=1) + 1, 0)[:, None]
    q = (order == 1) & (first < 0)[:, None] & (first_r > 0)
    s = ~positive & (height > 0) & (order > first_r)
    r_prime = positive & (order > first_r) & (first_r > 0)
    nan = lambda a: np.where(known, a, np.nan).reshape(shape)  # noqa: E731
    main = (number == _largest(positive, height) + 1) & positive.any(axis=1)[:, None] & (beat > 0)
    peak = np.argmax(np.where(main, beat, -np.inf), axis=1)
    return Deflections(
        q_mv=nan(-_of(q, height, height)),
        q_ms=nan(_of(q, time, height)),
        r_ms=nan(_of(positive, time, height)),
        s_mv=nan(-_of(s, height, height)),
        s_ms=nan(_of(s, time, height)),
        r_prime_mv=nan(_of(r_prime, height, height)),
        r_prime_ms=nan(_of(r_prime, time, height)),
        r_peak_ms=nan(np.where(main.any(axis=1), (peak - onset) * 1000 / fs, np.nan)),
        r_notch_mv=nan(_notch(beat, main)),
        terminal_mv=nan(_terminal(beat, inside, round(0.040 * fs))),
        r_until=nan(_until(number, positive)),
    )


def _divide(y: Array, least: Array, inside: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sign and number (from 1; 0 outside) of the deflection to which each sample belongs: (L, W) each."""
    index = np.arange(y.shape[1])
    sure = (y > least).astype(np.int8) - (y < -least)
    row = y.shape[1] * np.arange(len(y))[:, None]
    take = lambda a, at: a.take(row + at)  # noqa: E731
    last = np.maximum.accumulate(np.where(sure != 0, index, 0), axis=1)
    following = np.minimum.accumulate(np.where(sure != 0, index, len(index) - 1)[:, ::-1], axis=1)[:, ::-1]
    before, after = take(sure, last), take(sure, following)
    crossings = np.cumsum((np.sign(y) != before) & (sure == 0), axis=1)
    crossed = crossings > take(crossings, last)
    sign = np.where(sure != 0, sure, np.where((crossed & (after != 0)) | (before == 0), after, before))
    sign = np.where(inside, sign, 0)
    turns = (sign != 0) & (sign != np.concatenate([np.zeros_like(sign[:, :1]), sign[:, :-1]], axis=1))
    return sign, np.where(sign != 0, np.cumsum(turns, axis=1), 0)


def _measure(
    beat: Array, sign: NDArray[np.int64], number: NDArray[np.int64], inside: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Height (mV, ≥ 0) and duration (samples) of each lead's first deflections: (L, 7) each.

    Duration is the time that straight lines between the samples spend on the deflection's side of zero.
    """
    up, down = np.maximum(beat, 0), np.maximum(-beat, 0)
    span = np.abs(beat[:, 1:]) + np.abs(beat[:, :-1])
    span = np.where(inside[:, 1:] & inside[:, :-1] & (span > 0), span, np.inf)
    above, below = (up[:, 1:] + up[:, :-1]) / span, (down[:, 1:] + down[:, :-1]) / span
    height, time = np.zeros((len(beat), _MOST)), np.zeros((len(beat), _MOST))
    for k in range(min(_MOST, int(number.max(initial=0)))):
        mine = number == k + 1
        height[:, k] = np.where(mine, beat * sign, 0).max(axis=1)
        either = mine[:, 1:] | mine[:, :-1]
        which = np.where(mine, sign, 0).max(axis=1) > 0
        time[:, k] = np.where(either, np.where(which[:, None], above, below), 0).sum(axis=1)
    return height, time


def _ends_open(
    beat: Array, number: NDArray[np.int64], inside: NDArray[np.bool_], n: int
) -> NDArray[np.bool_]:
    """The last deflection when its extreme lies within the last `n` samples of QRS: (L, 7)."""
    last = number.max(axis=1, initial=0)
    extreme = np.argmax(np.where((number == last[:, None]) & inside, np.abs(beat), -1), axis=1)
    end = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    return ((extreme > end - n) & (last > 0))[:, None] & (np.arange(1, _MOST + 1) == last[:, None])


def _until(number: NDArray[np.int64], positive: NDArray[np.bool_]) -> Array:
    """Last sample of the last positive deflection: (L,); −1 where there is none."""
    last = np.where(positive, np.arange(1, _MOST + 1), 0).max(axis=1)[:, None]
    mine = (number == last) & (last > 0)
    return np.where(mine, np.arange(number.shape[1]), -1).max(axis=1, initial=-1).astype(np.float64)


def _of(which: NDArray[np.bool_], values: Array, height: Array) -> Array:
    """The value of the largest of some deflections: (L,); 0 where there is none."""
    largest = values[np.arange(len(values)), _largest(which, height)[:, 0]]
    return np.where(which.any(axis=1), largest, 0.0)


def _largest(which: NDArray[np.bool_], height: Array) -> NDArray[np.int64]:
    """Place (L, 1) of the largest of some deflections."""
    return np.argmax(np.where(which, height, -1.0), axis=1)[:, None]


def _notch(beat: Array, main: NDArray[np.bool_]) -> Array:
    """Depth of the deepest dip between two tops of the R wave: (L,), mV; 0 = one top."""
    y = np.where(main, beat, 0.0)
    left = np.maximum.accumulate(y, axis=1)
    right = np.maximum.accumulate(y[:, ::-1], axis=1)[:, ::-1]
    return np.where(main, np.minimum(left, right) - y, 0.0).max(axis=1)


def _terminal(beat: Array, inside: NDArray[np.bool_], n: int) -> Array:
    """Mean of the last `n` samples of QRS: (L,), mV."""
    end = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    late = inside & (np.arange(inside.shape[1]) > end[:, None] - n)
    return (beat * late).sum(axis=1) / np.maximum(late.sum(axis=1), 1)
