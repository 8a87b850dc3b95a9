"""Random lead masking: each lead is taken away with some probability, at least one is kept.

**Source** – Oh et al. 2022 (arXiv 2203.06889), as in ECG-FM: p = 0.5. We also tell the encoder through the
lead mask, so that a masked lead has no influence instead of being a flat trace.
"""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from .base import Augmentation


class LeadMask(Augmentation):
    """Mask leads at random.

    Parameters
    ----------
    share : float, default 0.5
        Probability that a lead is masked.
    """

    share: float = Field(0.5, ge=0, lt=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Of the leads that are there, the one with the highest draw is always kept."""
        draw = rng.uniform("lead", batch.signal.shape[1]).masked_fill(~batch.lead_mask, -1.0)
        best = torch.zeros_like(batch.lead_mask).scatter_(1, draw.argmax(1, keepdim=True), True)
        keep = batch.lead_mask & ((draw >= self.share) | best)
        return batch.with_(signal=batch.signal.masked_fill(~keep[:, :, None], 0.0), lead_mask=keep)
