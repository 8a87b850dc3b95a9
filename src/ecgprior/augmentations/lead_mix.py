"""Mixed leads: some leads become a weighted sum of themselves and another, as an electrode that lies elsewhere sees it.

Marks belong to a lead, and a mixture has none of its own. Where both leads are marked alike the mixture is too; where
they differ, around boundaries mostly, it is not known, so that nothing wrong is learnt.
"""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import UNKNOWN, WAVES
from .base import Augmentation


class LeadMix(Augmentation):
    """Mix leads in pairs.

    Parameters
    ----------
    lead : float, default 0.3
        Probability that a lead is mixed with another one of its window, drawn evenly among the leads that are there.
    largest : float, default 0.5
        The other lead's weight is drawn evenly between minus this and this; its own is 1.
    """

    lead: float = Field(0.3, ge=0, le=1)
    largest: float = Field(0.5, ge=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """An absent lead stays absent, and is mixed into none."""
        n_leads = batch.signal.shape[1]
        mask = batch.lead_mask
        score = rng.uniform("other", n_leads, n_leads).masked_fill(~mask[:, None, :], -1.0)
        itself = torch.eye(n_leads, dtype=torch.bool, device=score.device)
        best = score.masked_fill(itself, -1.0).max(2)
        chosen = rng.chance("mixed", self.lead, n_leads) & mask & (best.values >= 0)
        weight = self.largest * (2 * rng.uniform("weight", n_leads) - 1)
        place = best.indices[:, :, None].expand_as(batch.signal)
        mixed = batch.signal + weight[:, :, None] * batch.signal.gather(1, place)
        columns = dict(batch.columns)
        if WAVES in columns:
            waves = columns[WAVES]
            unlike = chosen[:, :, None] & (waves != waves.gather(1, place))
            columns[WAVES] = torch.where(unlike, torch.full_like(waves, UNKNOWN), waves)
        return batch.with_(signal=torch.where(chosen[:, :, None], mixed, batch.signal), columns=columns)
