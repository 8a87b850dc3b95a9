"""P waves as a part of the signal that can be taken off: where they are, and the line that is left without them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..batch import Batch
from ._waves import QRS, P, T, present


def p_runs(batch: Batch, waves: Tensor, margin_ms: float) -> Tensor:
    """Bool (B, L, T): where some lead has a P, and `margin_ms` around it, but for this lead's own QRS and T."""
    reach = round(margin_ms / 1000 * (batch.fs or 0.0))
    somewhere = (waves == P).any(1, keepdim=True).float()
    wide = F.max_pool1d(somewhere, 2 * reach + 1, 1, reach) > 0
    return wide & (waves != QRS) & (waves != T) & present(batch)


def across(signal: Tensor, gone: Tensor) -> Tensor:
    """Straight lines over the runs of `gone`, bool (B, L, T), from the sample before to the one after each."""
    n = signal.shape[-1]
    place = torch.arange(n, device=signal.device).expand_as(gone)
    before = torch.where(gone, -1, place).cummax(-1).values
    after = torch.where(gone, n, place).flip(-1).cummin(-1).values.flip(-1)
    left, right = torch.where(before < 0, after, before), torch.where(after >= n, before, after)
    at_left = signal.gather(-1, left.clamp(0, n - 1))
    share = (place - before).to(signal.dtype) / (after - before).clamp(min=1)
    line = at_left + share * (signal.gather(-1, right.clamp(0, n - 1)) - at_left)
    return torch.where(gone, line, signal)
