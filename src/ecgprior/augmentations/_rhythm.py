"""What may be done to the order of a window's beats without making another rhythm of it, from its fiducials alone.

Signs, each of one window; "usual" beats are those that are neither early nor wide:

- *wide*: QRS of at least 110 ms, and 30 ms wider than the window's lower quartile;
- *irregular*: a quarter of the intervals differ from their median by more than 5 %;
- *without P*: fewer than half of the usual beats have one; *with P*: at least 0.8 of them (the first 250 ms aside);
- *fibrillating*: irregular and without P;
- *early*: an interval below 0.85 of the median, or below 0.8 of those on both sides, not in fibrillation;
- *dropped*: an interval above 1.4 of the median, not after an early or wide beat, or a P between the first and last
  R that no QRS follows; not in fibrillation;
- *PR varies*: PR of the usual beats ranges over more than 60 ms; not in fibrillation.

What follows, the first that fits:

1. PR varies: cuts are only where a new cycle begins – a pause (interval above 1.2 of the median) after which PR is
   at least 20 ms shorter than before it – and the cycles are turned. Dissociation has none, and is left alone.
2. With P, fewer than two early or wide beats, none dropped, regular; or fibrillating: any order.
3. Else (repeated ectopy such as bigeminy, dropped beats, sinus arrhythmia; regular without P: flutter, junctional,
   ventricular or paced; P now and then): the sequence is turned, so that neighbours stay neighbours.

Everywhere an early or wide beat stays behind the beat before it, with its coupling interval; its pause comes with it
because the interval after a beat always does. A run of them, a couplet too, stays whole.

What fiducials cannot tell: flutter with irregular conduction looks like fibrillation and is permuted; a premature
beat in fibrillation that is not wide is as any other. Thresholds are ours, and lean to the careful side.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ._beats import Beats, intervals

_WIDE_S, _WIDER_S = 0.110, 0.030
_IRREGULAR = 0.05
_EARLY, _EARLIER, _PAUSE, _DROPPED = 0.85, 0.8, 1.2, 1.4
_FEW_P, _MOST_P, _CUT_OFF_S = 0.5, 0.8, 0.25
_PR_RANGE_S, _PR_FALL_S = 0.060, 0.020


class Order(NamedTuple):
    """What may be done.

    Attributes
    ----------
    joined : Tensor, bool, (B, K)
        The beat stays behind the one before it.
    turned : Tensor, bool, (B,)
        True = the sequence may only be turned; False = any order.
    """

    joined: Tensor
    turned: Tensor


def order_of(beats: Beats, fs: float) -> Order:
    """Judge each window's rhythm.

    Parameters
    ----------
    beats : Beats
        In samples of the window.
    fs : float
        Of these samples, Hz.

    Returns
    -------
    Order
    """
    known, rr = beats.known, intervals(beats)
    has_rr = rr.isfinite()
    median = quantile(rr, has_rr, 0.5)
    ratio = torch.where(has_rr, rr / median, 1.0)
    irregular = quantile((ratio - 1).abs(), has_rr, 0.75)[:, 0] > _IRREGULAR

    width = (beats.marks[:, :, 1, 2] - beats.marks[:, :, 1, 0]) / fs
    narrow = quantile(width, known & width.isfinite(), 0.25)
    wide = known & (width >= _WIDE_S) & (width > narrow + _WIDER_S)
    early = (ratio < _EARLY) | _shortest_around(rr)
    has_p = known & beats.marks[:, :, 0, 1].isfinite()
    share = _share(has_p, known & ~wide & ~early & (beats.r >= _CUT_OFF_S * fs))
    fibrillating = irregular & (share < _FEW_P)
    early = early & ~fibrillating[:, None]
    odd = early | wide

    after_odd = odd.roll(1, 1)
    after_odd[:, 0] = False
    dropped = ((ratio > _DROPPED) & ~after_odd).any(1) | _lone_p(beats)
    pr = (beats.marks[:, :, 1, 0] - beats.marks[:, :, 0, 0]) / fs
    has_pr = known & ~odd & pr.isfinite()
    spread = torch.where(has_pr, pr, -torch.inf).amax(1) - torch.where(has_pr, pr, torch.inf).amin(1)
    varies = (spread > _PR_RANGE_S) & ~fibrillating

    fall = pr.roll(1, 1) - pr
    cycle = (ratio > _PAUSE) & (fall >= _PR_FALL_S)
    joined = torch.where(varies[:, None], ~cycle, odd)
    plain = (share >= _MOST_P) & (odd.sum(1) < 2) & ~dropped & ~irregular
    return Order(joined, varies | ~(plain | fibrillating))


def quantile(x: Tensor, among: Tensor, q: float) -> Tensor:
    """The nearest of the values `among`, bool (B, K), to their quantile: (B, 1); infinite without any."""
    ordered = torch.where(among, x, torch.inf).sort(1).values
    index = (q * (among.sum(1, keepdim=True) - 1).clamp(min=0)).round().long()
    return ordered.gather(1, index)


def _shortest_around(rr: Tensor) -> Tensor:
    """Intervals much shorter than the one before and the one after, as far as these are known: bool (B, K)."""
    around = torch.nn.functional.pad(rr, (1, 1), value=torch.nan)
    before, after = around[:, :-2], around[:, 2:]
    one = before.isfinite() | after.isfinite()
    return (
        one & (rr < _EARLIER * before.nan_to_num(torch.inf)) & (rr < _EARLIER * after.nan_to_num(torch.inf))
    )


def _share(of: Tensor, among: Tensor) -> Tensor:
    """Part of `among` that is `of`: (B,); 0 of none."""
    return (of & among).sum(1) / among.sum(1).clamp(min=1)


def _lone_p(beats: Beats) -> Tensor:
    """Whether a P between the window's first and last R has a row without a QRS: bool (B,)."""
    p = beats.marks[:, :, 0, 1]
    alone = beats.marks[:, :, 1:].isnan().all(-1).all(-1) & ~beats.known
    last = beats.r.amax(1, keepdim=True)
    return (alone & (p > beats.r[:, :1]) & (p < last)).any(1)
