"""The quality of every recording of a folder: tables on disk, some hundred recordings a piece of work.

A piece that is done lies in ``parts/`` until all are, so the same command goes on where a killed one was; a piece is
known by its recordings, their files' sizes and times, and the code, so what has changed is judged again. Memory: one
record a worker, and the tables' rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from ..corpus.catalog import open_source
from ..corpus.shards import Corpus
from ..corpus.sources.base import Source
from ..errors import EcgpriorError, ReadError, describe
from ..jobs import Progress, run_jobs
from ..physiology.quality.assess import Quality, quality
from ..physiology.quality.findings import SEVERE
from ..provenance import atomic_open, code_digest, digest_json
from ..record.formats.csv import column_names
from ..record.record import LEADS, Record, canonical_lead

_PART = 128

RECORDS: dict[str, Any] = {
    "record": pl.String, "path": pl.String, "score": pl.Float64, "acceptable": pl.Boolean, "fs": pl.Float64,
    "seconds": pl.Float64, "n_leads": pl.Int64, "n_unusable": pl.Int64, "n_disturbed": pl.Int64,
    "findings": pl.String, "unreadable": pl.String,
}  # fmt: skip
"""Columns of ``quality.csv`` and ``.parquet``; `unreadable` is the reason, null where the record was judged."""

FINDINGS: dict[str, Any] = {
    "record": pl.String, "lead": pl.String, "finding": pl.String, "severity": pl.String, "reason": pl.String,
}  # fmt: skip
"""Columns of ``findings.csv``; `lead` null = the whole record."""


@dataclass(frozen=True)
class FolderQuality:
    """What was found in a folder.

    Attributes
    ----------
    records : polars.DataFrame
        :data:`RECORDS`, in the folder's order.
    findings : polars.DataFrame
        :data:`FINDINGS`.
    passed_over : tuple of str
        Tables of something else than an ECG.
    """

    records: pl.DataFrame
    findings: pl.DataFrame
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where recordings are: a source's folder, or a corpus."""

    folder: Path
    source: str | None

    def open(self) -> Source | Corpus:
        """The source or the corpus; opened once a process."""
        return _open(self)

    def load(self, path: str) -> Record:
        """One recording by what :meth:`listed` calls its path."""
        opened = self.open()
        return opened.record(int(path)) if isinstance(opened, Corpus) else opened.load(path)

    def listed(self) -> Iterator[tuple[str, str]]:
        """Name and path of every recording, in order."""
        opened = self.open()
        if isinstance(opened, Corpus):
            yield from ((name, str(row)) for row, name in enumerate(opened.index["record"]))
        else:
            yield from ((row.record, row.path) for row in opened.rows())


@lru_cache(maxsize=4)
def _open(place: Place) -> Source | Corpus:
    if place.source is None and (place.folder / "manifest.json").is_file():
        return Corpus(place.folder)
    return open_source(place.source or "folder", place.folder)


@dataclass(frozen=True)
class Part:
    """One piece of work."""

    place: Place
    to: Path
    names: tuple[tuple[str, str], ...]


