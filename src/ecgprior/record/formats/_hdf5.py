"""Recordings inside HDF5: the dataset that holds them, one row of it, its attributes.

What ``hdf5.py`` and MATLAB 7.3 (``mat.py``) share. Needs h5py, imported when a file is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ExtraMissing, FormatBroken, ReadError
from ..record import Patient, Record
from .base import MAX_VALUES, broken, existing, from_array

_DATASETS = ("tracings", "ecg", "signal", "feats", "val", "data")
_ERRORS = (
    OSError,
    KeyError,
    IndexError,
    MemoryError,
    ValueError,
    TypeError,
    RuntimeError,
    OverflowError,
    EOFError,
)


def read_row(
    path: str | Path,
    row: int | None,
    *,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
    trim: bool = False,
) -> Record:
    """Read one recording of a file that holds many; only its bytes are read.

    Parameters
    ----------
    path : str or Path
    row : int or None
        From 0; None = the file holds just one.
    fs, leads, unit
        As for a format's ``read``.
    trim : bool
        Cut off the samples at both ends in which every lead is exactly 0: CODE-15 %'s padding.
    """
    file = existing(path)
    with opened(file) as h5:
        dataset = _dataset(h5)
        array = _read(dataset, row)
        attributes = {key: _plain(value) for key, value in dataset.attrs.items()}
        name = _name(h5, dataset, row, file)
    if trim:
        array = trimmed(array)
    own = attributes.get("leads")
    record = from_array(
        array,
        fs=attributes.get("fs") if fs is None else fs,
        leads=own.split(",") if leads is None and isinstance(own, str) else leads,
        unit=attributes.get("unit") if unit is None else unit,
        name=str(attributes.get("name", name)),
        source=os.fspath(file) if row is None else f"{file}#{row}",
    )
    age = attributes.get("age")
    patient = Patient(attributes.get("patient"), None if age is None else float(age), attributes.get("sex"))
    return record.with_(patient=patient)


def n_rows(path: str | Path) -> int:
    """How many recordings a file holds."""
    with opened(existing(path)) as h5:
        dataset = _dataset(h5)
        return dataset.shape[0] if dataset.ndim == 3 else 1


def trimmed(array: NDArray) -> NDArray:
    """Without the samples at both ends that are 0 in every lead; (lead, time) or (time, lead), time being longer.

    >>> trimmed(np.array([[0, 0, 1, 0, 2, 0]])).tolist()
    [[1, 0, 2]]
    """
    time = int(np.argmax(array.shape))
    used = np.flatnonzero(np.any(array != 0, axis=1 - time))
    if not len(used):
        return array
    part = slice(used[0], used[-1] + 1)
    return array[part] if time == 0 else array[:, part]


@contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """The open file; the library's own errors, also those raised while it is open, become ``FormatBroken``."""
    h5py = h5py_module()
    try:
        with h5py.File(path, "r") as h5:
            yield h5
    except ReadError:
        raise
    except _ERRORS as error:
        raise broken("HDF5", error) from None


def h5py_module() -> Any:
    """The package h5py, or ``ExtraMissing``."""
    try:
        import h5py
    except ImportError:
        raise ExtraMissing.of("h5py", "formats", "HDF5") from None
    return h5py


def _dataset(h5: Any) -> Any:
    """The dataset that holds the ECG: by its usual names, else the only one of two or three dimensions."""
    arrays = {
        key: item
        for key, item in h5.items()
        if getattr(item, "ndim", 0) in (2, 3) and item.dtype.kind in "fiu"
    }
    for name in _DATASETS:
        if name in arrays:
            return arrays[name]
    if len(arrays) != 1:
        found = ", ".join(f"{key} {getattr(item, 'shape', '')}" for key, item in h5.items()) or "nothing"
        raise FormatBroken(f"HDF5: expected a dataset named one of {', '.join(_DATASETS)}, got {found[:300]}")
    return next(iter(arrays.values()))


def _read(dataset: Any, row: int | None) -> NDArray:
    """One recording; its declared shape is judged first, for a sparse file may declare any."""
    shape = dataset.shape
    if dataset.ndim == 2:
        if row not in (None, 0):
            raise ReadError(f"row {row}: expected none or 0, since the file holds one recording")
        place: Any = ...
    elif row is None and shape[0] != 1:
        raise ReadError(f"this file holds {shape[0]} recordings: name one as 'file.hdf5#row', row from 0")
    else:
        place = row or 0
        if place >= shape[0]:
            raise ReadError(
                f"row {row}: expected 0 to {shape[0] - 1}, since the file holds {shape[0]} recordings"
            )
    if np.prod(shape[-2:], dtype=np.float64) > MAX_VALUES:
        raise FormatBroken(f"HDF5: expected at most {MAX_VALUES} values a recording, got shape {shape}")
    return np.asarray(dataset[place])


def _name(h5: Any, dataset: Any, row: int | None, file: Path) -> str:
    ids = h5.get("exam_id")
    if row is not None and ids is not None and ids.shape[:1] == dataset.shape[:1]:
        return str(_plain(ids[row]))
    return file.stem if row is None else f"{file.stem}#{row}"


def _plain(value: Any) -> Any:
    """An attribute as a Python value."""
    if isinstance(value, np.ndarray):
        value = (
            value.reshape(-1)[0]
            if value.size == 1
            else ",".join(str(_plain(v)) for v in value.reshape(-1)[:64])
        )
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
