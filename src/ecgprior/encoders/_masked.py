"""Layers on which padding has no influence: statistics over valid samples only, zeros after every layer.

A mask is bool (B, T), True = valid, or None = all valid, which costs nothing: the plain layers of PyTorch run.
Convolutions need no layer of their own. With an odd kernel k, padding k // 2 and stride s, output i stands on
input sample i·s, so it is valid where ``mask[:, ::s]`` is; and as long as invalid inputs are 0, they are what
zero padding would have put there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import RecordTooShort, ShapeError
from .base import Encoder


def traced() -> bool:
    """True while the code is compiled or exported: no branch may then depend on the data."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def masked_input(encoder: Encoder, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
    """Check a batch and put 0 wherever a lead is absent or a sample is padding, whatever is there (NaN too).

    Returns
    -------
    signal : Tensor, float, (B, L, T)
    mask : Tensor, bool, (B, T), or None
        None when every sample is valid (never None in compiled or exported code).

    Raises
    ------
    ShapeError
        Other dimensions, leads or mask shapes than the encoder's.
    RecordTooShort
        A window has fewer valid samples than ``encoder.min_samples``.
    """
    if not traced():
        _check_shapes(len(encoder.leads), signal, lead_mask, valid)
    present = lead_mask[:, :, None] & valid[:, None, :]
    clean = torch.where(present, signal, torch.zeros((), dtype=signal.dtype, device=signal.device))
    if traced():
        return clean, valid
    shortest = int(valid.sum(1).min())
    if shortest < encoder.min_samples:
        raise RecordTooShort(
            f"window: expected at least {encoder.min_samples} valid samples "
            f"({encoder.min_samples / encoder.fs:g} s at {encoder.fs:g} Hz), got {shortest}"
        )
    return clean, None if shortest == valid.shape[1] else valid


def _check_shapes(n_leads: int, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> None:
    if signal.ndim != 3 or signal.shape[1] != n_leads or 0 in signal.shape:
        raise ShapeError(f"signal: expected (batch, {n_leads} leads, time), got shape {tuple(signal.shape)}")
    for name, mask, size in (("lead_mask", lead_mask, signal.shape[1]), ("valid", valid, signal.shape[2])):
        expected = (signal.shape[0], size)
        if mask.dtype != torch.bool or tuple(mask.shape) != expected:
            raise ShapeError(f"{name}: expected bool {expected}, got {mask.dtype} {tuple(mask.shape)}")


def zero_invalid(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B, C, T) with 0 at invalid samples."""
    return x if mask is None else x * mask[:, None, :].to(x.dtype)


def strided(mask: Tensor | None, stride: int) -> Tensor | None:
    """The mask after an odd-kernel layer of this stride: (B, T) → (B, ⌈T / stride⌉)."""
    return mask if mask is None or stride == 1 else mask[:, ::stride]


def mean_over(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of tokens (B, P, D) over the valid ones, (B, D); 0 where there is none."""
    if mask is None:
        return tokens.mean(1)
    weight = mask[:, :, None].to(tokens.dtype)
    return (tokens * weight).sum(1) / weight.sum(1).clamp(min=1)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm over valid samples, in training too; same parameters and state as ``nn.BatchNorm1d``.

    With ``mask=None`` it *is* ``nn.BatchNorm1d``. Statistics are those of this process: in distributed
    training every process keeps its own, and the first one's running values are what a checkpoint holds.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, C, T) → (B, C, T), 0 at invalid samples."""
        if mask is None:
            return super().forward(x)
        if not self.training:
            return zero_invalid(super().forward(x), mask)
        wide = _wide(x)
        valid = mask[:, None, :].to(wide.dtype)
        n = valid.sum().clamp(min=1)
        mean = (wide * valid).sum((0, 2)) / n
        centred = (wide - mean[:, None]) * valid
        var = centred.square().sum((0, 2)) / n
        self._remember(mean, var, n)
        gain = self.weight * torch.rsqrt(var + self.eps)
        return torch.addcmul(self.bias[:, None] * valid, centred, gain[:, None].to(wide.dtype)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor, n: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked.add_(1)
        unbiased = var * (n / (n - 1).clamp(min=1))
        self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased.detach().to(self.running_var.dtype), self.momentum)


class MaskedGroupNorm(nn.GroupNorm):
    """Group norm over the valid samples of each window; same parameters and state as ``nn.GroupNorm``."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, C, T) → (B, C, T), 0 at invalid samples."""
        if mask is None:
            return super().forward(x)
        grouped = _wide(x).unflatten(1, (self.num_groups, -1))  # (B, G, C/G, T)
        valid = mask[:, None, None, :].to(grouped.dtype)
        n = valid.sum(3, keepdim=True).clamp(min=1) * (self.num_channels // self.num_groups)
        mean = (grouped * valid).sum((2, 3), keepdim=True) / n
        centred = (grouped - mean) * valid
        var = centred.square().sum((2, 3), keepdim=True) / n
        normed = (centred * torch.rsqrt(var + self.eps)).flatten(1, 2)
        scaled = normed * self.weight[:, None] + self.bias[:, None]
        return zero_invalid(scaled, mask).to(x.dtype)


def halve(x: Tensor) -> Tensor:
    """Mean of neighbouring pairs, (B, C, T) → (B, C, ⌈T / 2⌉); an odd last sample is paired with 0.

    So padding gives what its absence gives, without counting the valid ones.
    """
    return F.avg_pool1d(F.pad(x, (0, 1)), 2, 2) if traced() or x.shape[2] % 2 else F.avg_pool1d(x, 2, 2)
