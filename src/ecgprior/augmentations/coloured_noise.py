"""Coloured noise: from muscle, white or bluish, to moving electrodes, where slow parts are larger; each lead its own."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from ._waves import add, seconds
from .base import Augmentation


class ColouredNoise(Augmentation):
    """Add noise whose amplitude falls with frequency as f to the power of minus a random slope.

    Parameters
    ----------
    low_mv, high_mv : float, default 0.004, 0.12
        Standard deviation, drawn evenly on a logarithmic scale, one a window.
    low_slope, high_slope : float, default −0.2, 1
        0 = white, 1 = each octave has half the amplitude of the one below.
    lead_sd : float, default 0.5
        Of the natural logarithm of a lead's own factor on the window's level.
    """

    low_mv: float = Field(0.004, gt=0)
    high_mv: float = Field(0.12, gt=0)
    low_slope: float = Field(-0.2, ge=-2, le=4)
    high_slope: float = Field(1.0, ge=-2, le=4)
    lead_sd: float = Field(0.5, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> ColouredNoise:
        if self.low_mv > self.high_mv or self.low_slope > self.high_slope:
            raise ValueError("expected low_mv <= high_mv and low_slope <= high_slope")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Absent leads and padding stay 0."""
        n_leads, n = batch.signal.shape[1:]
        seconds(batch)  # refuses a batch without a rate
        hz = torch.fft.rfftfreq(n, 1.0 / (batch.fs or 1.0), device=batch.signal.device)
        slope = self.low_slope + (self.high_slope - self.low_slope) * rng.uniform("slope", 1, 1)
        weight = hz.clamp(min=0.5) ** -slope  # slower than that is baseline wander's matter
        noise = torch.fft.irfft(torch.fft.rfft(rng.normal("noise", n_leads, n)) * weight, n=n)
        noise = noise / noise.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-12)
        level = self.low_mv * (self.high_mv / self.low_mv) ** rng.uniform("level", 1, 1)
        return add(batch, noise * level * (self.lead_sd * rng.normal("lead", n_leads, 1)).exp())
