"""Shifted P waves: all P of a window come earlier, or a little later, as in a slow or a fast atrioventricular node.

The P component, what is left of the signal when straight lines are taken for its P waves, is moved on all leads alike
and added to the lines; far enough, it lies on the T wave before. Marked recordings rarely have a long PR, so that a
network learns to look for a P only where it usually is.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from ._atria import across, p_runs
from ._waves import NONE, QRS, UNKNOWN, WAVES, P, need_waves, present, seconds
from .base import Augmentation


class PShift(Augmentation):
    """Move the P waves of a window by one random time.

    Parameters
    ----------
    low_ms, high_ms : float, default −32, 180
        How much earlier they come; below 0 = later.
    margin_ms : float, default 8
        How far around a P its component reaches.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    low_ms: float = -32.0
    high_ms: float = 180.0
    margin_ms: float = Field(8.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> PShift:
        if self.low_ms > self.high_ms:
            raise ValueError(f"expected low_ms <= high_ms, got {self.low_ms} > {self.high_ms}")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Where a P comes to lie on a T, it is a P; on a QRS, that stays; what is unknown stays unknown."""
        time, waves = seconds(batch), need_waves(batch, "p_shift")
        line = across(batch.signal, p_runs(batch, waves, self.margin_ms))
        early_ms = self.low_ms + (self.high_ms - self.low_ms) * rng.uniform("early", 1)
        source = (
            torch.arange(len(time), device=waves.device)
            + (early_ms / 1000 * (batch.fs or 0.0)).round().long()
        )
        inside = ((source >= 0) & (source < len(time)))[:, None, :]
        index = source.clamp(0, len(time) - 1)[:, None, :].expand_as(waves)
        moved = torch.where(inside, (batch.signal - line).gather(2, index), 0.0)
        signal = torch.where(present(batch), line + moved, batch.signal)
        comes = inside & (waves == P).gather(2, index) & (waves != QRS) & (waves != UNKNOWN)
        without = torch.where(waves == P, torch.full_like(waves, NONE), waves)
        return batch.with_(
            signal=signal,
            columns=batch.columns | {WAVES: torch.where(comes, torch.full_like(waves, P), without)},
        )
