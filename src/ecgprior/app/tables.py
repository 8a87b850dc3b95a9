"""Tables that a command writes for other programs: CSV or Parquet, by the suffix of the file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ..errors import RecordError
from ..provenance import atomic_open

SUFFIXES = (".csv", ".parquet")


def check_table(path: Path) -> None:
    """Refuse a file name that is neither kind.

    Raises
    ------
    RecordError
    """
    if path.suffix.casefold() not in SUFFIXES:
        raise RecordError(f"table '{path}': expected a name that ends in .csv or .parquet")


def write_table(frame: pl.DataFrame, path: Path) -> Path:
    """Write a table, whole or not at all; in CSV what is missing is an empty cell.

    Raises
    ------
    RecordError
        Another suffix.
    """
    check_table(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(path, "wb") as file:
        if path.suffix.casefold() == ".csv":
            frame.write_csv(file, float_precision=6)
        else:
            frame.write_parquet(file)
    return path
