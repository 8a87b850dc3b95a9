"""Time scaling: the window played faster or slower, as another heart rate and another paper speed would show it.

Unlike ``crop_resize`` it goes both ways: faster leaves fewer valid samples, slower shows a part of the window. All
intervals change alike, which no heart does: an encoder trained so should not be asked for intervals in ms alone.
"""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from ._waves import fiducials_at, read_between, waves_at
from .base import Augmentation


class TimeScale(Augmentation):
    """Multiply the speed by a factor drawn evenly on a logarithmic scale.

    Parameters
    ----------
    low, high : float, default 0.7, 1.4
        Above 1 = faster.
    """

    low: float = Field(0.7, gt=0)
    high: float = Field(1.4, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> TimeScale:
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} > {self.high}")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """What would be read after the last valid sample is padding; the first sample always stays valid."""
        factor = self.low * (self.high / self.low) ** rng.uniform("factor", 1)
        last = (batch.valid.sum(1, keepdim=True) - 1).clamp(min=0).to(torch.float32)
        room = (last - last * factor).clamp(min=0)
        time = torch.arange(batch.signal.shape[-1], device=last.device, dtype=torch.float32)
        start = room * rng.uniform("start", 1)
        position = start + time * factor
        valid = batch.valid & (position <= last + 1e-3)
        position = torch.minimum(position, last)
        signal = torch.where(valid[:, None, :], read_between(batch.signal, position), 0.0)
        moved = waves_at(batch, position, valid) | fiducials_at(batch, start, factor)
        return batch.with_(signal=signal, valid=valid, columns=batch.columns | moved)
