"""MATLAB files without a WFDB header: version 4, 5 to 7, and 7.3 (which is HDF5).

The array is looked for under the names that publishers use: ``val`` (PhysioNet's challenges), ``feats`` with
``curr_sample_rate`` (CODE-15 % as ECG-FM's authors converted it), a structure ``ECG`` with ``data``, ``sex`` and
``age`` (CPSC-2018 as first published). A challenge's ``.mat`` that lies beside its ``.hea`` is read as WFDB, with
the header's gain.

**Source**: MathWorks, "MAT-File Format", appendix (version 4) and chapter 1 (version 5).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatBroken
from ..record import Patient, Record
from ._hdf5 import read_row
from ._mat5 import read_mat5
from ._wfdb_header import read_bytes
from .base import MAX_VALUES, existing, from_array, head

SUFFIXES = (".mat",)
_ARRAYS = ("val", "feats", "ecg", "signal", "data", "tracings")
_RATES = ("curr_sample_rate", "fs", "sampling_rate", "samplerate", "sfreq")
_V4_TYPES = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}


def sniff(path: str | Path) -> bool:
    """Whether the file begins as a MATLAB file of any version."""
    start = head(path, 20)
    return start.startswith(b"MATLAB ") or _v4_header(start) is not None


def read(
    path: str | Path, *, fs: float | None = None, leads: Sequence[str] | None = None, unit: str | None = None
) -> Record:
    """Read a MATLAB file.

    Parameters
    ----------
    path : str or Path
    fs : float or None
        Hz; needed when the file does not say it.
    leads : sequence of str or None
        Without it, an axis of 12 is the standard leads in standard order.
    unit : str or None
        Without it: mV, if the amplitudes can be.

    Raises
    ------
    FormatBroken
        The file is cut, or holds no array of an ECG's shape.
    """
    file = existing(path)
    start = head(file, 20)
    if start.startswith(b"MATLAB 7.3"):
        return read_row(file, None, fs=fs, leads=leads, unit=unit)
    if start.startswith(b"MATLAB "):
        values = read_mat5(read_bytes(os.fspath(file), 8 * MAX_VALUES))
    elif _v4_header(start) is not None:
        values = _read_v4(read_bytes(os.fspath(file), 8 * MAX_VALUES))
    else:
        raise FormatBroken(
            "this is no MATLAB file: expected 'MATLAB 5.0 …' or a version 4 header at its start"
        )
    flat = _flattened(values)
    rate = next((float(flat[key].reshape(-1)[0]) for key in _RATES if _is_number(flat.get(key))), None)
    record = from_array(
        _array(flat), fs=rate if fs is None else fs, leads=leads, unit=unit, name=file.stem, source=str(file)
    )
    return record.with_(patient=_patient(flat))


def _v4_header(start: bytes) -> tuple[str, int, int, int] | None:
    """Type, rows, columns and length of the name, when the bytes can be a version 4 header of a real matrix."""
    if len(start) < 20:
        return None
    for order in "<>":
        kind, rows, columns, imaginary, name = struct.unpack(f"{order}5i", start[:20])
        plain = (
            0 <= kind < 2000 and kind // 1000 == (order == ">") and kind // 100 % 10 == 0 and kind % 10 == 0
        )
        number_kind = _V4_TYPES.get(kind // 10 % 10)
        if plain and number_kind and rows > 0 and columns > 0 and imaginary == 0 and 0 < name <= 64:
            return order + number_kind, rows, columns, name
    return None


def _read_v4(data: bytes) -> dict[str, NDArray]:
    """Every real matrix of a version 4 file; they lie one after the other, column by column."""
    values: dict[str, NDArray] = {}
    at = 0
    while at < len(data):
        header = _v4_header(data[at : at + 20])
        if header is None:
            raise FormatBroken(f"MATLAB 4: expected the header of a real matrix at byte {at}")
        kind, rows, columns, length = header
        start = at + 20 + length
        end = start + rows * columns * np.dtype(kind).itemsize
        if end > len(data):
            raise FormatBroken(
                f"MATLAB 4: expected {rows} × {columns} values, got a file of {len(data)} bytes"
            )
        name = data[at + 20 : start].split(b"\0")[0].decode("latin-1")
        values[name] = np.frombuffer(data, kind, rows * columns, start).reshape(columns, rows).T
        at = end
    return values


def _flattened(values: dict[str, Any]) -> dict[str, Any]:
    """Values by name in lower case; the fields of a structure count as if they lay outside it."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            for field, inner in value.items():
                flat.setdefault(field.casefold(), inner)
        else:
            flat[name.casefold()] = value
    return flat


def _is_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fiu"


def _array(flat: dict[str, Any]) -> NDArray:
    arrays = {k: v for k, v in flat.items() if isinstance(v, np.ndarray) and v.ndim == 2 and v.size > 1}
    for name in _ARRAYS:
        if name in arrays:
            return arrays[name]
    if len(arrays) != 1:
        found = (
            ", ".join(f"{key} {getattr(value, 'shape', 'text')}" for key, value in flat.items()) or "nothing"
        )
        raise FormatBroken(f"MATLAB: expected an array named one of {', '.join(_ARRAYS)}, got {found[:300]}")
    return next(iter(arrays.values()))


def _patient(flat: dict[str, Any]) -> Patient:
    age, sex = flat.get("age"), flat.get("sex")
    years = float(age.reshape(-1)[0]) if isinstance(age, np.ndarray) and _is_number(age) else float("nan")
    known = {"female": "female", "f": "female", "male": "male", "m": "male"}
    return Patient(None, years if 0 <= years < 130 else None, known.get(str(sex).strip().casefold()))
