"""Random resized crop: a random part of the window, stretched over the whole of it.

**Source** – Mehari & Strodthoff 2022 (10.1016/j.compbiomed.2021.105114), after the image form. Heart rate
changes with the stretch, by at most ``1 / low``: an encoder trained so should not be asked for the rate alone.
"""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from ._waves import fiducials_at, read_between, waves_at
from .base import Augmentation


class CropResize(Augmentation):
    """Cut [low, high] of the recorded part at a random place; linear interpolation back to its length.

    Parameters
    ----------
    low, high : float, default 0.5, 1
        The part's share of the window's valid samples, drawn evenly.
    """

    low: float = Field(0.5, gt=0, le=1)
    high: float = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> CropResize:
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} > {self.high}")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Padding stays padding: only the first ``valid.sum()`` samples take part."""
        n = batch.valid.sum(1, keepdim=True).to(torch.float32)
        share = self.low + (self.high - self.low) * rng.uniform("share", 1)
        length = ((n - 1) * share).clamp(min=0)
        start = (n - 1 - length).clamp(min=0) * rng.uniform("start", 1)
        time = torch.arange(batch.signal.shape[-1], device=n.device, dtype=torch.float32)
        step = length / (n - 1).clamp(min=1)
        position = start + time * step
        position = torch.minimum(position, start + length)
        signal = read_between(batch.signal, position)
        moved = waves_at(batch, position, batch.valid) | fiducials_at(batch, start, step)
        signal = torch.where(batch.valid[:, None, :], signal, 0.0)
        return batch.with_(signal=signal, columns=batch.columns | moved)
