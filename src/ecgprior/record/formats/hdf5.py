"""HDF5: one recording a file (SPH), or many in one array (CODE-15 %).

A file that ecgprior wrote says its rate, leads and unit as attributes. The publishers' files do not: SPH holds a
dataset ``ecg``, float16 mV (lead, time), 500 Hz; CODE-15 % holds ``tracings``, float32 (recording, time, lead),
400 Hz, with zeros before and after the shorter ones. Their rate has to be declared.

Needs h5py (``pip install 'ecgprior[formats]'``), imported when a file is read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import ReadError
from ..record import Record
from ._hdf5 import h5py_module, n_rows, read_row, trimmed
from .base import head

__all__ = ["SUFFIXES", "n_rows", "read", "read_row", "sniff", "trimmed", "write"]

SUFFIXES = (".h5", ".hdf5")
_MAGIC = b"\x89HDF\r\n\x1a\n"


def sniff(path: str | Path) -> bool:
    """Whether the file begins as HDF5."""
    return head(os.fspath(path).partition("#")[0], 8) == _MAGIC


def read(
    path: str | Path, *, fs: float | None = None, leads: Sequence[str] | None = None, unit: str | None = None
) -> Record:
    """Read a recording.

    Parameters
    ----------
    path : str or Path
        A file; ``file.hdf5#12`` is row 12, from 0, of a file that holds many recordings.
    fs : float or None
        Hz; needed when the file does not say it.
    leads : sequence of str or None
        Without it: the file's own, else the twelve standard leads in standard order.
    unit : str or None
        Without it: the file's own, else mV if the amplitudes can be.

    Raises
    ------
    ReadError
        The file is missing, or holds many recordings and no row is named.
    FormatBroken
        It is cut, or holds no array of an ECG's shape.
    """
    file, _, row = os.fspath(path).partition("#")
    if row and not (row.isdecimal() and row.isascii()):
        raise ReadError(f"row '{row}' of '{file}': expected a whole number from 0 after '#'")
    return read_row(file, int(row) if row else None, fs=fs, leads=leads, unit=unit)


def write(record: Record, path: str | Path) -> Path:
    """Write one recording: dataset ``signal``, float32 mV (lead, time), with rate, leads and unit as attributes."""
    path = Path(path)
    h5py = h5py_module()
    with h5py.File(path, "w") as h5:
        dataset = h5.create_dataset("signal", data=record.signal)
        dataset.attrs.update(
            {"fs": record.fs, "leads": ",".join(record.leads), "unit": "mV", "name": record.name}
        )
        patient = record.patient
        known = {"patient": patient.id, "age": patient.age, "sex": patient.sex}
        dataset.attrs.update({key: value for key, value in known.items() if value is not None})
    return path
