"""Side tables of a corpus: published marks, measured fiducials and features, and reasons. ``FORMAT.md`` is the specification.

All samples are at the corpus' rate. ``annotations`` count from the record's start; ``fiducials`` and ``features`` are
keyed by record and window [start, stop), and the fiducials' samples count from the record's start as well, so a crop
subtracts its start (:func:`crop`) and a change of rate multiplies (:func:`rescale`) in every table alike.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from ..errors import ColumnMissing, CorpusError, unknown_name, where
from ..provenance import atomic_open, sha256_file, write_json
from ..record.record import Annotations


@dataclass(frozen=True)
class _Kind:
    version: int
    columns: dict[str, Any]
    samples: tuple[str, ...]
    more: Any = None
    """Type of any number of further columns."""


_WINDOW = {"record": pl.String, "start": pl.Int64, "stop": pl.Int64}
KINDS = {
    "annotations": _Kind(
        1,
        {"record": pl.String, "sample": pl.Int64, "lead": pl.String, "symbol": pl.String, "note": pl.String},
        ("sample",),
    ),
    "fiducials": _Kind(
        1,
        _WINDOW
        | {"lead": pl.String, "beat": pl.Int32, "wave": pl.String}
        | {"onset": pl.Float64, "peak": pl.Float64, "offset": pl.Float64},
        ("onset", "peak", "offset"),
    ),
    "features": _Kind(1, dict(_WINDOW), (), pl.Float64),
    "reasons": _Kind(1, dict(_WINDOW), (), pl.UInt8),
}
"""What each table must hold; ``features`` has any number of float columns besides, ``reasons`` as many of codes."""

Control = Literal["permuted", "spectrum"]
"""Tables of the form of ``features`` that ``ecgprior features --control`` makes: ``features-permuted`` and so on."""

_LIKE_FEATURES = re.compile(r"features(-[a-z0-9]+)+")
"""Other descriptions of the same windows, of the form of ``features``: ``features-permuted``, ``features-spectrum``."""

_GROUP_VALUES = 1 << 24
"""Values of one group of rows, which is what writing a table holds in memory: 128 MiB."""


def write_table(
    corpus: str | Path, name: str, frame: pl.DataFrame, digest: str, made_by: dict[str, Any] | None = None
) -> Path:
    """Write a side table of a corpus, with a small JSON file that says its version and which corpus it belongs to.

    Parameters
    ----------
    corpus : path
        The corpus' folder.
    name : {"annotations", "fiducials", "features", "reasons"}
        Or ``features-`` and small letters or digits: another table of that form.
    frame : polars.DataFrame
        Columns as ``FORMAT.md`` says; their order is free.
    digest : str
        The corpus' digest.
    made_by : dict, optional
        What made it (a method, its settings), kept in the JSON file.

    Raises
    ------
    UnknownName, ColumnMissing, CorpusError
        No such table; a column is absent; a column is of another type.
    """
    kind = _kind(name)
    frame = _checked(frame, name, kind)
    path = _path(corpus, name)
    with atomic_open(path, "wb") as file:
        frame.write_parquet(file)
    return _sign(path, name, kind, frame.height, digest, made_by)


def join_table(
    corpus: str | Path,
    name: str,
    parts: Sequence[Path],
    digest: str,
    made_by: dict[str, Any] | None = None,
) -> Path:
    """Write a side table from Parquet files that follow each other, with the memory of a few of them.

    Parameters
    ----------
    corpus, name, digest, made_by
        As for :func:`write_table`.
    parts : sequence of path
        At least one; each with the table's columns in the same order.

    Raises
    ------
    UnknownName, ColumnMissing, CorpusError
        As :func:`write_table`; or the parts differ in their columns.
    """
    kind = _kind(name)
    path = _path(corpus, name)
    new = path.with_name(f".{path.name}.joined.part")
    try:
        whole = pl.scan_parquet(list(parts), glob=False)
        schema = whole.collect_schema()
        _checked_schema(schema, name, kind)
        whole.sink_parquet(new, row_group_size=max(_GROUP_VALUES // len(schema), 1))
        with open(new, "rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
    except (pl.exceptions.SchemaError, pl.exceptions.ColumnNotFoundError) as error:
        raise CorpusError(f"parts of '{name}': expected the same columns in each, got {error}") from None
    finally:
        new.unlink(missing_ok=True)
    n_rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return _sign(path, name, kind, n_rows, digest, made_by)


def _path(corpus: str | Path, name: str) -> Path:
    folder = Path(corpus) / "tables"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.parquet"


def _sign(
    path: Path, name: str, kind: _Kind, n_rows: int, digest: str, made_by: dict[str, Any] | None
) -> Path:
    """Write the JSON file that makes a table one of its corpus."""
    about = {
        "kind": f"ecgprior-{name}",
        "format_version": kind.version,
        "corpus": digest,
        "n_rows": n_rows,
        "sha256": sha256_file(path),
        "made_by": made_by or {},
    }
    write_json(path.with_suffix(".json"), about)
    return path


def about_table(corpus: str | Path, name: str) -> dict[str, Any] | None:
    """What the JSON file of a side table says; None where there is none, or it cannot be understood.

    Raises
    ------
    UnknownName
        No such kind of table.
    """
    _kind(name)
    try:
        about = json.loads((Path(corpus) / "tables" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) else None


def command_for(corpus: str | Path, name: str) -> str | None:
    """The command that makes a side table of a corpus as it stands; None where no single one does.

    >>> command_for("c", "fiducials"), command_for("c", "features-spectrum"), command_for("c", "annotations")
    ('ecgprior features c', 'ecgprior features c --control spectrum', None)
    """
    made = f"ecgprior features {shlex.quote(str(corpus))}"
    controls = {f"features-{kind}": f"{made} --control {kind}" for kind in get_args(Control)}
    return {"features": made, "fiducials": made, "reasons": made, **controls}.get(name)


def is_sound(corpus: str | Path, name: str, digest: str) -> bool:
    """Whether :func:`read_table` would take the table: there, of this version and corpus, its bytes unchanged.

    Raises
    ------
    UnknownName
        No such kind of table.
    """
    kind = _kind(name)
    path = Path(corpus) / "tables" / f"{name}.parquet"
    return path.with_suffix(".json").is_file() and _fault(path, kind, digest) is None


def _fault(path: Path, kind: _Kind, digest: str) -> str | None:
    """What is wrong with a table that has a JSON file; None = nothing."""
    about_path = path.with_suffix(".json")
    try:
        about = json.loads(about_path.read_text(encoding="utf-8"))
    except ValueError as error:
        return f"{about_path.name}: expected JSON, got {error}"
    if not isinstance(about, dict):
        return f"{about_path.name}: expected a JSON object, got {type(about).__name__}"
    if about.get("format_version") != kind.version:
        return f"format_version: expected {kind.version}, got {about.get('format_version')!r}"
    if about.get("corpus") != digest:
        return "the table belongs to another corpus: expected the digest of this one, got another"
    if not path.is_file():
        return f"{path.name}: expected the file beside {about_path.name}, got none"
    if sha256_file(path) != about.get("sha256"):
        return f"{path.name}: expected the SHA-256 in {about_path.name}, got another"
    return None


def _anew(corpus: str | Path, name: str) -> str:
    """What to do about a table that cannot be used."""
    if name == "annotations":
        return "prepare the corpus again into a new folder (`ecgprior prepare`)"
    command = command_for(corpus, name)
    return f"run `{command} --replace`" if command else "write it again, for this corpus"


def read_table(corpus: str | Path, name: str, digest: str) -> pl.DataFrame | None:
    """A side table of a corpus, or None when there is none.

    Raises
    ------
    UnknownName
        No such kind of table.
    CorpusError
        Of another version, of another corpus, or not what its JSON file says; names the command that makes it anew.
    """
    kind = _kind(name)
    path = Path(corpus) / "tables" / f"{name}.parquet"
    if not path.with_suffix(".json").is_file():
        return None
    with where(f"side table '{name}' of corpus '{corpus}'"):
        if fault := _fault(path, kind, digest):
            raise CorpusError(f"{fault}; {_anew(corpus, name)}")
        return _checked(pl.read_parquet(path), name, kind)


def annotations_of(table: pl.DataFrame | None, record: str) -> Annotations | None:
    """The published marks of one record, None where the table has none for it."""
    if table is None:
        return None
    part = table.filter(pl.col("record") == record)
    if not part.height:
        return None
    return Annotations(
        sample=part["sample"].to_numpy().astype(np.int64),
        symbol=tuple(part["symbol"]),
        lead=tuple(part["lead"]),
        note=tuple(part["note"]),
    )


def annotation_rows(record: str, marks: Annotations) -> pl.DataFrame:
    """Rows of the table ``annotations`` for the marks of one record."""
    return pl.DataFrame(
        {
            "record": [record] * len(marks),
            "sample": marks.sample,
            "lead": list(marks.lead),
            "symbol": list(marks.symbol),
            "note": list(marks.note),
        },
        schema=KINDS["annotations"].columns,
    )


def crop(frame: pl.DataFrame, name: str, start: int, stop: int) -> pl.DataFrame:
    """The table's rows inside the samples [start, stop) of their records, counted from `start`.

    Marks outside are left out, fiducials outside become NaN; a row of fiducials without any is left out. Features
    belong to a whole window: only those of exactly this window are kept.
    """
    kind = _kind(name)
    if kind.more is not None:
        frame = frame.filter((pl.col("start") == start) & (pl.col("stop") == stop))
        return frame.with_columns(start=pl.lit(0, pl.Int64), stop=pl.lit(stop - start, pl.Int64))
    inside = [(pl.col(c) >= start) & (pl.col(c) < stop) for c in kind.samples]
    if name == "annotations":
        return frame.filter(inside[0]).with_columns(pl.col("sample") - start)
    moved = [
        pl.when(ok).then(pl.col(c) - start).otherwise(float("nan")).alias(c)
        for c, ok in zip(kind.samples, inside)
    ]
    window = [(pl.col(c).clip(start, stop) - start).alias(c) for c in ("start", "stop")]
    return frame.filter(pl.any_horizontal(inside)).with_columns(*moved, *window)


def rescale(frame: pl.DataFrame, name: str, fs_from: float, fs_to: float) -> pl.DataFrame:
    """The table at another sampling rate: marks and windows are rounded to whole samples, fiducials are not."""
    kind, factor = _kind(name), fs_to / fs_from
    whole = [c for c in ("sample", "start", "stop") if c in frame.columns]
    parts = [c for c in kind.samples if c not in whole]
    return frame.with_columns(
        *((pl.col(c) * factor).round().cast(pl.Int64) for c in whole), *(pl.col(c) * factor for c in parts)
    )


def features_like(name: str) -> bool:
    """Whether a table of this name has the form of ``features``.

    >>> features_like("features"), features_like("features-permuted"), features_like("fiducials")
    (True, True, False)
    """
    return name == "features" or bool(_LIKE_FEATURES.fullmatch(name))


def _kind(name: str) -> _Kind:
    if features_like(name):
        return KINDS["features"]
    if name not in KINDS:
        raise unknown_name("side table", name, KINDS)
    return KINDS[name]


def _checked(frame: pl.DataFrame, name: str, kind: _Kind) -> pl.DataFrame:
    _checked_schema(frame.schema, name, kind)
    return frame


def _checked_schema(schema: pl.Schema, name: str, kind: _Kind) -> None:
    for column, dtype in kind.columns.items():
        if column not in schema:
            raise ColumnMissing(
                f"side table '{name}' has no column '{column}': expected {', '.join(kind.columns)}"
            )
        if schema[column] != dtype:
            raise CorpusError(f"column '{column}' of '{name}': expected {dtype}, got {schema[column]}")
    more = [column for column in schema if column not in kind.columns]
    if more and kind.more is None:
        raise CorpusError(
            f"side table '{name}': expected {', '.join(kind.columns)} only, got also {', '.join(more)}"
        )
    for column in more:
        if schema[column] != kind.more:
            raise CorpusError(f"column '{column}' of '{name}': expected {kind.more}, got {schema[column]}")
