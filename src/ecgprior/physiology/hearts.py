"""Beats that noise may have made: the network has learnt what is no heart, but muscle or motion in one or two leads can
still look like a QRS to it.

A heart's beats hold most of what is steep in the trace, or they repeat: QRS, ST and T together resemble those of other
beats near by, or the network is certain. Noise has none of these, nor half of each. Steps of an electrode and
spikes hold all of the steepness and repeat, but are no deflection of a heart (:mod:`~ecgprior.physiology.edges`); where
half of the beats or more are none and resemble each other, a heart beats among them, and only the edges go. The
rule looks at a few seconds around each beat, so that a part of a recording is judged by itself; where the beats
hold most of the steepness, as in nearly all recordings, little else is computed.
Thresholds were chosen on made-up noise and on 12,000 real recordings and single leads of them (``docs/physiology.md``).
No loop over beats.

**Source**: our own rule. That beats must resemble each other is the usual test of signal quality: Orphanidou et al.
2015, IEEE JBHI 19:832, doi 10.1109/JBHI.2014.2338351.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .edges import edges
from .peaks import HALF_WIDTH, SLOPE_SPAN
from .rules import Rules

_FS = 250
_SHORTEST = 625  # samples, 2.5 s: of less, a flat lead's only two beats cannot be told from noise
_LEADS = 4  # one clear lead of so many is enough
_REACH = 2  # samples by which a QRS is widened on either side: a slope spans four
_BEFORE, _AFTER = 50, 100  # samples of QRS, ST and T that are compared …
_LAG = 2  # … and how far they may be shifted
_FEW, _PART = 6, 0.5  # a heart among edges has at least so many beats in `edge_s`, so much of all …
_ALIKE = 0.7  # … and its beats this likeness: below `heart_likeness`, as edges lie in what is compared


def doubtful_hearts(
    signal: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    shown: NDArray[np.bool_],
    waves: NDArray[np.float64],
    top: NDArray[np.float32],
    rules: Rules,
) -> NDArray[np.bool_]:
    """Which waves noise may have made.

    Parameters
    ----------
    signal, smoothed : ndarray, float32, (L, T), mV
        The trace at 250 Hz, and the same smoothed over 20 ms.
    shown : ndarray, bool, (L,)
        Leads that were recorded.
    waves : ndarray, float64, (K, 3), samples
        Onset, peak and offset of each QRS over all leads, in order; the peak, or both boundaries, are finite.
    top : ndarray, float32, (K,)
        Their largest pooled probability.
    rules : Rules

    Returns
    -------
    ndarray, bool, (K,)
        True = of the waves around it `edge_share` are edges, unless it is none, nor is half of them, and these
        resemble each other; or they hold less than `heart_share` of the steepness, in
        the clearest quarter of the leads, their median probability is below `heart_level`, their median likeness is
        below `heart_likeness` (one beat alone has none), and all three together are below `heart_sum`. Records under
        2.5 s are not judged.
    """
    n = smoothed.shape[1]
    if not len(waves) or n < _SHORTEST or not shown.any():
        return np.zeros(len(waves), bool)
    peak = np.where(np.isnan(waves[:, 1]), 0.5 * (waves[:, 0] + waves[:, 2]), waves[:, 1])
    trace = smoothed if shown.all() else smoothed[shown]
    start, stop, first, last = _around(peak, n, rules.edge_s)
    alone = (last - first) * (60 * _FS) < rules.alone_bpm * (stop - start)
    edge = edges(signal if shown.all() else signal[shown], trace, waves, alone, rules)
    so_far = np.concatenate([[0], np.cumsum(edge)])
    most = so_far[last] - so_far[first] >= rules.edge_share * np.maximum(last - first, 1)
    if most.any():
        most &= ~_among(trace, peak, edge, first, last, rules)
    start, stop, first, last = _around(peak, n, rules.heart_s)
    share = _share(trace, waves, peak, start, stop)
    doubted = share < rules.heart_share
    if not doubted.any():
        return most
    level = _median_of(top.astype(np.float64), first, last)
    doubted &= level < rules.heart_level
    if doubted.any():
        likeness = np.nan_to_num(_median_of(_likeness(trace, peak, rules), first, last))
        doubted &= (likeness < rules.heart_likeness) & (_sum(share, level, likeness) < rules.heart_sum)
    return doubted | most


def _around(peak: NDArray[np.float64], n: int, seconds: float) -> tuple[NDArray[np.int64], ...]:
    """(K,) each: samples from which and before which a beat is judged, and the first such wave and the one after the last."""
    half = int(0.5 * seconds * _FS)
    start = np.clip(peak.astype(np.int64) - half, 0, max(0, n - 2 * half))
    stop = np.minimum(start + 2 * half, n)
    return start, stop, np.searchsorted(peak, start), np.searchsorted(peak, stop)


def _sum(
    share: NDArray[np.float64], level: NDArray[np.float64], likeness: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K,): the three together, as a logistic regression of noise against hearts weighs them, rounded."""
    odds = np.log((share + 0.02) / (1.02 - share))
    return odds + 4 * np.arctanh(likeness.clip(-0.99, 0.999)) - 1.5 * np.log(1.0005 - level.clip(0, 1))


