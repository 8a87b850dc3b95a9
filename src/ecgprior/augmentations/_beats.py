"""The beats of a batch and where to cut between them.

All of it works on a whole batch at once, on the batch's device. Marks of beats are ``columns["fiducials"]``:
float32 (B, K, 3, 3), samples of the window, P, QRS and T of each beat by onset, peak and offset, NaN = absent.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..batch import Batch
from ..errors import ShapeError

FIDUCIALS = "fiducials"
"""The column with the marks of the beats."""

NEAR_RR, FAR_RR = 0.20, 0.45
"""A cut lies so much of the interval before R ahead of it."""

_AHEAD_OF_P_S = 0.060  # … but at least so far ahead of a P wave that begins early
_LONGEST_S = 0.8  # no cut is farther from its R
_FLAT_S = 0.020  # the slope is averaged over this much on both sides
_UNSEEN_S = 0.1  # from a wave's peak to an edge that is not known


class Beats(NamedTuple):
    """Marks in the order of time: first the rows with an R peak, then those without one.

    Attributes
    ----------
    marks : Tensor, float, (B, K, 3, 3), samples
    r : Tensor, float, (B, K), samples
        0 where there is none.
    known : Tensor, bool, (B, K)
        The row has an R peak inside the recorded part; these come first.
    """

    marks: Tensor
    r: Tensor
    known: Tensor


def beats_of(batch: Batch, name: str) -> Beats:
    """The beats of a batch; at least three rows each.

    Raises
    ------
    ShapeError
        The batch has no fiducials (the objective does not need any), or does not say its sampling rate.
    """
    if FIDUCIALS not in batch.columns:
        raise ShapeError(
            f"augmentation '{name}': expected a batch with a column 'fiducials', got none; use it in an objective that "
            "needs fiducials"
        )
    if batch.fs is None:
        raise ShapeError(f"augmentation '{name}': expected a sampling rate in Batch.fs, got None")
    marks = batch.columns[FIDUCIALS]
    marks = F.pad(marks, (0, 0, 0, 0, 0, max(0, 3 - marks.shape[1])), value=torch.nan)
    r = marks[:, :, 1, 1]
    known = (r >= 0) & (r <= batch.valid.sum(1, keepdim=True) - 1)
    order = torch.where(known, r, torch.inf).argsort(dim=1, stable=True)
    known = known.gather(1, order)
    return Beats(_rows(marks, order), torch.where(known, r.gather(1, order), 0.0), known)


def free_of_waves(marks: Tensor, n_samples: int, fs: float, margin: int) -> Tensor:
    """Bool (B, T): not from P onset to T offset of any beat, nor within `margin` samples of it."""
    unseen = _UNSEEN_S * fs
    onset, peak, offset = marks.unbind(-1)
    first = torch.where(onset.isnan(), torch.where(peak.isnan(), offset - unseen, peak) - unseen, onset)
    last = torch.where(offset.isnan(), torch.where(peak.isnan(), onset + unseen, peak) + unseen, offset)
    first, last = first.nan_to_num(torch.inf).amin(2), last.nan_to_num(-torch.inf).amax(2)
    there = first <= last
    start = (first.floor() - margin).clamp(0, n_samples)
    stop = (last.ceil() + margin + 1).clamp(0, n_samples)
    edges = torch.zeros(len(marks), n_samples + 1, device=marks.device)
    for at, sign in ((start, 1.0), (stop, -1.0)):
        edges.scatter_add_(1, torch.where(there, at, 0).long(), torch.where(there, sign, 0.0).to(edges.dtype))
    return edges.cumsum(1)[:, :n_samples] < 0.5


def slope(batch: Batch) -> Tensor:
    """Mean square of the signal's slope around each sample, summed over the leads: (B, T)."""
    steps = batch.signal.diff(dim=2).square().sum(1).double()
    reach = max(1, round(_FLAT_S * (batch.fs or 0.0)))
    sums = F.pad(steps.cumsum(1), (1, 0))
    place = torch.arange(batch.signal.shape[2], device=sums.device)
    low, high = (place - reach).clamp(min=0), (place + reach).clamp(max=len(place) - 1)
    return (sums[:, high] - sums[:, low]) / (high - low).clamp(min=1)


def cuts(batch: Batch, beats: Beats, fade: int, spread: int) -> tuple[Tensor, Tensor]:
    """Where each beat begins: at one distance from R in all beats of a window, the flattest that most beats allow.

    Parameters
    ----------
    batch : Batch
    beats : Beats
    fade : int
        So many samples on both sides of a cut are free of waves.
    spread : int
        A beat may choose a flatter sample so near to the common distance.

    Returns
    -------
    at : Tensor, int64, (B, K)
    allowed : Tensor, bool, (B, K)
        False = there is no place for a cut ahead of this beat.
    """
    fs, n_samples = batch.fs or 0.0, batch.signal.shape[-1]
    rr, p = intervals(beats), beats.marks[:, :, 0, 0]
    rr[:, 0] = rr[:, 1]
    furthest = torch.maximum(FAR_RR * rr, (beats.r - p).nan_to_num(0.0) + _AHEAD_OF_P_S * fs)
    distance = torch.arange(1, round(_LONGEST_S * fs) + 1, device=rr.device)
    r = beats.r.round().long()
    place = r[:, :, None] - distance
    seen = free_of_waves(beats.marks, n_samples, fs, fade)
    index = place.clamp(0, n_samples - 1).flatten(1)
    fits = seen.gather(1, index).view(place.shape) & (place > fade) & beats.known[:, :, None]
    fits &= (distance >= NEAR_RR * rr[:, :, None]) & (distance <= furthest[:, :, None])
    cost = slope(batch).gather(1, index).view(place.shape)
    n_fits = fits.sum(1)
    mean = torch.where(fits, cost, 0.0).sum(1) / n_fits.clamp(min=1)
    best = torch.where(n_fits == n_fits.amax(1, keepdim=True), mean, torch.inf).argmin(1)
    near = (distance - 1 - best[:, None]).abs() <= spread
    fits &= near[:, None, :]
    own = torch.where(fits, cost, torch.inf).argmin(2)
    return r - distance[own], fits.any(2)


def intervals(beats: Beats) -> Tensor:
    """The interval before each R, samples, (B, K); NaN for the first and where there is no beat."""
    rr = torch.full_like(beats.r, torch.nan)
    rr[:, 1:] = torch.where(beats.known[:, 1:], beats.r.diff(dim=1), torch.nan)
    return rr


def _rows(marks: Tensor, order: Tensor) -> Tensor:
    return marks.gather(1, order[:, :, None, None].expand(-1, -1, 3, 3))
