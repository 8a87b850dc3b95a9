"""Pacing spikes: narrow deflections shortly before QRS, at times before P too, as a pacemaker's stimuli look resampled."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import QRS, WAVES, P, add, need_waves, seconds
from .base import Augmentation


class PacingSpikes(Augmentation):
    """Add a spike of one sample before each onset, at the same distance and of the same height all window long.

    Parameters
    ----------
    mv : float, default 2
        Standard deviation of a lead's height.
    low_ms, high_ms : float, default 4, 30
        Distance from spike to onset (the earliest of the leads that are marked there), one a window.
    atrial : float, default 0.33
        Probability that P waves have spikes too, at a distance and of heights of their own.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    mv: float = Field(2.0, ge=0)
    low_ms: float = Field(4.0, ge=0)
    high_ms: float = Field(30.0, ge=0)
    atrial: float = Field(0.33, ge=0, le=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """What the waves are does not change: a spike is none of them."""
        time, waves = seconds(batch), need_waves(batch, "pacing_spikes")
        place = torch.arange(len(time), device=waves.device)
        chosen = rng.chance("atrial", self.atrial, 1)
        for wave, own in ((QRS, rng), (P, rng.split("atrial"))):
            beating = (waves == wave).any(1)
            onset = torch.zeros_like(beating)
            onset[:, 1:] = beating[:, 1:] & ~beating[:, :-1]
            ahead_ms = self.low_ms + (self.high_ms - self.low_ms) * own.uniform("ahead", 1)
            source = place + (ahead_ms / 1000 * (batch.fs or 0.0)).round().long()
            there = onset.gather(1, source.clamp(max=len(time) - 1)) & (source < len(time))
            there = there if wave == QRS else there & chosen
            batch = add(batch, self.mv * own.normal("height", batch.signal.shape[1], 1) * there[:, None, :])
        return batch
