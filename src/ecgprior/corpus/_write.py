"""Writing tables whole or not at all, and what a folder that cannot be written to says."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from ..errors import CorpusError, EcgpriorError
from ..provenance import atomic_open

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system says about a folder that cannot be written to into one sentence of ours.

    Raises
    ------
    CorpusError
        The disk is full, the folder is read-only, or anything else the system refused.
    """
    try:
        yield
    except EcgpriorError:
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        number = getattr(error, "errno", None)
        if number in _FULL:
            advice = "free some space and run the same call again, it goes on where it was"
        elif number in _CLOSED:
            advice = "expected a folder that this user may write to"
        else:
            advice = "run the same call again when that is mended, it goes on where it was"
        raise CorpusError(f"cannot write to '{folder}': {error} – {advice}") from error


def lists(name: str, values: Sequence[tuple[str, ...] | None]) -> pl.Series:
    """A column of lists of text. Few of them differ, and polars is slow with each, so it is given each once."""
    place = {value: number for number, value in enumerate(dict.fromkeys(values))}
    distinct = pl.Series(name, [None if v is None else list(v) for v in place], pl.List(pl.String))
    return distinct[[place[value] for value in values]]


def write_frame(path: Path, frame: pl.DataFrame, sync: bool = True) -> None:
    """Write a table as Parquet, whole or not at all."""
    with atomic_open(path, "wb", sync) as file:
        frame.write_parquet(file)


def write_csv(path: Path, frame: pl.DataFrame) -> None:
    """Write a table as CSV, whole or not at all."""
    with atomic_open(path, "wb") as file:
        frame.write_csv(file)
