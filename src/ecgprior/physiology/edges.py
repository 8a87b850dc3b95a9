"""Edges that look like beats: a step of an electrode, a spike of a pacemaker that no heart answers.

An edge is over within a few milliseconds; before it there is nothing, and after it the trace stays, or goes back on an
exponential (a high-pass filter, a polarised electrode), which is steepest at once and then ever less. A QRS takes tens
of milliseconds, and is steep more than once. So numbers are taken of each beat: how much of its steepness (squared
slope) 12 ms hold; how fast the slope itself changes; and, with the edge cut out, how steep the trace *gets again* before
it or after it, against the trace's usual slope and against the edge's height. A captured QRS is steep
after its spike; an exponential is not, however steep it begins. A QRS is an edge in one of four ways:

1. nothing is left of it without its steepest place, the less the more abrupt it is;
2. the same, without up to three places, each abrupt by itself, and no T wave follows: two steps within a QRS's time, the
   spikes of two chambers;
3. it is narrow and abrupt, and without the whole of it nothing is left, no ST and no T wave: a low-passed spike in noise;
4. it is alone for seconds and has no ST or T wave, whatever its shape: what low-passed steps look like once in a while.

No loop over beats.

**Source**: our own rule. Coefficients were fitted to made-up steps and spikes and to real recordings
(``docs/physiology.md``, ``log/2026-11-22-edges.md``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .peaks import HALF_WIDTH, SLOPE_SPAN, usual_slope
from .rules import Rules

_AROUND = 4  # samples by which a QRS is widened on either side
_CUT = 2  # slopes on either side of the steepest that belong to an edge
_SEVERAL = 3  # edges at most that are cut out
_NEAR = 3  # slopes on either side of a further edge that tell whether it is one …
_ABRUPT, _APART = 1.3, 1.0  # … by how fast they change: within the QRS, and outside it
_BEFORE, _AFTER, _LATER = 21, 38, 110  # samples around it in which slopes are looked at; the last for T waves
_SOFT = np.array([1, 2, 2, 2, 1], np.float32) / 8  # takes off what an edge rings at: 125 and 62.5 Hz
_REACH = (SLOPE_SPAN + len(_SOFT) - 1) // 2  # samples on either side of a slope's middle it is taken from
_FAR = 1e3  # mV, more than any slope
_LEAST = 0.01  # rest times share of a QRS that is flat but for one slope
_SHARP = 1.2  # change of slope from which several edges may be cut out of a QRS …
_SLOPE, _SMOOTH = 0.25, 0.65  # … rest times share is less than so much of the change above the second …
_REST, _HELD = 7.0, 0.93  # … rest less than this, and more than this part of the squared slope is cut out
_T_WAVE = 7.0  # … and so is what comes after the QRS: sharp narrow QRS keep their T wave
_BARE_CHANGE, _BARE_WIDTH, _BARE_SHARE = 0.9, 17, 0.2  # narrow: less than 68 ms
_BARE_REST = 5.0  # ST and T of a QRS that is narrow, or alone, are at least so steep


def edges(
    signal: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    waves: NDArray[np.float64],
    alone: NDArray[np.bool_],
    rules: Rules,
) -> NDArray[np.bool_]:
    """Which QRS are steps and spikes and nothing more.

    Parameters
    ----------
    signal, smoothed : ndarray, float32, (L, T), mV
        The trace at 250 Hz, T ≥ 5, and the same smoothed over 20 ms.
    waves : ndarray, float64, (K, 3), samples
        Onset, peak and offset of each QRS over all leads; the peak, or both boundaries, are finite.
    alone : ndarray, bool, (K,)
        There is hardly another one around.
    rules : Rules

    Returns
    -------
    ndarray, bool, (K,)
        True = an edge in one of the four ways; all False where `edge_share` is above 1.
    """
    change, held, wide, at = abruptness(signal, waves)
    width = np.nan_to_num(waves[:, 2] - waves[:, 0], nan=np.inf)
    bound = rules.edge_level * (change * held / np.maximum(1 - held, 1e-3)) ** 3
    several, thin = change >= _SHARP, _SLOPE * (change - _SMOOTH)
    asked = several | (bound > _LEAST) | ((thin > _LEAST) & (wide > _HELD))
    bare = (change > _BARE_CHANGE) & (width < _BARE_WIDTH)
    found = np.zeros(len(waves), bool)
    if rules.edge_share > 1 or not (asked | bare | alone).any():  # the others cannot be edges
        return found
    some = asked | bare | alone
    cut = signal, usual_slope(smoothed), waves[some], at[some], several[some]
    rest, share, taken = left_over(*cut)
    late, late_share, _ = left_over(*cut, whole=True)
    one = ~several[some] & (rest < rules.edge_rest) & (rest * share < bound[some])
    more = (rest < _REST) & (rest * share < thin[some]) & (taken > _HELD) & (late < _T_WAVE)
    little = bare[some] & (late_share < _BARE_SHARE)
    found[some] = (asked[some] & (one | more)) | ((alone[some] | little) & (late < _BARE_REST))
    return found


def _spans(waves: NDArray[np.float64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First sample of each QRS and the one after its last, widened by 16 ms; (K, 3) fiducials, NaN = not known."""
    peak = np.where(np.isnan(waves[:, 1]), 0.5 * (waves[:, 0] + waves[:, 2]), waves[:, 1])
    onset = np.where(np.isnan(waves[:, 0]), peak - HALF_WIDTH, waves[:, 0])
    offset = np.where(np.isnan(waves[:, 2]), peak + HALF_WIDTH, waves[:, 2])
    start = np.clip(np.floor(onset).astype(np.int64) - _AROUND, 0, max(0, n - 4))
    return start, np.clip(np.ceil(offset).astype(np.int64) + _AROUND + 1, start + 3, n - 1)


