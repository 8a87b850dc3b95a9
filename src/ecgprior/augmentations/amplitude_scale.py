"""Amplitude scaling: one factor a window, so that the relations between leads (Einthoven, axis) stay exact.

It teaches an encoder to disregard voltage, which left ventricular hypertrophy is made of: use it narrowly.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from ..batch import Batch, BatchRandom
from .base import Augmentation


class AmplitudeScale(Augmentation):
    """Multiply the window by a factor drawn evenly on a logarithmic scale.

    Parameters
    ----------
    low, high : float, default 0.8, 1.25
    """

    low: float = Field(0.8, gt=0)
    high: float = Field(1.25, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> AmplitudeScale:
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} > {self.high}")
        return self

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """0 stays 0."""
        factor = self.low * (self.high / self.low) ** rng.uniform("factor", 1, 1)
        return batch.with_(signal=batch.signal * factor.to(batch.signal.dtype))
