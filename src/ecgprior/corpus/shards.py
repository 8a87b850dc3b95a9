"""A corpus: many records at one rate, as int16 shards that are mapped into memory. ``FORMAT.md`` is the specification.

A record lies in one shard, lead after lead, each lead with its own scale, at its own length: nothing is padded.
Opening a corpus reads the manifest and the index; a shard is mapped when one of its records is first asked for. A
pickled corpus is its path, so worker processes receive it for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CorpusError, ShardBroken, nearest, where
from ..provenance import digest_json, digest_pairs
from ..record.record import Annotations, Patient, Record, canonical_lead
from . import tables
from ._shard_files import ShardReader

VERSION = 1
"""Version of the format that is written, and the only one that is read."""


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
            annotations=self._marks(info["record"]),
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
        """A side table: ``"annotations"``, ``"fiducials"``, ``"features"`` or another of its form; None = there is none.

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

    def _marks(self, record: str) -> Annotations | None:
        table = self.side("annotations")
        if table is None or record not in self._mark_rows:
            return None
        return tables.annotations_of(table[self._mark_rows[record]], record)

    @cached_property
    def _mark_rows(self) -> dict[str, pl.Series]:
        """Which rows of the annotations are a record's: looking through all of them for each record is slow."""
        table = self.side("annotations")
        if table is None:
            return {}
        rows = table.select("record").with_row_index().group_by("record").agg("index")
        return dict(zip(rows["record"], rows["index"]))

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


def corpus_digest(index: pl.DataFrame, fs: float, leads: Sequence[str]) -> str:
    """SHA-256 over rate, leads, and each record's name, bytes, scales and catalog row – not over where it lies."""
    left_out = {"shard", "offset", "path", "fingerprint", "seconds", "fs_source"}
    kept = index.select(name for name in sorted(index.columns) if name not in left_out)
    record = kept.columns.index("record")
    rows = (
        (values[record], json.dumps(dict(zip(kept.columns, values)), ensure_ascii=False))
        for part in kept.iter_slices(4096)
        for values in zip(*(column.to_list() for column in part))  # by columns: rows of lists are slow to make
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
