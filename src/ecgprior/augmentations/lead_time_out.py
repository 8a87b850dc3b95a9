"""Time-out of single leads: each lead is silent in a stretch of its own, which goes on at the start past the end.

**Source** – Gopal et al. 2021, 3KG (arXiv 2106.04452): half of each lead.
"""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import NONE, WAVES
from .base import Augmentation


class LeadTimeOut(Augmentation):
    """Set a stretch of each lead to 0.

    Parameters
    ----------
    share : float, default 0.5
        The stretch's part of the valid samples.
    """

    share: float = Field(0.5, ge=0, lt=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """The samples stay valid: the encoder sees silence, not padding, and there is no wave in it."""
        n = batch.valid.sum(1)[:, None, None]
        start = (rng.uniform("start", batch.signal.shape[1], 1) * n).floor()
        time = torch.arange(batch.signal.shape[-1], device=n.device, dtype=torch.float32)
        silent = (time - start).remainder(n) < (n * self.share).floor()
        waves = {}
        if WAVES in batch.columns:
            waves = {WAVES: batch.columns[WAVES].masked_fill(silent & batch.valid[:, None], NONE)}
        return batch.with_(signal=batch.signal.masked_fill(silent, 0.0), columns=batch.columns | waves)
