"""A corpus: many records at one rate, as int16 shards that are mapped into memory. ``FORMAT.md`` is the specification.

A record lies in one shard, lead after lead, each lead with its own scale, at its own length: nothing is padded.
Opening a corpus reads the manifest and the index; a shard is mapped when one of its records is first asked for. A
pickled corpus is its path, so worker processes receive it for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CorpusError, ShardBroken, nearest, where
from ..provenance import digest_json, digest_pairs
from ..record.record import Patient, Record, canonical_lead
from . import tables

VERSION = 1
"""Version of the format that is written, and the only one that is read."""
MISSING = -32768
"""The int16 that stands for NaN."""
LARGEST_MV = 327.67
"""What is beyond is set to it, when it is also 1,000 times the lead's median: no amplifier goes there."""
_OPEN_SHARDS = 128


class Corpus:
    """A prepared corpus on disk, read only.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : Path
    manifest : dict
        What ``manifest.json`` says.
    fs : float
        Sampling rate of every record in Hz.
    leads : tuple of str
        The corpus' leads; a record may have fewer.
    seconds : float
        The window that it was prepared for; records may be shorter or longer.
    digest : str
        SHA-256 over all that a result can depend on: rate, leads, each record's name, bytes, scales and catalog row.
    vocabularies : tuple of str
        The vocabularies in which at least one record is labelled.
    index : polars.DataFrame
        One row a record; see ``FORMAT.md``.

    Raises
    ------
    CorpusError
        Not a corpus, an unfinished one, or one of another version; the sentence says which command mends it.

    Examples
    --------
    >>> corpus = Corpus("corpus")                       # doctest: +SKIP
    >>> corpus.signal(0, 0, 500).shape                  # doctest: +SKIP
    (12, 500)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)
        self.fs = float(self.manifest["fs"])
        self.leads: tuple[str, ...] = tuple(self.manifest["leads"])
        self.seconds = float(self.manifest["seconds"])
        self.digest: str = self.manifest["digest"]
        self.vocabularies: tuple[str, ...] = tuple(self.manifest["vocabularies"])

    def __len__(self) -> int:
        return int(self.manifest["n_records"])

    def __repr__(self) -> str:
        return f"Corpus('{self.path}': {len(self)} records at {self.fs:g} Hz, {len(self.leads)} leads)"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    @cached_property
    def index(self) -> pl.DataFrame:
        """One row a record, read on first use."""
        try:
            table = pl.read_parquet(self.path / "index.parquet")
        except (OSError, pl.exceptions.PolarsError) as error:
            raise CorpusError(
                f"index of corpus '{self.path}': expected a Parquet file, got {error}"
            ) from error
        if table.height != len(self):
            raise CorpusError(
                f"index of corpus '{self.path}': expected {len(self)} rows as in the manifest, got {table.height}"
            )
        return table

    def signal(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """A stretch of one record.

        Parameters
        ----------
        row : int
            Row of the index.
        start, stop : int
            Samples, as in a slice: what is beyond the end is not there.

        Returns
        -------
        ndarray, float32, (L, T), mV
            The corpus' leads in their order; NaN = absent. A new array.

        Raises
        ------
        CorpusError
            No such row, or a negative sample.
        ShardBroken
            The shard is missing or too short.
        """
        return self._reader.signal(self._checked(row), start, stop)

    def record(self, row: int) -> Record:
        """One record with the corpus' leads, its patient, and its published marks when the corpus has them."""
        info = self.index.row(self._checked(row), named=True)
        return Record(
            signal=self.signal(row),
            fs=self.fs,
            leads=self.leads,
            name=info["record"],
            patient=Patient(info["patient"], info["age"], info["sex"]),
            source=f"{self.path.name}/{info['record']}",
            annotations=tables.annotations_of(self.side("annotations"), info["record"]),
        )

    def rows(self, records: Iterable[str] | None = None) -> list[int]:
        """Row numbers of records by name, in the order asked for; of all when None.

        Raises
        ------
        CorpusError
            A record is not in the corpus.
        """
        if records is None:
            return list(range(len(self)))
        found = []
        for name in records:
            if name not in self._row_of:
                raise CorpusError(
                    f"record '{name}' is not in corpus '{self.path}'.{nearest(name, self._row_of)}"
                )
            found.append(self._row_of[name])
        return found

    def side(self, name: str) -> pl.DataFrame | None:
        """A side table: ``"annotations"``, ``"fiducials"`` or ``"features"``; None when the corpus has none.

        Raises
        ------
        UnknownName
            No such kind of table.
        CorpusError
            The table is of another corpus or of another version.
        ColumnMissing
            A column that ``FORMAT.md`` asks for is absent.
        """
        if name not in self._side:
            self._side[name] = tables.read_table(self.path, name, self.digest)
        return self._side[name]

    def broken(self, rows: Iterable[int] | None = None) -> list[str]:
        """Names of the records whose stored bytes do not have the SHA-256 of the index (all rows by default)."""
        names, sums = self.index["record"], self.index["sha256"]
        bad = []
        for row in self.rows() if rows is None else rows:
            try:
                stored, _ = self._reader.stored(self._checked(row))
            except ShardBroken:
                bad.append(names[row])
                continue
            if hashlib.sha256(stored.data.cast("B")).hexdigest() != sums[row]:
                bad.append(names[row])
        return bad

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.index["record"])}

    @cached_property
    def _side(self) -> dict[str, pl.DataFrame | None]:
        return {}

    @cached_property
    def _reader(self) -> ShardReader:
        return ShardReader(self.path, self.index, self.leads)

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self):
            raise CorpusError(f"row {row}: expected 0 to {len(self) - 1} in corpus '{self.path}'")
        return row


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
            "leads": [self.leads[lead] for lead in present],
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


