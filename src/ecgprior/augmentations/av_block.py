"""Atrioventricular block: P waves that no QRS follows, one here and there, or all of them while the ventricles stand still.

QRS, ST and T of a beat become a straight line on all leads, and none. Marked recordings hardly have a P without a QRS: a
network learns from them that the first wave after a pause is a QRS, however small.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._atria import across
from ._ventricles import begins, ventricles
from ._waves import NONE, QRS, WAVES, P, T, need_waves, present, seconds
from .base import Augmentation


class AVBlock(Augmentation):
    """Take QRS and T of some beats off all leads.

    Parameters
    ----------
    standstill : float, default 0.6
        Probability that all beats before a random moment, or after it, go: in every other such window all there are.
    dropped : float, default 0.3
        In other windows, the probability that a beat goes.
    margin_ms : float, default 12
        How far the line reaches beyond QRS and T on both sides.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    standstill: float = Field(0.6, ge=0, le=1)
    dropped: float = Field(0.3, ge=0, le=1)
    margin_ms: float = Field(12.0, ge=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A P stays as it is, also where it lies on a T; so does what is unknown."""
        waves, n = need_waves(batch, "av_block"), len(seconds(batch))
        beat = ventricles(waves, batch.fs or 0.0)
        place = torch.arange(n, device=waves.device)
        begun = torch.where(begins(beat), place, 0).cummax(1).values
        here = torch.where(rng.chance("before", 0.5, 1), n - 1 - place, place) >= rng.integers(
            "moment", -n, n, 1
        )
        drops = torch.where(
            rng.chance("still", self.standstill, 1), here, rng.chance("drop", self.dropped, n)
        )
        reach = round(self.margin_ms / 1000 * (batch.fs or 0.0))
        gone = F.max_pool1d((beat & drops.gather(1, begun)).float()[:, None], 2 * reach + 1, 1, reach) > 0
        gone = gone & ~(waves == P).any(1, keepdim=True)
        known = gone & ((waves == QRS) | (waves == T))
        return batch.with_(
            signal=across(batch.signal, gone & present(batch)),
            columns=batch.columns | {WAVES: waves.masked_fill(known, NONE)},
        )
