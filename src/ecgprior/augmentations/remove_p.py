"""Removed P waves: what stands where some lead has a P becomes a straight line, and none; at times with f-waves on it.

Marked recordings are mostly of sinus rhythm, in which a P comes before nearly every QRS: a network learns to see one
there whether it is there or not. Windows without any P, regular as ever, take that away.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ._waves import QRS, WAVES, P, T, add, need_waves, present, seconds
from .base import Augmentation


class RemoveP(Augmentation):
    """Take the P waves of a window off all leads.

    Parameters
    ----------
    margin_ms : float, default 8
        How far the line reaches beyond the P on both sides.
    f_waves : float, default 0.5
        Probability that small waves of a fibrillating atrium take their place.
    f_wave_mv : float, default 0.1
        Largest typical amplitude of these; each window draws its own on a logarithmic scale from a tenth of it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({WAVES})

    margin_ms: float = Field(8.0, ge=0)
    f_waves: float = Field(0.5, ge=0, le=1)
    f_wave_mv: float = Field(0.1, gt=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A lead's QRS and T are left as they are, also where another lead has its P."""
        time, waves = seconds(batch), need_waves(batch, "remove_p")
        reach = round(self.margin_ms / 1000 * (batch.fs or 0.0))
        somewhere = (waves == P).any(1, keepdim=True).float()
        wide = F.max_pool1d(somewhere, 2 * reach + 1, 1, reach) > 0
        gone = wide & (waves != QRS) & (waves != T) & present(batch)
        without = batch.with_(
            signal=torch.where(gone, across(batch.signal, gone), batch.signal),
            columns=batch.columns
            | {"waves": torch.where(gone & (waves == P), torch.zeros_like(waves), waves)},
        )
        return add(without, self._f_waves(batch.signal.shape[1], time, rng))

    def _f_waves(self, n_leads: int, time: Tensor, rng: BatchRandom) -> Tensor:
        """Sawtooth-like waves of 4.5 to 8.5 Hz whose frequency and size wander: (B, L, T)."""
        hz, slow = 4.5 + 4 * rng.uniform("hz", 1), 0.1 + 0.5 * rng.uniform("slow", 1)
        phase = 2 * torch.pi * hz * time + 2 * torch.sin(
            2 * torch.pi * (slow * time + rng.uniform("wander", 1))
        )
        shape = (
            torch.sin(phase)[:, None] + 0.4 * rng.normal("shape", n_leads, 1) * torch.sin(2 * phase)[:, None]
        )
        swell = 0.2 + 0.8 * rng.uniform("swell", 1, 1)
        envelope = 1 + 0.5 * torch.sin(2 * torch.pi * (swell * time + rng.uniform("phase", n_leads, 1)))
        size = self.f_wave_mv * 10.0 ** -rng.uniform("size", 1, 1) * rng.normal("lead", n_leads, 1)
        return shape * envelope * size * rng.chance("f_waves", self.f_waves, 1, 1)


def across(signal: Tensor, gone: Tensor) -> Tensor:
    """Straight lines over the runs of `gone`, bool (B, L, T), from the sample before to the one after each."""
    n = signal.shape[-1]
    place = torch.arange(n, device=signal.device).expand_as(gone)
    before = torch.where(gone, -1, place).cummax(-1).values
    after = torch.where(gone, n, place).flip(-1).cummin(-1).values.flip(-1)
    left, right = torch.where(before < 0, after, before), torch.where(after >= n, before, after)
    at_left = signal.gather(-1, left.clamp(0, n - 1))
    share = (place - before).to(signal.dtype) / (after - before).clamp(min=1)
    return at_left + share * (signal.gather(-1, right.clamp(0, n - 1)) - at_left)
