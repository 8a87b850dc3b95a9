"""Baseline wander: slow sinusoids, as breathing and moving electrodes make them, on each lead its own."""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import add, seconds
from .base import Augmentation


class BaselineWander(Augmentation):
    """Add a sum of slow sinusoids of random frequency, phase and size.

    Parameters
    ----------
    amplitude : float, default 0.2
        Largest amplitude of one sinusoid, in the unit of the preprocessed signal.
    low_hz, high_hz : float, default 0.05, 0.5
        Their frequencies are drawn evenly between these; the same for all leads of a window.
    n_waves : int, default 3
        Sinusoids a window.
    """

    amplitude: float = Field(0.2, ge=0)
    low_hz: float = Field(0.05, gt=0)
    high_hz: float = Field(0.5, gt=0)
    n_waves: int = Field(3, ge=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Absent leads and padding stay 0."""
        n_leads = batch.signal.shape[1]
        hz = self.low_hz + (self.high_hz - self.low_hz) * rng.uniform("hz", self.n_waves, 1)
        phase = 2 * torch.pi * (hz * seconds(batch) + rng.uniform("phase", self.n_waves, 1))
        size = self.amplitude * (2 * rng.uniform("size", n_leads, self.n_waves) - 1)
        return add(batch, size @ torch.sin(phase))