def abruptness(
    trace: NDArray[np.float32], waves: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """How abrupt each QRS is.

    Parameters
    ----------
    trace : ndarray, float32, (L, T), mV
        At 250 Hz, not smoothed, T ≥ 5.
    waves : ndarray, float64, (K, 3), samples
        Onset, peak and offset of each QRS over all leads; the peak, or both boundaries, are finite.

    Returns
    -------
    change : ndarray, float64, (K,)
        Mean square of the slope's change over that of the slope, 0 to 4: about 0.4 for a QRS, 2 for a step, 3 for a spike.
    held, wide : ndarray, float64, (K,)
        What part of the squared slope the steepest 12 ms hold: about 0.5, and 0.9; and the 20 ms around them.
    at : ndarray, int64, (K,)
        The sample from which the middle one of these slopes goes.
    """
    start, stop = _spans(waves, trace.shape[1])
    step = np.arange((stop - start).max() + 1)
    inside = step[:-1] < (stop - start)[:, None]
    cut = trace[:, np.minimum(start[:, None] + np.append(step, step[-1] + 1), trace.shape[1] - 1)]
    bend, steep = _squares(cut)
    steep = np.pad(steep[:, :-1] * inside, ((0, 0), (1, 1)))
    total = np.maximum(steep.sum(axis=1), 1e-12)
    three = steep[:, 1:-3] + steep[:, 2:-2] + steep[:, 3:-1]
    first, row = three.argmax(axis=1), np.arange(len(steep))
    held = three[row, first]
    wide = held + steep[row, first] + steep[row, first + 4]
    change = (bend * inside).sum(axis=1) / total
    return change, held / total, wide / total, start + first + 1


def left_over(
    trace: NDArray[np.float32],
    usual: NDArray[np.float32],
    waves: NDArray[np.float64],
    at: NDArray[np.int64],
    several: NDArray[np.bool_],
    *,
    whole: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What is steep beside the edges of each QRS.

    Parameters
    ----------
    trace : ndarray, float32, (L, T), mV
        At 250 Hz, not smoothed.
    usual : ndarray, float32, (L,), mV
        Each lead's usual slope (:func:`~ecgprior.physiology.peaks.usual_slope`).
    waves : ndarray, float64, (K, 3), samples
        As for :func:`abruptness`.
    at : ndarray, int64, (K,)
        Of :func:`abruptness`.
    several : ndarray, bool, (K,)
        True = the two next steepest places are cut out too, where they are abrupt; False = only those outside the QRS.
    whole : bool
        True = all of the QRS is cut out, and it is looked on for 440 ms.

    Returns
    -------
    rest : ndarray, float64, (K,)
        The largest return of steepness within 60 ms before the steepest place, 120 ms after it, and from one cut to the next, over
        the usual slope; root mean square over leads.
    share : ndarray, float64, (K,)
        The same slopes over the height of the steepest edge, over all leads.
    held : ndarray, float64, (K,)
        What part of the QRS's squared slope was cut out.
    """
    n, middle = trace.shape[1], _BEFORE + _REACH
    first, after = at - middle, _LATER if whole else _AFTER
    cut = trace[:, np.clip(first[:, None] + np.arange(middle + after + _REACH + 1), 0, n - 1)]
    bend, steep = _squares(cut)
    start, stop = _spans(waves, n)
    sample = first[:, None] + np.arange(steep.shape[1])
    inside = (sample >= start[:, None]) & (sample < stop[:, None])
    out = _edges_of(bend, steep, inside, several)
    if whole:
        out |= inside
    soft = _slopes(cut)
    windows = np.lib.stride_tricks.sliding_window_view(out, 2 * _REACH, axis=1)
    gone: NDArray[np.bool_] = np.asarray(windows.any(axis=2))
    part = np.cumsum(np.diff(gone, axis=1, prepend=gone[:, :1]), axis=1) * _FAR  # from one cut to the next
    flattest = np.minimum.accumulate(np.where(gone, np.inf, soft) - part, axis=2) + part
    again = np.where(gone, 0.0, soft - flattest).max(axis=2)
    edge = cut[:, :, middle - _CUT : middle + _CUT + 3]
    height = np.abs(edge - edge[:, :, :1]).max(axis=2)
    rest = np.sqrt(np.square(again / usual[:, None]).mean(axis=0))
    size = np.square(height, dtype=np.float64).sum(axis=0)
    share = np.sqrt(np.square(again).sum(axis=0) / np.maximum(size, 1e-12))
    steep = steep * inside
    return rest, share, (steep * out).sum(axis=1) / np.maximum(steep.sum(axis=1), 1e-12)


def _edges_of(
    bend: NDArray[np.float64],
    steep: NDArray[np.float64],
    inside: NDArray[np.bool_],
    several: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(K, W): which slopes belong to the edge in the middle, or to further ones that are as abrupt."""
    slope = np.arange(steep.shape[1])
    out = np.zeros(steep.shape, bool)
    out[:, _BEFORE + _REACH - _CUT : _BEFORE + _REACH + _CUT + 1] = True
    for _ in range(_SEVERAL - 1):
        left = np.where(out, 0.0, steep)
        three = left[:, :-2] + left[:, 1:-1] + left[:, 2:]
        spot = three[:, _NEAR:-_NEAR].argmax(axis=1) + _NEAR + 1
        away = slope - spot[:, None]
        near = np.abs(away) <= _NEAR
        turns = (bend * (near | (away == -_NEAR - 1))[:, :-1]).sum(axis=1)
        least = np.where(inside[np.arange(len(spot)), spot], np.where(several, _ABRUPT, np.inf), _APART)
        abrupt = turns >= least * (steep * near).sum(axis=1)
        out |= (np.abs(away) <= _CUT) & abrupt[:, None]
    return out


def _squares(cut: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared changes of slope (K, W - 2) and squared slopes (K, W - 1), summed over the leads, of (L, K, W)."""
    slope = cut[:, :, 1:] - cut[:, :, :-1]
    turn = slope[:, :, 1:] - slope[:, :, :-1]
    return (
        np.einsum("lkw,lkw->kw", turn, turn).astype(np.float64),
        np.einsum("lkw,lkw->kw", slope, slope).astype(np.float64),
    )


def _slopes(cut: NDArray[np.float32]) -> NDArray[np.float32]:
    """(L, K, W): size of the slope over 16 ms of the softened trace."""
    count = cut.shape[2] - len(_SOFT) + 1
    soft = _SOFT[0] * cut[:, :, :count]
    for shift in range(1, len(_SOFT)):
        soft = soft + _SOFT[shift] * cut[:, :, shift : shift + count]
    return np.abs(soft[:, :, SLOPE_SPAN:] - soft[:, :, :-SLOPE_SPAN])
