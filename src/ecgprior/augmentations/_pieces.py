"""A window as consecutive pieces that are laid in another order: the signal, and the columns that go with it.

At a joint the two pieces fade into each other, each read on beyond its own end; before, each piece is freed of its
level, the straight line between the signal's levels at its two ends, and gets the line of the place to which it comes.
So slow wander stays where it was, a piece that is laid where it lay is not changed, and no joint has a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..batch import Batch
from ._beats import FIDUCIALS
from ._waves import NONE, WAVES, present


class Pieces(NamedTuple):
    """A window cut in pieces, and the order in which they are laid.

    Attributes
    ----------
    edges : Tensor, int64, (B, S + 1)
        Piece s is [edges[s], edges[s + 1]) of the window; some are empty. From 0 to T.
    order : Tensor, int64, (B, S)
        The piece at each place.
    """

    edges: Tensor
    order: Tensor

    def starts(self) -> Tensor:
        """Where the piece at each place begins in the result: int64 (B, S)."""
        lengths = self.edges.diff(dim=1).gather(1, self.order)
        return lengths.cumsum(1) - lengths

    def of_places(self) -> tuple[Tensor, Tensor]:
        """First sample, and sample after the last, of the piece at each place, in the window: int64 (B, S)."""
        return self.edges[:, :-1].gather(1, self.order), self.edges[:, 1:].gather(1, self.order)


def pieces(starts: Tensor, known: Tensor, n_valid: Tensor, n_samples: int) -> Tensor:
    """Edges (B, K + 3) of the pieces between `starts`, int64 (B, K), where `known`: head, pieces, tail, rest, padding.

    The piece after the last known start is the tail; then come empty ones, and last the padding from `n_valid` (B, 1).
    """
    inner = torch.where(known, starts, n_valid).sort(1).values
    zero = torch.zeros_like(n_valid)
    return torch.cat([zero, inner, n_valid, zero + n_samples], 1)


def lay(batch: Batch, cut: Pieces, fade: int = 0) -> Batch:
    """The window's pieces in their order; with `fade` > 0, levelled and faded over so many samples on either side.

    Only joints between pieces that are not empty fade; the padding is laid last and touches none.
    """
    n_samples = batch.signal.shape[-1]
    time = torch.arange(n_samples, device=batch.signal.device).expand(len(batch), -1).contiguous()
    starts = cut.starts()
    place = torch.searchsorted(starts, time, right=True) - 1
    first, after = cut.of_places()
    source = first.gather(1, place) + time - starts.gather(1, place)
    if fade:
        signal = _faded(batch, cut, fade, time, place, source)
    else:
        signal = _read(batch.signal, source)
    signal = torch.where(present(batch), signal, 0.0)
    moved = {FIDUCIALS: _marks(batch.columns[FIDUCIALS], cut, starts)} if FIDUCIALS in batch.columns else {}
    if WAVES in batch.columns:
        moved[WAVES] = _read(batch.columns[WAVES], source)
    return batch.with_(signal=signal, columns=batch.columns | moved)


def silence(batch: Batch, start: Tensor) -> Batch:
    """Zeros, and no wave, from `start` (B, 1) to the end of the recorded part."""
    time = torch.arange(batch.signal.shape[-1], device=batch.signal.device)
    gone = ((time >= start) & batch.valid)[:, None, :]
    columns = dict(batch.columns)
    if WAVES in columns:
        columns[WAVES] = torch.where(gone, torch.full_like(columns[WAVES], NONE), columns[WAVES])
    if FIDUCIALS in columns:
        marks = columns[FIDUCIALS]
        columns[FIDUCIALS] = torch.where(marks >= start[:, :, None, None], torch.nan, marks)
    return batch.with_(signal=torch.where(gone, 0.0, batch.signal), columns=columns)


def _read(values: Tensor, at: Tensor) -> Tensor:
    """`values` (B, L, T) at samples `at`, int64 (B, T), on all leads alike."""
    return values.gather(2, at[:, None, :].expand(-1, values.shape[1], -1))


def _faded(batch: Batch, cut: Pieces, fade: int, time: Tensor, place: Tensor, source: Tensor) -> Tensor:
    """The signal (B, L, T) in its new order, levelled, with joints faded."""
    n_samples = batch.signal.shape[-1]
    starts = cut.starts()
    first, after = cut.of_places()
    full = after > first
    ends = starts + after - first
    n_places = starts.shape[1]
    padding = cut.edges[:, -2:-1]
    # The nearest place with something in it, on the left and on the right; the padding is no neighbour.
    number = torch.arange(n_places, device=place.device).expand_as(starts)
    full = full & (first < padding)
    before = torch.where(full, number, -1).cummax(1).values.roll(1, 1)
    before[:, 0] = -1
    behind = torch.where(full, number, n_places).flip(1).cummin(1).values.flip(1).roll(-1, 1)
    behind[:, -1] = n_places
    left, right = time - starts.gather(1, place), ends.gather(1, place) - time
    one_left, one_right = before.gather(1, place), behind.gather(1, place)
    recorded = time < padding
    from_left = (left < fade) & (one_left >= 0) & recorded
    from_right = (right <= fade) & (one_right < n_places) & recorded
    other = torch.where(from_right, first.gather(1, one_right.clamp(max=n_places - 1)) - right, source)
    other = torch.where(from_left, after.gather(1, one_left.clamp(min=0)) + left, other)
    far = torch.where(from_left, left + 0.5, right - 0.5) / fade
    weight = torch.where(from_left | from_right, 0.5 * (1 - torch.sin(0.5 * torch.pi * far)), 0.0)
    weight = weight[:, None, :].to(batch.signal.dtype)
    level = _level(batch.signal, cut.edges, fade)
    still = batch.signal - level
    mine, theirs = _read(still, source), _read(still, other.clamp(0, n_samples - 1))
    return torch.lerp(mine, theirs, weight).add_(level)


def _level(signal: Tensor, edges: Tensor, reach: int) -> Tensor:
    """The signal's level: straight lines from one inner edge to the next, held before the first and after the last.

    (B, L, T); at an edge the mean of 2 · `reach` + 1 samples.
    """
    inner = edges[:, 1:-2]
    last = edges[:, -2:-1]
    there = inner < last
    n_there = there.sum(1, keepdim=True)
    inner = torch.where(there, inner, inner.gather(1, (n_there - 1).clamp(min=0)))
    near = inner[:, :, None] + torch.arange(-reach, reach + 1, device=signal.device)
    at_inner = (
        _read(signal, near.clamp(0, signal.shape[-1] - 1).flatten(1)).unflatten(2, near.shape[1:]).mean(3)
    )
    time = torch.arange(signal.shape[-1], device=signal.device).expand(len(signal), -1).contiguous()
    behind = torch.searchsorted(inner.contiguous(), time, right=True)
    low, high = (behind - 1).clamp(min=0), behind.clamp(max=inner.shape[1] - 1)
    start, stop = inner.gather(1, low), inner.gather(1, high)
    share = ((time - start) / (stop - start).clamp(min=1)).clamp(0, 1).to(signal.dtype)
    from_level, to_level = _read(at_inner, low), _read(at_inner, high)
    return from_level + share[:, None, :] * (to_level - from_level)


def _marks(marks: Tensor, cut: Pieces, starts: Tensor) -> Tensor:
    """Fiducials (B, K, 3, 3), each moved with the piece in which it lies; rows in the order of time."""
    if not marks.shape[1]:
        return marks
    flat = marks.flatten(1)
    piece = torch.searchsorted(
        cut.edges[:, 1:-1].contiguous(), flat.nan_to_num(0.0).floor().long(), right=True
    )
    at = cut.order.argsort(1).gather(1, piece)
    moved = (flat + starts.gather(1, at) - cut.edges.gather(1, piece)).view(marks.shape)
    order = moved.nan_to_num(torch.inf).amin((2, 3)).argsort(dim=1, stable=True)
    return moved.gather(1, order[:, :, None, None].expand_as(moved))
