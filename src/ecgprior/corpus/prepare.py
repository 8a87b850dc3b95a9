"""Prepare: from publishers' folders to a corpus that can be read a thousand times a second.

The catalog is cut into parts of consecutive records. A part is one job: it loads each record as its source says,
resamples it, writes one shard, then the part's own small index, both whole or not at all. So a run that is killed at
any moment goes on with the parts that are not there yet, and the result is the same byte for byte, whoever did the
work and in which order. When all parts are there, duplicates are taken out of the index, and the manifest is written
last: a corpus with a manifest is complete.

Memory: one record a worker, and one row of the index a record. Workers write to the corpus' folder themselves, so on
a cluster they must see it (and the sources) under the same path.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CorpusError, EcgpriorError, LeadMissing, describe, nearest
from ..jobs import Progress, run_jobs
from ..provenance import atomic_open
from ..record.filters import resample
from ..record.record import LEADS, Record
from ._finish import finish, marks_path, part_path
from ._plan import Plan, check_folder, gather, locked, write_plan
from ._shard_files import ShardWriter, shard_name
from ._write import lists, write_frame, writing
from .catalog import open_source
from .duplicates import SIZE, profile, project
from .shards import Corpus, check_leads
from .sources.base import Source
from .tables import annotation_rows


def prepare(
    sources: Sequence[Source] | Mapping[str, str | Path],
    to: str | Path,
    *,
    fs: float = 500.0,
    seconds: float = 10.0,
    leads: Sequence[str] = LEADS,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Write a corpus, or finish one that was interrupted.

    Parameters
    ----------
    sources : sequence of Source, or mapping of str to path
        ``{"ptbxl": "path/to/ptb-xl", "ludb": …}`` opens them by name.
    to : path
        A new or empty folder, or one in which the same call was interrupted.
    fs : float
        Rate of the corpus in Hz.
    seconds : float
        The window that training will cut; kept in the manifest. Records are stored at their own length.
    leads : sequence of str
        What is kept of each record; nothing is computed.
    executor : concurrent.futures.Executor, optional
        Where the work is done; by default `workers` local processes (``spawn``).
    workers : int, optional
        By default one a core.
    progress : callable, optional
        ``progress(records done, records in all, text)``.

    Returns
    -------
    Corpus
        Beside it lie ``rejected.csv`` (record, source, path, reason) and ``duplicates.csv``.

    Raises
    ------
    CorpusError
        No record could be read; the folder holds something else, or a corpus of other sources or settings; the
        folder cannot be written, or the disk is full (the same call then goes on where it was).
    LeadMissing
        A lead is neither one of the twelve nor in any record of the sources.
    JobsStopped
        A worker process died (the same call then goes on where it was).

    Notes
    -----
    A record is rejected only when it cannot be read or has none of the corpus' leads. One impossible sample, a flat
    lead or a broken Einthoven relation is no reason: that is for quality measures to say.
    """
    folder = Path(to)
    if not (isfinite(fs) and fs > 0 and isfinite(seconds) and seconds > 0):
        raise CorpusError(f"rate and seconds: expected finite numbers above 0, got {fs} Hz and {seconds} s")
    if isinstance(sources, Mapping):
        sources = [open_source(name, root) for name, root in sources.items()]
    if isinstance(sources, str | Path | Source) or not all(isinstance(source, Source) for source in sources):
        raise CorpusError(
            "sources: expected a list of sources, or folders by the names of their sources, as "
            f"{{'ludb': 'path/to/ludb'}}, got {sources!r:.80}"
        )
    table = gather(sources)
    plan = Plan.of(table, fs=float(fs), seconds=float(seconds), leads=check_leads(leads))
    with writing(folder):
        if check_folder(folder, plan):
            return Corpus(folder)
        with locked(folder):
            _check_lead_names(plan.leads, sources, table)
            write_plan(folder, plan)
            _run_parts(sources, table, folder, plan, executor, workers, progress)
            finish(sources, table, folder, plan)
    return Corpus(folder)


def _check_lead_names(leads: tuple[str, ...], sources: Sequence[Source], table: pl.DataFrame) -> None:
    """Refuse a name that no record has; one of the twelve may be absent. Looks only until every name is found."""
    strange, seen = set(leads) - set(LEADS), dict.fromkeys(LEADS)
    rows = table.select("_instance", "path").iter_rows()
    while strange and (row := next(rows, None)):
        try:
            found = sources[row[0]].load(row[1]).leads
        except _UNREADABLE:
            continue
        strange -= set(found)
        seen |= dict.fromkeys(found)
    if strange:
        name = min(strange)
        raise LeadMissing(
            f"lead '{name}' is in no record of the sources: expected one of {', '.join(seen)}.{nearest(name, seen)}"
        )


@dataclass(frozen=True)
class Part:
    """One job: some consecutive records of the catalog, with the sources that load them."""

    number: int
    folder: Path
    fs: float
    leads: tuple[str, ...]
    sources: dict[int, _Held]
    rows: list[tuple[str, int, str]]