def judge_folder(
    place: Place,
    to: Path,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FolderQuality:
    """Judge every recording and write ``quality.csv``, ``quality.parquet`` and ``findings.csv`` into `to`.

    Raises
    ------
    ReadError
        There is no recording.
    JobsStopped
        A worker died (the same call then goes on where it was).
    """
    found = list(place.listed())
    tables = [path for _, path in found if place.source is None and _is_table(place.folder / path)]
    found = [item for item in found if item[1] not in set(tables)]
    if not found:
        raise ReadError(f"no recording in '{place.folder}': expected at least one file that a reader knows")
    cache = to / "parts"
    cache.mkdir(parents=True, exist_ok=True)
    pieces = [tuple(found[start : start + _PART]) for start in range(0, len(found), _PART)]
    parts = [Part(place, cache / _name(place, piece), piece) for piece in pieces]
    todo = [part for part in parts if not part.to.is_file()]
    done = len(found) - sum(len(part.names) for part in todo)
    for _, result in run_jobs(judge_part, todo, executor=executor, workers=workers):
        if isinstance(result, EcgpriorError):
            raise result
        done += result
        if progress is not None:
            progress(done, len(found), "")
    judged = _gather(parts, tuple(tables))
    write_tables(judged, to)
    shutil.rmtree(cache)
    return judged


def write_tables(judged: FolderQuality, to: Path) -> None:
    """The three tables, each whole or not at all."""
    for name, table in (("quality", judged.records), ("findings", judged.findings)):
        with atomic_open(to / f"{name}.csv", "wb") as file:
            table.write_csv(file, float_precision=4)
    with atomic_open(to / "quality.parquet", "wb") as file:
        judged.records.write_parquet(file)


def judge_part(part: Part) -> int:
    """Judge one piece and write it; returns how many recordings it has."""
    rows, findings = [], []
    for name, path in part.names:
        row: dict[str, Any] = dict.fromkeys(RECORDS) | {"record": name, "path": path}
        try:
            record = part.place.load(path)
        except EcgpriorError as error:
            rows.append(row | {"unreadable": describe(error)})
            continue
        except (OSError, ValueError, LookupError, ArithmeticError, TypeError, EOFError, MemoryError) as error:
            rows.append(
                row | {"unreadable": f"{type(error).__name__}: {error}"}
            )  # what a reader did not foresee
            continue
        judged = quality(record)
        rows.append(row | _row(record, judged))
        findings += [(name, f.lead, f.name, f.severity, f.reason) for f in judged.all_findings]
    frame = pl.DataFrame(rows, schema=RECORDS)
    said = pl.DataFrame(findings, schema=FINDINGS, orient="row")
    with atomic_open(part.to.with_suffix(".findings"), "wb", sync=False) as file:
        said.write_parquet(file)
    with atomic_open(part.to, "wb", sync=False) as file:  # last: a part that is there is whole
        frame.write_parquet(file)
    return len(rows)


def _row(record: Record, judged: Quality) -> dict[str, Any]:
    words = list(judged.verdicts.values())
    return {
        "score": judged.score,
        "acceptable": judged.acceptable,
        "fs": record.fs,
        "seconds": record.seconds,
        "n_leads": len(record.leads),
        "n_unusable": words.count("unusable"),
        "n_disturbed": words.count("disturbed"),
        "findings": "; ".join(summary(judged)),
    }


def summary(judged: Quality) -> list[str]:
    """Findings of the record, then each kind with its leads: ``"flat V2, V4 (severe)"``."""
    said = [finding.reason for finding in judged.findings]
    kinds: dict[tuple[str, str], list[str]] = {}
    for finding in sorted(judged.all_findings, key=lambda f: f.severity != SEVERE):
        if finding.lead is not None:
            kinds.setdefault((finding.name, finding.severity), []).append(finding.lead)
    for (name, severity), leads in kinds.items():
        where = "all leads" if len(leads) == len(judged.leads) > 1 else ", ".join(leads)
        said.append(f"{name} {where}" + (" (severe)" if severity == SEVERE else ""))
    return said


def _gather(parts: Sequence[Part], tables: tuple[str, ...]) -> FolderQuality:
    records = pl.concat([pl.read_parquet(part.to) for part in parts])
    findings = pl.concat([pl.read_parquet(part.to.with_suffix(".findings")) for part in parts])
    return FolderQuality(records, findings, tables)


def _name(place: Place, piece: tuple[tuple[str, str], ...]) -> str:
    """A part's file: its recordings, their files as they are, and the code that judges them."""
    states = []
    for name, path in piece:
        file = place.folder / path
        try:
            known = file.stat()
            states.append([name, path, known.st_size, known.st_mtime_ns])
        except OSError:
            states.append([name, path])
    return digest_json([str(place.folder.resolve()), place.source, states, code_digest()])[:24] + ".parquet"


def _is_table(path: Path) -> bool:
    """Whether this is a CSV whose columns have names, none of them a lead's: labels, not an ECG."""
    names = column_names(path) if path.suffix.casefold() == ".csv" else None
    return names is not None and set(LEADS).isdisjoint(map(canonical_lead, names))
