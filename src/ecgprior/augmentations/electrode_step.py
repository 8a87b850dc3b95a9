"""Electrode steps: a lead jumps as an electrode is touched, and creeps back as the amplifier's filter lets it."""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import add, seconds
from .base import Augmentation


class ElectrodeStep(Augmentation):
    """Add to each lead a step at a random time that decays exponentially.

    Parameters
    ----------
    mv : float, default 1
        Standard deviation of its height.
    low_s, high_s : float, default 0.1, 3
        Time constant of the decay, drawn evenly, one a window.
    """

    mv: float = Field(1.0, ge=0)
    low_s: float = Field(0.1, gt=0)
    high_s: float = Field(3.0, gt=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Absent leads and padding stay 0."""
        time, n_leads = seconds(batch), batch.signal.shape[1]
        since = time - rng.uniform("when", n_leads, 1) * time[-1]
        decay_s = self.low_s + (self.high_s - self.low_s) * rng.uniform("decay", 1, 1)
        step = torch.exp(-since.clamp(min=0) / decay_s) * (since >= 0)
        return add(batch, self.mv * rng.normal("height", n_leads, 1) * step)