def corpus_digest(index: pl.DataFrame, fs: float, leads: Sequence[str]) -> str:
    """SHA-256 over rate, leads, and each record's name, bytes, scales and catalog row – not over where it lies."""
    left_out = {"shard", "offset", "path", "fingerprint", "seconds", "fs_source"}
    kept = index.select(name for name in sorted(index.columns) if name not in left_out)
    rows = (
        (row["record"], json.dumps(row, sort_keys=True, ensure_ascii=False))
        for part in kept.iter_slices(4096)
        for row in part.iter_rows(named=True)
    )
    return digest_json({"fs": fs, "leads": list(leads), "records": digest_pairs(rows)})


def check_leads(leads: Sequence[str]) -> tuple[str, ...]:
    """The names in canonical spelling.

    Raises
    ------
    CorpusError
        None, or one twice.
    """
    names = tuple(canonical_lead(lead) for lead in leads)
    if not names or len(set(names)) != len(names):
        raise CorpusError(
            f"leads of a corpus: expected at least one and each once, got {', '.join(names) or 'none'}"
        )
    return names


def _read_manifest(path: Path) -> dict[str, Any]:
    with where(f"corpus '{path}'"):
        file = path / "manifest.json"
        if not file.is_file():
            if (path / "plan.json").is_file():
                raise CorpusError(
                    "manifest.json is not there yet: expected a finished corpus, got one that was interrupted – run "
                    "the same 'ecgprior prepare' again, it goes on where it was"
                )
            raise CorpusError(
                "manifest.json is not there: expected a folder that 'ecgprior prepare SOURCE=DIR --to FOLDER' wrote"
            )
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorpusError(
                f"manifest.json: expected JSON, got {error} – prepare the corpus again"
            ) from None
        version = manifest.get("format_version") if isinstance(manifest, dict) else None
        if version != VERSION or manifest.get("kind") != "ecgprior-corpus":
            raise CorpusError(
                f"format_version: expected {VERSION} of an ecgprior-corpus, got {version!r} of "
                f"{manifest.get('kind') if isinstance(manifest, dict) else None!r} – prepare the sources again with "
                "'ecgprior prepare', or read it with the ecgprior that wrote it"
            )
        return manifest
