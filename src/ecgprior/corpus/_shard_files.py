"""The files of a corpus that hold samples: 16-bit integers, lead after lead, mapped into memory when they are read."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CorpusError, ShardBroken

MISSING = -32768
"""The int16 that stands for NaN."""
LARGEST_MV = 327.67
"""What is beyond is set to it, when it is also 1,000 times the lead's median: no amplifier goes there."""
_OPEN_SHARDS = 128


class ShardReader:
    """Reads records of the shards below a folder; :class:`Corpus` adds the manifest.

    Parameters
    ----------
    path : Path
        The corpus' folder.
    index : polars.DataFrame
        One row a record with ``shard``, ``offset``, ``n_samples``, ``n_missing``, ``leads``, ``scale``.
    leads : tuple of str
        The corpus' leads.
    """

    def __init__(self, path: Path, index: pl.DataFrame, leads: tuple[str, ...]) -> None:
        self.path, self.leads = path, leads
        self._places = _Places.of(index, leads)
        self._maps: OrderedDict[int, NDArray[np.int16]] = OrderedDict()

    def signal(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """As :meth:`Corpus.signal`."""
        stored, slots = self.stored(row)
        if start < 0 or (stop is not None and stop < 0):
            raise CorpusError(f"samples {start} to {stop}: expected no negative ones")
        stored = stored[:, start:stop]
        scale = self._places.scale[row]
        if slots is None:
            out = stored * scale[:, None]
        else:
            out = np.full((len(self.leads), stored.shape[1]), np.nan, np.float32)
            out[slots] = stored * scale[slots, None]
        if self._places.n_missing[row]:
            at = stored == MISSING
            if slots is None:
                out[at] = np.nan
            else:
                lead, time = np.nonzero(at)
                out[slots[lead], time] = np.nan
        return out

    def stored(self, row: int) -> tuple[NDArray[np.int16], NDArray[np.intp] | None]:
        """The record's integers (stored leads, time), and where its leads are among the corpus' (None = all)."""
        places = self._places
        slots = places.slots[places.lead_set[row]]
        count, n = len(self.leads) if slots is None else len(slots), int(places.n_samples[row])
        first = int(places.offset[row]) // 2
        shard = self._shard(int(places.shard[row]))
        if first + count * n > len(shard):
            raise ShardBroken(
                f"shard {shard_name(int(places.shard[row]))} in '{self.path}': expected at least "
                f"{2 * (first + count * n):,} bytes, got {2 * len(shard):,} – prepare the corpus again"
            )
        return shard[first : first + count * n].reshape(count, n), slots

    def _shard(self, number: int) -> NDArray[np.int16]:
        if number in self._maps:
            self._maps.move_to_end(number)
            return self._maps[number]
        path = self.path / shard_name(number)
        try:
            shard = np.memmap(path, np.dtype("<i2"), "r")
        except (OSError, ValueError) as error:
            raise ShardBroken(f"shard '{path}': expected a file of 16-bit integers, got {error}") from error
        self._maps[number] = shard
        if len(self._maps) > _OPEN_SHARDS:
            self._maps.popitem(last=False)
        return shard


@dataclass(frozen=True, slots=True)
class _Places:
    """Where records lie, as arrays: what :meth:`Corpus.signal` needs without asking the table."""

    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    n_samples: NDArray[np.int64]
    n_missing: NDArray[np.int64]
    lead_set: NDArray[np.int64]
    slots: list[NDArray[np.intp] | None]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, index: pl.DataFrame, leads: tuple[str, ...]) -> _Places:
        joined = index["leads"].list.join("\n")
        sets = joined.unique(maintain_order=True).to_list()
        code = {text: number for number, text in enumerate(sets)}
        slots = [np.array([leads.index(lead) for lead in text.split("\n")], np.intp) for text in sets]
        lead_set = np.array([code[text] for text in joined], np.int64)
        scale = np.full((index.height, len(leads)), np.nan, np.float32)
        for number, where_ in enumerate(slots):
            rows = np.flatnonzero(lead_set == number)
            values = index["scale"].gather(rows).explode().to_numpy()
            scale[rows[:, None], where_] = values.reshape(len(rows), len(where_))
        in_order = np.arange(len(leads))
        whole: list[NDArray[np.intp] | None] = [None if np.array_equal(w, in_order) else w for w in slots]
        shard, offset, n_samples, n_missing = (
            index[name].to_numpy() for name in ("shard", "offset", "n_samples", "n_missing")
        )
        return cls(shard, offset, n_samples, n_missing, lead_set, whole, scale)


class ShardWriter:
    """Appends records to an open shard.

    Parameters
    ----------
    file : binary file
        Empty; it stays open.
    leads : sequence of str
        The corpus' leads.
    """

    def __init__(self, file: IO[bytes], leads: Sequence[str]) -> None:
        self.file, self.leads = file, tuple(leads)
        self.offset = 0

    def add(self, signal: NDArray[np.float32]) -> dict[str, Any] | None:
        """Write one record and return its index entries; None when every lead is absent (nothing is written).

        Parameters
        ----------
        signal : ndarray, float32, (L, T), mV
            The corpus' leads; NaN or infinite = missing.
        """
        present, stored, scale, n_missing = quantise(signal)
        if not len(present):
            return None
        data = np.ascontiguousarray(stored).data.cast("B")
        self.file.write(data)
        entry = {
            "n_samples": signal.shape[1],
            "leads": tuple(self.leads[lead] for lead in present),
            "offset": self.offset,
            "scale": scale.tolist(),
            "n_missing": n_missing,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        self.offset += data.nbytes
        return entry


def quantise(
    signal: NDArray[np.float32],
) -> tuple[NDArray[np.intp], NDArray[np.int16], NDArray[np.float32], int]:
    """Millivolts as integers: value = integer × the lead's scale.

    Returns
    -------
    present : ndarray, intp, (P,)
        Leads with at least one finite sample.
    stored : ndarray, int16, (P, T)
        −32768 = missing.
    scale : ndarray, float32, (P,), mV
        Largest amplitude / 32767: rounding is below 1/65,000 of it.
    n_missing : int
        Missing samples in `stored`.
    """
    largest = np.maximum(signal.max(axis=1), -signal.min(axis=1))
    if np.isfinite(largest).all() and not (largest > LARGEST_MV).any():
        present, missing = np.arange(len(signal)), None
    else:
        missing = ~np.isfinite(signal)
        present = np.flatnonzero(~missing.all(axis=1))
        signal, missing = signal[present], missing[present]
        signal = _without_wild(np.where(missing, np.float32(0), signal), missing)
        largest = np.abs(signal).max(axis=1, initial=0)
    scale = np.where(largest > 0, largest, 1.0).astype(np.float32) / np.float32(32767)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    scaled = signal * (1 / scale)[:, None]
    stored = np.rint(scaled, out=scaled).astype("<i2")  # at most 32767: the scale is the largest / 32767
    if missing is None:
        return present, stored, scale, 0
    stored[missing] = MISSING
    return present, stored, scale, int(missing.sum())


def _without_wild(signal: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Set single impossible samples to the limit, so that they do not cost the others their resolution."""
    for lead in np.flatnonzero(np.abs(signal).max(axis=1, initial=0) > LARGEST_MV):
        usual = float(np.median(np.abs(signal[lead][~missing[lead]])))
        limit = max(LARGEST_MV, 1000 * usual)
        np.clip(signal[lead], -limit, limit, out=signal[lead])
    return signal


def shard_name(number: int) -> str:
    """A shard's path below the corpus' folder."""
    return f"shards/{number:05d}.i16"
