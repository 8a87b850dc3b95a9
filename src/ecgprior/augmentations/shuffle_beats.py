"""Heartbeat shuffling: the window's complete beats in another order, the same on all leads.

A positive view of PhysioCLR: the shape of the beats stays, their order goes. The authors' code cuts at the R peaks,
drops what lies before the first and fills the end with zeros (``form = "release"``, kept for the ablation): QRS
complexes are split, and the view can be told by its zeros.

Ours (``form = "beats"``) cuts between T and P, 0.2 to 0.45 of the preceding interval before R (the first beat takes
the interval after it) or up to 60 ms ahead of a P that begins earlier, never between P onset and T offset. The cut
lies at **one distance from R** for all beats of a window, the flattest on average among those that most beats allow:
then the interval after a beat goes with it, and the shuffled window holds exactly the intervals that it held. Beats
without a place for it stay behind the one before them. Head and tail stay where they are; level is removed, and
joints fade over 16 ms. Length, number of beats and the padding are kept. What would make another rhythm is not done:
:mod:`~ecgprior.augmentations._rhythm` says when the sequence is only turned, in which groups, and when it is left
alone. Cost: a few gathers a window.

**Source** – Maghsoodi et al. 2025 (arXiv 2509.08116), heartbeat shuffling; cuts, levels, joints and order are ours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ._beats import FIDUCIALS, Beats, beats_of, cuts
from ._pieces import Pieces, lay, pieces, silence
from ._rhythm import order_of
from .base import Augmentation

_FEWEST = 3


class ShuffleBeats(Augmentation):
    """Permute the complete beats of a window.

    Windows with fewer than three complete beats, or with fewer than two groups of them, stay as they are.

    Parameters
    ----------
    form : "beats" or "release", default "beats"
        Ours, or the authors'.
    keep_rhythm : bool, default True
        False = any order, whatever the rhythm (ours only).
    fade_ms : float, default 16
        Width of a joint.
    spread_ms : float, default 0
        So far from the common distance a beat may choose a flatter cut: large values give the flattest point of each
        beat, and intervals that differ from those there were.
    """

    needs: ClassVar[frozenset[str]] = frozenset({FIDUCIALS})

    form: Literal["beats", "release"] = "beats"
    keep_rhythm: bool = True
    fade_ms: float = Field(16.0, ge=0, le=40)
    spread_ms: float = Field(0.0, ge=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """``fiducials``, and ``waves`` where there are any, go with the signal."""
        beats = beats_of(batch, "shuffle_beats")
        changed, moved = (self._release if self.form == "release" else self._beats)(batch, beats, rng)
        keep = lambda new, old: torch.where(changed.view(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
        columns = {
            name: column if (new := moved.columns[name]) is column else keep(new, column)
            for name, column in batch.columns.items()
        }
        return batch.with_(signal=keep(moved.signal, batch.signal), columns=columns)

    def _beats(self, batch: Batch, beats: Beats, rng: BatchRandom) -> tuple[Tensor, Batch]:
        """Which windows change, and all windows changed."""
        fs, n_samples = batch.fs or 0.0, batch.signal.shape[-1]
        n_valid = batch.valid.sum(1, keepdim=True)
        fade = max(1, round(self.fade_ms * fs / 2000))
        at, allowed = cuts(batch, beats, fade, round(self.spread_ms * fs / 1000))
        turned = torch.zeros_like(n_valid[:, 0], dtype=torch.bool)
        if self.keep_rhythm:
            joined, turned = order_of(beats, fs)
            allowed = allowed & ~joined
        edges = pieces(at, allowed, n_valid, n_samples)
        number = torch.arange(at.shape[1], device=at.device)
        first = torch.where(allowed, number, len(number)).amin(1)
        last = torch.where(allowed, number, -1).amax(1)
        n_groups = (allowed.sum(1) - 1).clamp(min=0)
        key = _keys(rng, at.shape[1], n_groups, turned)
        order = torch.arange(edges.shape[1] - 1, device=at.device).expand(len(at), -1).clone()
        order[:, 1:-1] = 1 + key.argsort(dim=1, stable=True)
        return (last - first >= _FEWEST) & (n_groups >= 2), lay(batch, Pieces(edges, order), fade)

    def _release(self, batch: Batch, beats: Beats, rng: BatchRandom) -> tuple[Tensor, Batch]:
        """The authors' form: [R, next R) and the tail in any order, then zeros as long as the head was."""
        n_samples, n_valid = batch.signal.shape[-1], batch.valid.sum(1, keepdim=True)
        edges = pieces(beats.r.floor().long(), beats.known, n_valid, n_samples)
        n_beats = beats.known.sum(1)
        key = _keys(rng, beats.r.shape[1], n_beats, torch.zeros_like(beats.known[:, 0]))
        head = torch.full_like(key[:, :1], 1.5)
        rest = torch.full_like(head, torch.inf)
        order = torch.cat([head, key, rest], 1).argsort(dim=1, stable=True)
        changed = n_beats >= 2
        laid = lay(batch, Pieces(edges, order))
        return changed, silence(laid, n_valid - edges[:, 1:2])


def _keys(rng: BatchRandom, n: int, n_groups: Tensor, turned: Tensor) -> Tensor:
    """Numbers (B, n) whose order is the new one: below 1 for the groups, which come first; the rest stays behind."""
    number = torch.arange(n, device=n_groups.device)
    count = n_groups[:, None]
    by = 1 + (rng.uniform("turn", 1) * (count - 1)).long()
    turn = (number - by).remainder(count.clamp(min=1)) / count.clamp(min=1)
    key = torch.where(turned[:, None], turn, rng.uniform("order", n))
    return torch.where(number < count, key, 2.0 + number)