def _among(
    trace: NDArray[np.float32],
    peak: NDArray[np.float64],
    edge: NDArray[np.bool_],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    rules: Rules,
) -> NDArray[np.bool_]:
    """(K,): which waves are a heart's among edges: no edge, nor is half of those from `first` to `last`, and these repeat."""
    found, rest = np.zeros(len(edge), bool), np.flatnonzero(~edge)
    if len(rest) < _FEW:
        return found
    begin, end = np.searchsorted(rest, first[rest]), np.searchsorted(rest, last[rest])
    likeness = np.nan_to_num(_median_of(_likeness(trace, peak[rest], rules), begin, end))
    many = end - begin >= np.maximum(_FEW, _PART * (last - first)[rest])
    found[rest] = many & (likeness >= _ALIKE)
    return found


def _share(
    trace: NDArray[np.float32],
    waves: NDArray[np.float64],
    peak: NDArray[np.float64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(K,): what part of the squared slope from `start` to `stop` lies in the waves, in the clearest quarter of the leads."""
    n = trace.shape[1]
    steep = np.zeros(trace.shape, np.float32)
    middle = steep[:, SLOPE_SPAN // 2 : n - SLOPE_SPAN // 2]
    np.subtract(trace[:, SLOPE_SPAN:], trace[:, :-SLOPE_SPAN], out=middle)
    np.square(middle, out=middle)
    onset = np.where(np.isnan(waves[:, 0]), peak - HALF_WIDTH, waves[:, 0])
    offset = np.where(np.isnan(waves[:, 2]), peak + HALF_WIDTH, waves[:, 2])
    inside = np.zeros(n + 1, np.int64)
    np.add.at(inside, np.clip(np.floor(onset).astype(np.int64) - _REACH, 0, n), 1)
    np.add.at(inside, np.clip(np.ceil(offset).astype(np.int64) + _REACH + 1, 0, n), -1)
    in_waves = (np.cumsum(inside[:-1]) > 0).astype(np.float32)
    spans, of_span = np.unique(np.stack([start, stop]), axis=1, return_inverse=True)
    if spans.shape[1] == 1:
        part = steep[:, spans[0, 0] : spans[1, 0]]
        total, held = part.sum(axis=1)[:, None], (part @ in_waves[spans[0, 0] : spans[1, 0]])[:, None]
    else:
        total, held = _sums(steep, spans), _sums(steep * in_waves, spans)
    clear = -(-len(trace) // _LEADS)
    share = np.sort(held / np.maximum(total, 1e-12), axis=0)[-clear]
    return share[of_span.reshape(-1)].astype(np.float64)


def _sums(x: NDArray[np.float32], spans: NDArray[np.int64]) -> NDArray[np.float64]:
    """(L, S): sums of each row from the first to before the second of each column of `spans`."""
    so_far = np.zeros((len(x), x.shape[1] + 1))
    np.cumsum(x, axis=1, dtype=np.float64, out=so_far[:, 1:])
    return so_far[:, spans[1]] - so_far[:, spans[0]]


def _likeness(trace: NDArray[np.float32], peak: NDArray[np.float64], rules: Rules) -> NDArray[np.float64]:
    """(K,): best correlation of each beat with one of its neighbours; NaN where it or all of them are not whole."""
    at = np.round(peak).astype(np.int64)
    whole = np.flatnonzero((at >= _BEFORE + _LAG) & (at + _AFTER + _LAG < trace.shape[1]))
    likeness = np.full(len(peak), np.nan)
    if len(whole) < 2:
        return likeness
    span = np.arange(-_BEFORE - _LAG, _AFTER + _LAG + 1)
    cut = np.moveaxis(trace[:, at[whole, None] + span], 0, 1)  # (K, L, W)
    width = _BEFORE + _AFTER + 1
    views = [_unit(cut[:, :, shift : shift + width]) for shift in range(2 * _LAG + 1)]
    best = np.full(len(whole), -1.0, np.float32)
    for away in range(1, min(rules.heart_around, len(whole) - 1) + 1):
        pairs = [np.einsum("kw,kw->k", views[_LAG][:-away], view[away:]) for view in views]
        alike = np.max(pairs, axis=0)
        np.maximum(best[:-away], alike, out=best[:-away])
        np.maximum(best[away:], alike, out=best[away:])
    likeness[whole] = best
    return likeness


def _unit(cut: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, L, W) as (K, L W) of length 1, each lead's mean taken off."""
    level = (cut - cut.mean(axis=2, keepdims=True)).reshape(len(cut), -1)
    size = np.sqrt(np.einsum("kw,kw->k", level, level))
    return np.asarray(level / np.maximum(size, 1e-9)[:, None], np.float32)


def _median_of(
    values: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(K,): median of ``values[first:last]``, NaN left out; NaN where there is none."""
    spans, of_span = np.unique(np.stack([first, last]), axis=1, return_inverse=True)
    which = spans[0][:, None] + np.arange((spans[1] - spans[0]).max())
    some = np.where(which < spans[1][:, None], values[np.minimum(which, len(values) - 1)], np.nan)
    ordered = np.sort(some, axis=1)  # NaN come last
    count = (~np.isnan(some)).sum(axis=1)
    row = np.arange(len(ordered))
    low = ordered[row, np.maximum(count - 1, 0) // 2]
    high = ordered[row, np.minimum(count // 2, ordered.shape[1] - 1)]
    return np.where(count > 0, 0.5 * (low + high), np.nan)[of_span.reshape(-1)]
