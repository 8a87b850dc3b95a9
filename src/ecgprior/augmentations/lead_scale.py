"""Amplitude scaling of single leads: each its own factor, as gains, electrodes' contact and body shape make them.

It breaks what leads have to do with each other (Einthoven, axis): for objectives that look at each lead by itself.
"""

from __future__ import annotations

from pydantic import Field

from ..batch import Batch, BatchRandom
from .base import Augmentation


class LeadScale(Augmentation):
    """Multiply each lead by a factor whose logarithm is normal.

    Parameters
    ----------
    sd : float, default 0.3
        Of the natural logarithm of a lead's own factor.
    shared_sd : float, default 0.35
        Of the logarithm of a factor that all leads of the window share.
    """

    sd: float = Field(0.3, ge=0)
    shared_sd: float = Field(0.35, ge=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """0 stays 0."""
        own = self.sd * rng.normal("own", batch.signal.shape[1], 1)
        factor = (own + self.shared_sd * rng.normal("shared", 1, 1)).exp()
        return batch.with_(signal=batch.signal * factor.to(batch.signal.dtype))
