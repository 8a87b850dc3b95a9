"""Moved P waves: all P of a window, in all leads together, come earlier by one and the same time, or a little later.

Marked recordings with a long PR interval are few; a P wave far from its QRS, or on the T before it, is then taken
for nothing. What is moved is the wave's difference from a straight line under it, and its marks go with it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import NONE, QRS, WAVES, P, T, need_waves, present
from .base import Augmentation
from .remove_p import across


class ShiftP(Augmentation):
    """Move the P waves of a window against its QRS.

    Parameters
    ----------
    earlier_ms, later_ms : float, default 180, 30
        The furthest; drawn evenly between the two, one shift a window.
    margin_ms : float, default 8
        How much around each P moves with it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    earlier_ms: float = Field(180.0, ge=0)
    later_ms: float = Field(30.0, ge=0)
    margin_ms: float = Field(8.0, ge=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A P that comes to lie on a T is marked P there; on a QRS, QRS stays; unknown stays unknown."""
        waves, fs = need_waves(batch, "shift_p"), batch.fs or 0.0
        n_samples = waves.shape[-1]
        reach = round(self.margin_ms / 1000 * fs)
        somewhere = (waves == P).any(1, keepdim=True).float()
        wide = F.max_pool1d(somewhere, 2 * reach + 1, 1, reach) > 0
        lifted = wide & (waves != QRS) & (waves != T) & present(batch)
        line = torch.where(lifted, across(batch.signal, lifted), batch.signal)
        low, high = -round(self.later_ms / 1000 * fs), round(self.earlier_ms / 1000 * fs)
        source = torch.arange(n_samples, device=waves.device) + rng.integers("shift", low, high + 1, 1)
        inside = ((source >= 0) & (source < n_samples))[:, None, :]
        source = source.clamp(0, n_samples - 1)[:, None, :].expand(waves.shape)
        moved = (batch.signal - line).gather(2, source) * inside
        marked = (waves == P).gather(2, source) & inside
        left = torch.where(waves == P, torch.full_like(waves, NONE), waves)
        now = torch.where(marked & ((left == NONE) | (left == T)), torch.full_like(waves, P), left)
        signal = torch.where(present(batch), line + moved, batch.signal)
        return batch.with_(signal=signal, columns=batch.columns | {WAVES: now})