class _Held:
    """A source on its way to other processes: each of them opens it once, not once a part."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @cached_property
    def _data(self) -> bytes:
        return pickle.dumps(self.source)

    def __reduce__(self) -> tuple[Any, ...]:
        return _held, (self._data,)


@lru_cache(maxsize=32)
def _held(data: bytes) -> _Held:
    return _Held(pickle.loads(data))


def _run_parts(
    sources: Sequence[Source],
    table: pl.DataFrame,
    folder: Path,
    plan: Plan,
    executor: Executor | None,
    workers: int | None,
    progress: Progress | None,
) -> None:
    todo = [number for number in range(plan.n_parts) if not part_path(folder, number).is_file()]
    done, rejected = plan.n_records - sum(plan.size(number) for number in todo), 0
    parts = _Parts(sources, table, folder, plan, todo)
    for _, result in run_jobs(prepare_part, parts, executor=executor, workers=workers):
        if isinstance(result, EcgpriorError):
            raise result
        done, rejected = done + result[0], rejected + result[1]
        if progress is not None:
            progress(done, plan.n_records, f"{rejected} rejected" if rejected else "")


class _Parts:
    """The parts that are still to do, each made when it is asked for."""

    def __init__(
        self, sources: Sequence[Source], table: pl.DataFrame, folder: Path, plan: Plan, todo: list[int]
    ) -> None:
        self.sources = [_Held(source) for source in sources]
        self.table, self.folder, self.plan, self.todo = table, folder, plan, todo

    def __len__(self) -> int:
        return len(self.todo)

    def __iter__(self) -> Iterator[Part]:
        for number in self.todo:
            piece = self.table.slice(number * self.plan.part_records, self.plan.part_records)
            rows = piece.select("record", "_instance", "path").rows()
            used = {instance: self.sources[instance] for instance in sorted({row[1] for row in rows})}
            yield Part(number, self.folder.resolve(), self.plan.fs, self.plan.leads, used, rows)


PART_COLUMNS: dict[str, Any] = {
    "record": pl.String,
    "n_samples": pl.Int64,
    "fs_source": pl.Float64,
    "leads": pl.List(pl.String),
    "shard": pl.Int32,
    "offset": pl.Int64,
    "scale": pl.List(pl.Float32),
    "n_missing": pl.Int64,
    "sha256": pl.String,
    "fingerprint": pl.Array(pl.Int8, SIZE),
    "reason": pl.String,
}


def prepare_part(part: Part) -> tuple[int, int]:
    """Write one part; returns how many records it has, and how many of them were rejected."""
    entries: list[dict[str, Any]] = []
    marks: list[pl.DataFrame] = []
    profiles: list[NDArray[np.float32]] = []
    with writing(part.folder):
        with atomic_open(part.folder / shard_name(part.number), "wb", sync=False) as file:
            writer = ShardWriter(file, part.leads)
            for name, instance, path in part.rows:
                loaded = _load(part.sources[instance].source, path, part.fs, part.leads)
                if isinstance(loaded, str):
                    entries.append({"record": name, "reason": loaded})
                    continue
                record, rate = loaded
                entry = writer.add(record.signal)
                if entry is None:
                    reason = "all leads are absent: expected at least one sample that is a number"
                    entries.append({"record": name, "reason": reason})
                    continue
                profiles.append(profile(record.signal, part.fs))
                entries.append({"record": name, "shard": part.number, "fs_source": rate} | entry)
                if record.annotations is not None:
                    marks.append(annotation_rows(name, record.annotations))
        if marks:
            write_frame(marks_path(part.folder, part.number), pl.concat(marks), sync=False)
        write_frame(
            part_path(part.folder, part.number), _part_table(entries, profiles, part.leads), sync=False
        )
    return len(entries), sum("reason" in entry for entry in entries)


def _part_table(
    entries: Sequence[dict[str, Any]], profiles: Sequence[NDArray[np.float32]], leads: tuple[str, ...]
) -> pl.DataFrame:
    """The part's index, column by column: far less work than row by row; `profiles` are those of what was stored."""
    columns: dict[str, list[Any]] = {
        name: [entry.get(name) for entry in entries] for name in PART_COLUMNS if name != "fingerprint"
    }
    prints = project(np.stack(profiles), leads) if profiles else np.zeros((0, SIZE), np.int8)
    number = iter(range(len(profiles)))
    place = [None if "reason" in entry else next(number) for entry in entries]
    fingerprint = pl.Series("fingerprint", prints, PART_COLUMNS["fingerprint"])
    return pl.DataFrame(
        [
            lists(name, values) if name == "leads" else pl.Series(name, values, PART_COLUMNS[name])
            for name, values in columns.items()
        ]
        + [fingerprint.gather(pl.Series(place, dtype=pl.UInt32))]
    ).select(*PART_COLUMNS)


_UNREADABLE = (EcgpriorError, OSError, ValueError, LookupError, ArithmeticError, TypeError, EOFError)
"""What a file can make a reader raise; one that it did not foresee must not end the run."""


def _load(source: Source, path: str, fs: float, leads: tuple[str, ...]) -> tuple[Record, float] | str:
    """The record at the corpus' rate with the corpus' leads, and its own rate; or why there is none."""
    try:
        with np.errstate(all="ignore"):
            record = source.load(path)
            rate = record.fs
            if not set(record.leads) & set(leads):
                return f"no lead of the corpus: expected one of {', '.join(leads)}, got {', '.join(record.leads)}"
            if record.leads != leads:
                record = record.pick(leads)
            if (
                not np.isfinite(record.signal.sum()) and np.isinf(record.signal).any()
            ):  # filters would spread it
                record = record.with_(
                    signal=np.where(np.isinf(record.signal), np.float32(np.nan), record.signal)
                )
            return resample(record, fs), rate
    except _UNREADABLE as error:
        return describe(error) if isinstance(error, EcgpriorError) else f"{type(error).__name__}: {error}"
