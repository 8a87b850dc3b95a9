"""One job of :mod:`.measured`: the windows of some consecutive records, delineated, measured and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import EcgpriorError, describe
from ..physiology.delineate import delineate_many
from ..physiology.features.measure import measure_many
from ..physiology.features.reasons import Reason
from ..physiology.features.registry import feature_names
from ..physiology.network import WaveNetwork
from ..record.beats import Delineation
from ..record.record import Patient, Record
from ._fiducials import Given, Window, fiducial_rows
from ._write import write_frame, writing
from .shards import Corpus
from .tables import KINDS

TABLES = ("fiducials", "reasons", "features")

_BATCH_SAMPLES = 4_000_000
"""Samples, over all leads, that are in memory at a time: 64 records of 12 leads, 10 s at 500 Hz."""
_FAILED = {"record": pl.String, "start": pl.Int64, "stop": pl.Int64, "reason": pl.String}


@dataclass(frozen=True, slots=True)
class Task:
    """What every part is measured with; `settings` is all that a result can depend on, as a JSON value.

    Records that the file `fiducials` holds are not delineated; the others are, by `network` (None = the package's).
    """

    window: int | None
    network: Path | None
    fiducials: Path | None
    fiducials_fs: float
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MeasurePart:
    """One job: consecutive rows of the index, and where their tables go."""

    corpus: Path
    task: Task
    rows: range
    to: Path


def measure_part(part: MeasurePart) -> tuple[int, int]:
    """Write the tables of one part; returns how many windows it has, and how many of them failed."""
    corpus = _corpus(part.corpus)
    names = feature_names(corpus.leads)
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in (*TABLES, "failed")}
    for windows, records in _batches(corpus, part.task, part.rows):
        found, values, codes, reasons = _measured(windows, records, corpus, part.task, len(names))
        failed = [(*window, reason) for window, reason in zip(windows, reasons) if reason]
        there = [i for i, delineation in enumerate(found) if delineation is not None]
        waves = fiducial_rows([windows[i] for i in there], [d for d in found if d is not None])
        rows = np.asarray(values, np.float32).astype(np.float64)  # 7 digits, and half the bytes on disk
        keys = pl.DataFrame(windows, schema=KINDS["features"].columns, orient="row")
        tables["fiducials"].append(waves)
        tables["features"].append(keys.hstack(pl.DataFrame(rows, schema=list(names), orient="row")))
        tables["reasons"].append(keys.hstack(pl.DataFrame(codes, schema=list(names), orient="row")))
        tables["failed"].append(pl.DataFrame(failed, schema=_FAILED, orient="row"))
    with writing(part.to.parent):
        done = {name: pl.concat(frames) for name, frames in tables.items()}
        for name, frame in done.items():  # "failed" is the last: the part is complete when it is there
            write_frame(part.to.with_suffix(f".{name}"), frame)
    return done["features"].height, done["failed"].height


def windows_of(n_samples: int, window: int | None) -> list[tuple[int, int]]:
    """Where the windows of a record lie.

    >>> windows_of(2600, 1000), windows_of(2400, 1000), windows_of(300, 1000), windows_of(2600, None)
    ([(0, 1000), (1000, 2000), (2000, 2600)], [(0, 1000), (1000, 2000)], [(0, 300)], [(0, 2600)])
    """
    if window is None or n_samples <= window:
        return [(0, n_samples)]
    whole = [(a, a + window) for a in range(0, n_samples - window + 1, window)]
    rest = n_samples - whole[-1][1]
    return [*whole, (whole[-1][1], n_samples)] if 2 * rest >= window else whole


def _batches(corpus: Corpus, task: Task, rows: range) -> Iterator[tuple[list[Window], list[Record | str]]]:
    """Windows with their records – or why there is none – a few at a time."""
    windows: list[Window] = []
    records: list[Record | str] = []
    held = 0
    columns = corpus.index.select("record", "patient", "age", "sex", "n_samples")
    about = columns.slice(rows.start, len(rows)).rows(named=True)
    for row, said in zip(rows, about):
        whole = _record(corpus, row, said)
        for start, stop in windows_of(said["n_samples"], task.window):
            windows.append((said["record"], start, stop))
            records.append(whole if isinstance(whole, str) else _cut(whole, start, stop))
            held += (stop - start) * len(corpus.leads)
            if held >= _BATCH_SAMPLES:
                yield windows, records
                windows, records, held = [], [], 0
    if windows:
        yield windows, records


def _record(corpus: Corpus, row: int, about: dict[str, Any]) -> Record | str:
    """The whole record, without the publisher's marks; or why it cannot be read."""
    try:
        return Record(
            signal=corpus.signal(row),
            fs=corpus.fs,
            leads=corpus.leads,
            name=about["record"],
            patient=Patient(about["patient"], about["age"], about["sex"]),
        )
    except (EcgpriorError, OSError) as error:  # a broken shard must not end the run
        return describe(error)


def _cut(record: Record, start: int, stop: int) -> Record:
    return record if stop - start == record.n_samples else record.with_(signal=record.signal[:, start:stop])


def _measured(
    windows: list[Window], records: list[Record | str], corpus: Corpus, task: Task, n_features: int
) -> tuple[list[Delineation | None], NDArray[np.float64], NDArray[np.uint8], list[str]]:
    """Delineation, features, why each is NaN and, where they could not be made, what happened, of each window."""
    reasons = [record if isinstance(record, str) else "" for record in records]
    found: list[Delineation | None] = [None] * len(records)
    values = np.full((len(records), n_features), np.nan)
    codes = np.full(values.shape, Reason.FAILED, np.uint8)
    given: list[Delineation | None] = [None] * len(records)
    if task.fiducials is not None:
        given = _given(task.fiducials, task.fiducials_fs, corpus.fs).of(windows, corpus.leads)
    good = [i for i, reason in enumerate(reasons) if not reason]
    pieces = [good]
    while pieces:
        piece = pieces.pop()
        if not piece:
            continue
        whole = [record for i in piece if isinstance(record := records[i], Record)]
        try:
            waves = _waves(whole, [given[i] for i in piece], task.network)
            values[piece], codes[piece] = measure_many(whole, waves, leads=corpus.leads)
        except (EcgpriorError, ValueError, LookupError, ArithmeticError, TypeError) as error:
            if len(piece) > 1:  # one of them: find out which, the others are measured
                pieces += [[i] for i in piece]
            else:
                reasons[piece[0]] = (
                    describe(error)
                    if isinstance(error, EcgpriorError)
                    else f"{type(error).__name__}: {error}"
                )
            continue
        for i, delineation in zip(piece, waves):
            found[i] = delineation
    return found, values, codes, reasons


def _waves(records: list[Record], given: list[Delineation | None], network: Path | None) -> list[Delineation]:
    """What is given, and what the engine finds in the others."""
    others = [record for record, waves in zip(records, given) if waves is None]
    with np.errstate(all="ignore"):
        used = _network(network) if network is not None and others else None
        found = iter(delineate_many(others, network=used) if others else ())
    return [next(found) if waves is None else waves for waves in given]


@lru_cache(maxsize=2)
def _corpus(path: Path) -> Corpus:
    """Opened once a process: the index of a million records is not read for each part."""
    return Corpus(path)


@lru_cache(maxsize=2)
def _network(path: Path) -> WaveNetwork:
    return WaveNetwork(path)


@lru_cache(maxsize=2)
def _given(path: Path, fs: float, corpus_fs: float) -> Given:
    return Given(path, fs, corpus_fs)
