"""QRS, ST and T of marked beats as stretches of a window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ._waves import QRS, T

_LONGEST_ST_S = 0.35


def ventricles(waves: Tensor, fs: float) -> Tensor:
    """Bool (B, T): where some lead of `waves` (B, L, T) has a QRS or a T, and what lies between a QRS and its T."""
    qrs, t = ((waves == wave).any(1) for wave in (QRS, T))
    longest, place = round(_LONGEST_ST_S * fs), torch.arange(waves.shape[-1], device=waves.device)
    last_qrs, last_t = (torch.where(wave, place, -longest).cummax(1).values for wave in (qrs, t))
    return qrs | t | ((last_qrs > last_t) & (next_of(t) - last_qrs <= longest))


def begins(beat: Tensor) -> Tensor:
    """The first sample of each stretch of bool (B, T)."""
    return beat & ~F.pad(beat, (1, 0))[:, :-1]


def next_of(mask: Tensor) -> Tensor:
    """The next sample, from each on, at which bool (B, T) is True; 2 · T = there is none."""
    n = mask.shape[-1]
    place = torch.arange(n, device=mask.device)
    return torch.where(mask, place, 2 * n).flip(1).cummin(1).values.flip(1)
