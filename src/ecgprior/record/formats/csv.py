"""CSV: one row a sample, one column a lead, values separated by comma, semicolon or tab.

Lines that begin with ``#`` may say ``# fs: 500``, ``# unit: mV``, ``# samples: 5000``; a first row that holds no
numbers names the leads; a column ``time`` gives the rate when its steps are equal. An empty cell is NaN.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatBroken
from ...provenance import atomic_open
from ..record import Patient, Record
from ._wfdb_header import read_bytes
from .base import existing, from_array

SUFFIXES = (".csv", ".tsv")
_SECONDS = {
    "time": 1.0,
    "t": 1.0,
    "seconds": 1.0,
    "time_s": 1.0,
    "time (s)": 1.0,
    "ms": 1e-3,
    "time_ms": 1e-3,
}
_MOST_BYTES = 1 << 30
_HEAD_BYTES = 1 << 16


def sniff(path: str | Path) -> bool:
    """Whether the name ends as a table of text."""
    return os.fspath(path).casefold().endswith(SUFFIXES) and os.path.isfile(path)


def read(
    path: str | Path, *, fs: float | None = None, leads: Sequence[str] | None = None, unit: str | None = None
) -> Record:
    """Read a table of samples.

    Parameters
    ----------
    path : str or Path
    fs : float or None
        Hz; needed when neither a ``# fs:`` line nor a column ``time`` says it.
    leads : sequence of str or None
        Without it: the first row's names, else the twelve standard leads when there are twelve columns.
    unit : str or None
        Without it: the ``# unit:`` line's, else mV if the amplitudes can be.

    Raises
    ------
    FormatBroken
        A row has another number of cells, a cell is no number, or fewer rows than declared.
    """
    file = existing(path)
    text = _text(file)
    said, names, body = _parts(text)
    table = _numbers(body)
    if "samples" in said and (str(len(table)) != said["samples"] or not text.endswith("\n")):
        raise FormatBroken(
            f"CSV: expected {said['samples'][:40]} rows as declared, each ended, got {len(table)}"
        )
    names, table, rate = _without_time(names, table)
    patient = Patient(said.get("patient"), _number(said.get("age")), said.get("sex"))
    record = from_array(
        table.T if names is not None or leads is None or table.shape[1] == len(leads) else table,
        fs=fs if fs is not None else _number(said.get("fs")) or rate,
        leads=leads if leads is not None else names,
        unit=unit if unit is not None else said.get("unit"),
        name=said.get("name", file.stem),
        source=str(file),
    )
    return record.with_(patient=patient)


def column_names(path: str | Path) -> tuple[str, ...] | None:
    """The names that the first row gives to the columns; None where it holds numbers or the file cannot be read."""
    try:
        with open(path, "rb") as file:
            begin = file.read(_HEAD_BYTES)
        return tuple(_parts(begin.decode("utf-8-sig", "replace"))[1] or ()) or None
    except (OSError, FormatBroken):
        return None


def write(record: Record, path: str | Path) -> Path:
    """Write rate, unit, patient and leads, then one row a sample in mV with the digits that float32 needs."""
    path = Path(path)
    patient = record.patient
    said = {"fs": f"{record.fs!r}", "unit": "mV", "samples": str(record.n_samples), "name": record.name}
    said |= {"patient": patient.id or "", "age": "" if patient.age is None else f"{patient.age:g}"}
    said["sex"] = patient.sex or ""
    with atomic_open(path) as out:
        for key, value in said.items():
            if value:
                out.write(f"# {key}: {' '.join(value.split())}\n")
        out.write(",".join(_cell(lead) for lead in record.leads) + "\n")
        np.savetxt(out, record.signal.T, fmt="%.9g", delimiter=",")
    return path


def _cell(lead: str) -> str:
    return "".join(" " if c in ',;\t\r\n"' else c for c in lead).strip() or "?"


def _text(file: Path) -> str:
    data = read_bytes(os.fspath(file), _MOST_BYTES)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parts(text: str) -> tuple[dict[str, str], list[str] | None, list[str]]:
    """What the ``#`` lines say, the names of the columns, and the rows of numbers, comma-separated."""
    said: dict[str, str] = {}
    rows: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            said[key.strip().casefold()] = value.strip()
        elif line.strip():
            rows.append(line)
    if not rows:
        raise FormatBroken("CSV: expected at least one row of numbers, got none")
    separator = max(",;\t", key=rows[0].count)
    decimal_comma = separator == ";" and "," in rows[-1]
    first = [cell.strip().strip('"') for cell in rows[0].split(separator)]
    names = None
    if all(_number(cell.replace(",", ".") if decimal_comma else cell) is None for cell in first):
        names, rows = first, rows[1:]
    if separator != ",":
        rows = [(line.replace(",", ".") if decimal_comma else line).replace(separator, ",") for line in rows]
    return said, names, rows


def _numbers(rows: list[str]) -> NDArray[np.float64]:
    if not rows:
        raise FormatBroken("CSV: expected at least one row of numbers, got none")
    body = "\n".join(rows)
    holes = ",," in body or ",\n" in body or "\n," in body or body[0] == "," or body[-1] == ","
    convert = (lambda cell: float(cell) if cell.strip() else float("nan")) if holes else None
    try:
        return np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2, comments=None, converters=convert)
    except ValueError as error:
        raise FormatBroken(f"CSV: {str(error).splitlines()[0][:200]}") from None


def _without_time(
    names: list[str] | None, table: NDArray[np.float64]
) -> tuple[list[str] | None, NDArray[np.float64], float | None]:
    """Take the time column out; the rate when its steps are equal."""
    if names is None:
        return None, table, None
    if len(names) != table.shape[1]:
        raise FormatBroken(
            f"CSV: expected {len(names)} cells a row as the first row names, got {table.shape[1]}"
        )
    for column, name in enumerate(names):
        scale = _SECONDS.get(name.casefold())
        if scale is not None and len(names) > 1:
            steps = np.diff(table[:, column]) * scale
            rest = np.delete(table, column, axis=1)
            names = names[:column] + names[column + 1 :]
            if len(steps) and np.all(steps > 0) and np.ptp(steps) <= 0.01 * steps.mean():
                return names, rest, round(1.0 / float(steps.mean()), 3)
            return names, rest, None
    return names, table, None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
