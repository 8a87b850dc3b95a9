"""Polarity: leads upside down, as exchanged electrodes and other hearts' axes show them."""

from __future__ import annotations

from pydantic import Field

from ..batch import Batch, BatchRandom
from .base import Augmentation


class Polarity(Augmentation):
    """Turn single leads, or all of a window.

    Parameters
    ----------
    lead : float, default 0.1
        Probability that a lead is turned by itself.
    all_leads : float, default 0.05
        Probability that all leads of a window are turned (also those that were).
    """

    lead: float = Field(0.1, ge=0, le=1)
    all_leads: float = Field(0.05, ge=0, le=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A turned lead is multiplied by −1."""
        turned = rng.chance("lead", self.lead, batch.signal.shape[1], 1) ^ rng.chance(
            "all", self.all_leads, 1, 1
        )
        return batch.with_(signal=batch.signal * (1 - 2 * turned.to(batch.signal.dtype)))
