"""Time-out: one random stretch of the window is silent on all leads.

**Source** – Mehari & Strodthoff 2022 (10.1016/j.compbiomed.2021.105114): "time out", up to half of the window.
"""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from ._waves import NONE, WAVES
from .base import Augmentation


class TimeOut(Augmentation):
    """Set a stretch of [low, high] of the window to 0.

    Parameters
    ----------
    low, high : float, default 0, 0.5
        The stretch's share of the valid samples, drawn evenly.
    """

    low: float = Field(0.0, ge=0, le=1)
    high: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> TimeOut:
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} > {self.high}")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """The samples stay valid: the encoder sees silence, not padding, and there is no wave in it."""
        n = batch.valid.sum(1, keepdim=True).to(torch.float32)
        length = n * (self.low + (self.high - self.low) * rng.uniform("share", 1))
        start = (n - length) * rng.uniform("start", 1)
        time = torch.arange(batch.signal.shape[-1], device=n.device, dtype=torch.float32)
        silent = (time >= start) & (time < start + length)
        waves = (
            {WAVES: batch.columns[WAVES].masked_fill(silent[:, None, :], NONE)}
            if WAVES in batch.columns
            else {}
        )
        return batch.with_(
            signal=batch.signal.masked_fill(silent[:, None, :], 0.0), columns=batch.columns | waves
        )
