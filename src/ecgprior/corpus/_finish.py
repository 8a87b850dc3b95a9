"""The end of a preparation: rejects, duplicates, side tables, index, and the manifest last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import CorpusError
from ..provenance import provenance, sha256_file, write_json
from . import catalog as cat
from ._plan import Plan
from ._shard_files import ShardReader, shard_name
from ._write import write_csv, write_frame
from .duplicates import CANDIDATE, CORRELATION, RATE, SECONDS, correlation, groups
from .shards import VERSION, corpus_digest
from .sources.base import Source
from .tables import write_table


def part_path(folder: Path, number: int) -> Path:
    """The index of one part: it is there when, and only when, the part is complete."""
    return folder / "parts" / f"{number:05d}.parquet"


def marks_path(folder: Path, number: int) -> Path:
    """The published marks of one part, when it has any."""
    return folder / "parts" / f"{number:05d}.annotations.parquet"


def finish(sources: Sequence[Source], table: pl.DataFrame, folder: Path, plan: Plan) -> None:
    """Write everything that needs all parts, and take the parts away.

    Raises
    ------
    CorpusError
        Every record was rejected.
    """
    with ThreadPoolExecutor(min(8, plan.n_parts)) as threads:  # the disk takes several at once
        parts = pl.concat(list(threads.map(partial(_synced, folder), range(plan.n_parts))))
    if not table["record"].equals(parts["record"]):
        raise CorpusError(
            f"parts of '{folder}': expected the records of the catalog – prepare into another folder"
        )
    whole = pl.concat([table, parts.drop("record")], how="horizontal")
    rejected = whole.filter(pl.col("reason").is_not_null()).select("record", "source", "path", "reason")
    write_csv(folder / "rejected.csv", rejected)
    index = whole.filter(pl.col("reason").is_null()).drop("reason")
    if not index.height:
        for name in ("parts", "shards"):
            shutil.rmtree(folder / name)
        (folder / "plan.json").unlink()
        raise CorpusError(
            f"no record could be read: expected at least one of {rejected.height}, the first reason is: "
            f"{rejected['reason'][0]} – all are in '{folder / 'rejected.csv'}'; prepare into another folder"
        )
    priority = np.array([source.priority for source in sources])[index["_instance"].to_numpy()]
    kept, doubles = _without_doubles(index, priority, folder, plan)
    write_csv(folder / "duplicates.csv", doubles)
    index = _in_order(index.filter(kept), plan)
    write_frame(folder / "index.parquet", index)
    digest = corpus_digest(index, plan.fs, plan.leads)
    _write_marks(folder, plan, index, digest)
    write_json(
        folder / "manifest.json", _manifest(sources, table, index, folder, plan, digest, rejected, doubles)
    )
    shutil.rmtree(folder / "parts")


def _synced(folder: Path, number: int) -> pl.DataFrame:
    """The index of one part, when its shard is on disk and as long as it should be."""
    try:
        part = pl.read_parquet(part_path(folder, number))
        last, end = part["offset"].arg_max(), 0
        if last is not None:  # None: all of the part was rejected
            end = part["offset"][last] + 2 * part["n_samples"][last] * len(part["leads"][last])
        with open(folder / shard_name(number), "rb") as shard:
            os.fsync(shard.fileno())
            whole = os.fstat(shard.fileno()).st_size == end
    except (FileNotFoundError, pl.exceptions.PolarsError):
        whole = False
    if not whole:
        part_path(folder, number).unlink(missing_ok=True)
        raise CorpusError(
            f"part {number} of '{folder}' is torn, as after a power failure: expected a shard and an index that agree "
            "– run the same call again, it makes this part anew"
        )
    return part


def _in_order(index: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    labels = [name for name in index.columns if name.startswith(cat.LABELS)]
    seconds = (pl.col("n_samples") / plan.fs).alias("seconds")
    stored = ("n_samples", seconds, "fs_source", "leads", "shard", "offset", "scale", "n_missing", "sha256")
    return index.select(*cat.COLUMNS, *labels, *stored, "fingerprint")


def _without_doubles(
    index: pl.DataFrame, priority: np.ndarray, folder: Path, plan: Plan
) -> tuple[np.ndarray, pl.DataFrame]:
    """Which rows are kept: of one recording the first by the source's priority, then by the catalog's order."""
    number = groups(index["fingerprint"].to_numpy(), CANDIDATE)
    order = np.lexsort((np.arange(index.height), priority, number))
    shared = np.bincount(number, minlength=index.height)[number] > 1
    reader = ShardReader(folder, index, plan.leads)
    stop = int(np.ceil(SECONDS * plan.fs))
    kept, found = np.ones(index.height, bool), []
    current = -1
    heads: list[tuple[int, np.ndarray]] = []
    for row in order[shared[order]]:
        if number[row] != current:
            current, heads = number[row], []
        signal = reader.signal(row, 0, stop)
        for head, other in heads:
            value = correlation(signal, plan.fs, other, plan.fs)
            if value > CORRELATION:
                kept[row] = False
                found.append((row, head, value))
                break
        else:
            heads.append((row, signal))
    found.sort()
    rows, heads_, values = zip(*found, strict=True) if found else ((), (), ())
    dropped = index[list(rows)].select("record", "source", "path", "patient")
    more = index[list(heads_)].select(pl.col("record").alias("kept"), pl.col("patient").alias("kept_patient"))
    doubles = pl.concat([dropped, more], how="horizontal")
    return kept, doubles.with_columns(pl.Series("correlation", [round(v, 6) for v in values], pl.Float64))


def _write_marks(folder: Path, plan: Plan, index: pl.DataFrame, digest: str) -> None:
    files = [path for number in range(plan.n_parts) if (path := marks_path(folder, number)).is_file()]
    if files:
        names = index.select("record")
        marks = pl.concat([pl.read_parquet(path) for path in files]).join(names, on="record", how="semi")
        write_table(folder, "annotations", marks, digest, {"published": True})


def _manifest(
    sources: Sequence[Source],
    table: pl.DataFrame,
    index: pl.DataFrame,
    folder: Path,
    plan: Plan,
    digest: str,
    rejected: pl.DataFrame,
    doubles: pl.DataFrame,
) -> dict[str, Any]:
    shards = [folder / shard_name(number) for number in range(plan.n_parts)]
    return {
        "kind": "ecgprior-corpus",
        "format_version": VERSION,
        "fs": plan.fs,
        "seconds": plan.seconds,
        "leads": list(plan.leads),
        "n_records": index.height,
        "n_rejected": rejected.height,
        "n_duplicates": doubles.height,
        "n_patients": index["patient"].drop_nulls().n_unique(),
        "n_without_patient": index["patient"].null_count(),
        "hours": round(float(index["seconds"].sum()) / 3600, 4),
        "vocabularies": cat.vocabularies(index),
        "sources": [_about(number, source, table, index) for number, source in enumerate(sources)],
        "shards": [
            {"file": shard_name(number), "bytes": path.stat().st_size} for number, path in enumerate(shards)
        ],
        "index_sha256": sha256_file(folder / "index.parquet"),
        "digest": digest,
        "duplicates": {"seconds": SECONDS, "hz": RATE, "correlation": CORRELATION},
        "provenance": provenance(),
    }


def _about(number: int, source: Source, table: pl.DataFrame, index: pl.DataFrame) -> dict[str, Any]:
    """What the manifest says of one source; where its folder lay on this machine is nobody's business."""
    mine = table.filter(pl.col("_instance") == number)
    return {
        "name": source.name,
        "title": source.title,
        "licence": source.licence,
        "url": source.url,
        "priority": source.priority,
        "n_found": mine.height,
        "n_records": mine.join(index.select("record"), on="record", how="semi").height,
    }
