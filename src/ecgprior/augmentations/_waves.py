"""What several augmentations share: where a signal may be changed, how to read it between samples, and its waves."""

from __future__ import annotations

import torch
from torch import Tensor

from ..batch import Batch
from ..errors import ShapeError

WAVES = "waves"
"""The column that goes with the signal: the class of each sample of each lead."""

UNKNOWN, NONE, P, QRS, T = -1, 0, 1, 2, 3


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


def waves_at(batch: Batch, position: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """The column of waves where the signal is read at `position` (B, T), of the nearest sample; empty without one.

    Unknown where `valid`, bool (B, T), is False.
    """
    if WAVES not in batch.columns:
        return {}
    waves = batch.columns[WAVES]
    nearest = (position + 0.5).floor().long().clamp(0, waves.shape[-1] - 1)
    read = waves.gather(2, nearest[:, None, :].expand(-1, waves.shape[1], -1))
    return {WAVES: torch.where(valid[:, None, :], read, torch.full_like(read, UNKNOWN))}


def fiducials_at(batch: Batch, start: Tensor, step: Tensor) -> dict[str, Tensor]:
    """The column of fiducials where sample t is read at `start` + t · `step`, both (B, 1); empty without one.

    NaN = outside the window.
    """
    if "fiducials" not in batch.columns:
        return {}
    moved = (batch.columns["fiducials"] - start[:, :, None, None]) / step[:, :, None, None].clamp(min=1e-6)
    outside = (moved < 0) | (moved > batch.signal.shape[-1] - 1)
    return {"fiducials": moved.masked_fill(outside, torch.nan)}


def need_waves(batch: Batch, name: str) -> Tensor:
    """The column of waves.

    Raises
    ------
    ShapeError
        The batch has none: the objective does not need any.
    """
    if WAVES not in batch.columns:
        raise ShapeError(
            f"augmentation '{name}': expected a batch with a column 'waves', got none; use it in an objective that "
            "needs waves, such as 'delineate'"
        )
    return batch.columns[WAVES]


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
