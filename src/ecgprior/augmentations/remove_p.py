"""Removed P waves: what stands where some lead has a P becomes a straight line, and none; at times with f-waves on it.

Marked recordings are mostly of sinus rhythm, in which a P comes before nearly every QRS: a network learns to see one
there whether it is there or not. Windows without any P, regular as ever, take that away.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ._atria import across, p_runs
from ._waves import WAVES, P, add, need_waves, seconds
from .base import Augmentation


class RemoveP(Augmentation):
    """Take the P waves of a window off all leads.

    Parameters
    ----------
    margin_ms : float, default 8
        How far the line reaches beyond the P on both sides.
    f_waves : float, default 0.5
        Probability that small waves of a fibrillating atrium take their place.
    low_mv, high_mv : float, default 0.01, 0.25
        Typical amplitude of these, drawn evenly on a logarithmic scale, one a window: up to flutter.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    margin_ms: float = Field(8.0, ge=0)
    f_waves: float = Field(0.5, ge=0, le=1)
    low_mv: float = Field(0.01, gt=0)
    high_mv: float = Field(0.25, gt=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A lead's QRS and T are left as they are, also where another lead has its P."""
        time, waves = seconds(batch), need_waves(batch, "remove_p")
        gone = p_runs(batch, waves, self.margin_ms)
        without = batch.with_(
            signal=across(batch.signal, gone),
            columns=batch.columns
            | {"waves": torch.where(gone & (waves == P), torch.zeros_like(waves), waves)},
        )
        return add(without, self._f_waves(batch.signal.shape[1], time, rng))

    def _f_waves(self, n_leads: int, time: Tensor, rng: BatchRandom) -> Tensor:
        """Sawtooth-like waves of 3.8 to 8.5 Hz whose frequency and size wander: (B, L, T)."""
        hz, slow = 3.8 + 4.7 * rng.uniform("hz", 1), 0.1 + 0.5 * rng.uniform("slow", 1)
        phase = 2 * torch.pi * hz * time + 2 * torch.sin(
            2 * torch.pi * (slow * time + rng.uniform("wander", 1))
        )
        shape = (
            torch.sin(phase)[:, None] + 0.4 * rng.normal("shape", n_leads, 1) * torch.sin(2 * phase)[:, None]
        )
        swell = 0.2 + 0.8 * rng.uniform("swell", 1, 1)
        envelope = 1 + 0.5 * torch.sin(2 * torch.pi * (swell * time + rng.uniform("phase", n_leads, 1)))
        size_mv = self.low_mv * (self.high_mv / self.low_mv) ** rng.uniform("size", 1, 1)
        size = size_mv * rng.normal("lead", n_leads, 1)
        return shape * envelope * size * rng.chance("f_waves", self.f_waves, 1, 1)
