"""What several augmentations share: where a signal may be changed, and how to read it between samples."""

from __future__ import annotations

import torch
from torch import Tensor

from ..batch import Batch
from ..errors import ShapeError


def present(batch: Batch) -> Tensor:
    """Bool (B, L, T): the samples that were recorded; everything else stays 0."""
    return batch.lead_mask[:, :, None] & batch.valid[:, None, :]


def add(batch: Batch, change: Tensor) -> Batch:
    """The batch with `change` (B, L or 1, T) added where something was recorded."""
    change = change.to(batch.signal.dtype)
    return batch.with_(signal=torch.where(present(batch), batch.signal + change, batch.signal))


def read_between(signal: Tensor, position: Tensor) -> Tensor:
    """Linear interpolation of `signal` (B, L, T) at fractional samples `position` (B, T'), same for all leads."""
    before = position.floor().clamp(0, signal.shape[-1] - 1)
    weight = (position - before).clamp(0, 1)[:, None, :].to(signal.dtype)
    low = before.long()[:, None, :].expand(-1, signal.shape[1], -1)
    high = (low + 1).clamp(max=signal.shape[-1] - 1)
    at_low = signal.gather(2, low)
    return at_low + weight * (signal.gather(2, high) - at_low)


def seconds(batch: Batch) -> Tensor:
    """Time of each sample, float32 (T,), s.

    Raises
    ------
    ShapeError
        The batch does not say its sampling rate.
    """
    if batch.fs is None:
        raise ShapeError("batch: expected a sampling rate in Batch.fs for an augmentation in Hz, got None")
    return torch.arange(batch.signal.shape[-1], device=batch.signal.device) / batch.fs
