"""No heart: a window in which nothing beats. With noise after it, an objective learns what is no wave."""

from __future__ import annotations

import torch

from ..batch import Batch, BatchRandom
from ._waves import WAVES
from .base import Augmentation


class NoHeart(Augmentation):
    """Set the whole window to 0 and its waves to none; for a small ``probability``, before noise of any kind."""

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """The samples stay valid, and what was unknown is known now."""
        waves = {WAVES: torch.zeros_like(batch.columns[WAVES])} if WAVES in batch.columns else {}
        return batch.with_(signal=torch.zeros_like(batch.signal), columns=batch.columns | waves)
