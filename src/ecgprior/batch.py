"""What a training step is given: a batch of windows, and random numbers that belong to each of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Windows of records, preprocessed, side by side.

    Attributes
    ----------
    signal : Tensor, float32, (B, L, T)
        Normalised amplitude (the recipe's preprocessing); 0 where absent, never NaN.
    lead_mask : Tensor, bool, (B, L)
        True = the lead is there.
    valid : Tensor, bool, (B, T)
        True = the record has this sample; False = padding after its end.
    row : Tensor, int64, (B,)
        Row of the corpus' index: with `start`, the key of the window's random numbers.
    start : Tensor, int64, (B,)
        First sample of the window in the record, at the recipe's rate.
    patient : Tensor, int64, (B,)
        A number a patient, equal for windows of the same one.
    labels : Tensor, float32, (B, C), or None
        0, 1, or NaN = not labelled.
    next : Batch or None
        The window right after this one of the same record, for objectives that need two.
    other : Batch or None
        A window of another record of each patient, for objectives that need ``"same_patient"``.
    columns : dict of str to Tensor, (B, …)
        What an objective named in ``needs``: ``"features"`` (B, F), NaN = not measurable; ``"fiducials"``
        float32 (B, K, 3, 3), of each beat P, QRS, T × onset, peak, offset over all leads, in samples of the
        window, NaN = absent or outside; for ``"waves"`` the class of each sample, ``waves`` int8 (B, L, T),
        0 none, 1 P, 2 QRS, 3 T, −1 unknown, and ``simulated`` bool (B,). Of these ``waves`` goes with the signal:
        what moves time moves it too. ``fiducials`` are those of the window as it was cut, and only a crop moves
        them: what reads them comes before what changes time.
    fs : float or None
        Sampling rate in Hz; None = not said (augmentations that speak of Hz or seconds then refuse).
    leads : tuple of str, (L,)
        Names of the leads; empty = not said (augmentations that must know them then refuse).
    """

    signal: Tensor
    lead_mask: Tensor
    valid: Tensor
    row: Tensor
    start: Tensor
    patient: Tensor
    labels: Tensor | None = None
    next: Batch | None = None
    columns: dict[str, Tensor] = field(default_factory=dict)
    fs: float | None = None
    other: Batch | None = None
    leads: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.signal.shape[0]

    def with_(self, **changes: Any) -> Batch:
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Batch:
        """The batch on another device; `dtype` is for `signal` only, here and in its other windows."""

        def move(value: Any) -> Any:
            if isinstance(value, Batch):
                return value.to(device, dtype)
            if isinstance(value, Tensor):
                return value.to(device)
            if isinstance(value, dict):
                return {key: move(item) for key, item in value.items()}
            return value

        moved = {name: move(getattr(self, name)) for name in self.__dataclass_fields__}
        if dtype is not None:
            moved["signal"] = moved["signal"].to(dtype)
        return Batch(**moved)


class BatchRandom:
    """Random numbers that depend on seed, step, record and purpose – not on batch order, device or process.

    A counter-based generator (SplitMix64 of a key a row and a counter a draw): the same record at the same
    step draws the same numbers whether it is computed alone, in one process or in two.

    Parameters
    ----------
    seed, step : int
    key : Tensor, int64, (B,)
        One key a row; see :meth:`for_batch`.

    Examples
    --------
    >>> whole = BatchRandom(0, 7, torch.tensor([3, 5])).uniform("crop", 4)
    >>> alone = BatchRandom(0, 7, torch.tensor([5])).uniform("crop", 4)
    >>> torch.equal(whole[1:], alone)
    True
    """

    def __init__(self, seed: int, step: int, key: Tensor) -> None:
        self.seed, self.step = int(seed), int(step)
        self.key = key.to(torch.int64)

    @classmethod
    def for_batch(cls, seed: int, step: int, batch: Batch) -> BatchRandom:
        """Keyed by each window's record and start."""
        return cls(seed, step, _mix(batch.row) ^ batch.start)

    def only(self, rows: Tensor) -> BatchRandom:
        """The same generator for some of the rows, int64 or bool: they draw what they would draw among all."""
        return BatchRandom(self.seed, self.step, self.key[rows])

    def split(self, purpose: str) -> BatchRandom:
        """An independent generator for a part of the step (``"view 1"``), the same rows."""
        return BatchRandom(self.seed, self.step, _mix(self.key ^ zlib.crc32(purpose.encode())))

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Float32 in [0, 1): (B, *shape). `purpose` names the draw; the same name gives the same numbers."""
        bits = self._bits(purpose, shape)
        return _shift(bits, 40).to(torch.float32) * 2.0**-24

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """Standard normal float32: (B, *shape), by Box–Muller."""
        u = self.uniform(purpose + "/r", *shape)
        v = self.uniform(purpose + "/a", *shape)
        return torch.sqrt(-2.0 * torch.log1p(-u)) * torch.cos(2.0 * torch.pi * v)

    def integers(self, purpose: str, low: int, high: int, *shape: int) -> Tensor:
        """Int64 in [low, high): (B, *shape)."""
        return low + _shift(self._bits(purpose, shape), 1).remainder(high - low)

    def chance(self, purpose: str, probability: float, *shape: int) -> Tensor:
        """Bool, True with `probability`: (B, *shape)."""
        return self.uniform(purpose, *shape) < probability

    def _bits(self, purpose: str, shape: tuple[int, ...]) -> Tensor:
        count = 1
        for size in shape:
            count *= size
        stream = _mix(torch.tensor(self.seed * 0x9E3779B1 + self.step, dtype=torch.int64))
        stream = _mix(stream ^ zlib.crc32(purpose.encode()))
        rows = _mix(self.key ^ stream.to(self.key.device))
        counter = torch.arange(1, count + 1, dtype=torch.int64, device=rows.device) * _GOLDEN
        return _mix(rows[:, None] + counter).reshape(len(rows), *shape)


_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # as signed 64-bit: torch's int64 wraps like the unsigned one
_M1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_M2 = 0x94D049BB133111EB - (1 << 64)


def _shift(x: Tensor, by: int) -> Tensor:
    """Logical right shift of int64."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _mix(x: Tensor) -> Tensor:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014), elementwise on int64."""
    x = (x ^ _shift(x, 30)) * _M1
    x = (x ^ _shift(x, 27)) * _M2
    return x ^ _shift(x, 31)
