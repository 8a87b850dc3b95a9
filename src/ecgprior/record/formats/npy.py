"""NPY: NumPy's own file of one array, (lead, time) or (time, lead). Rate, leads and unit have to be declared."""

from __future__ import annotations

import struct
import tokenize
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...provenance import atomic_open
from ..record import Record
from .base import broken, existing, from_array, head

SUFFIXES = (".npy",)
_ERRORS = (ValueError, EOFError, OSError, TypeError, SyntaxError, struct.error, tokenize.TokenError, KeyError)


def sniff(path: str | Path) -> bool:
    """Whether the file begins as NPY."""
    return head(path, 6) == b"\x93NUMPY"


def read(
    path: str | Path, *, fs: float | None = None, leads: Sequence[str] | None = None, unit: str | None = None
) -> Record:
    """Read an array; object arrays (pickles) are refused.

    Parameters
    ----------
    path : str or Path
    fs : float
        Hz; it must be given.
    leads : sequence of str or None
        Without it, an axis of 12 is the standard leads in standard order.
    unit : str or None
        Without it: mV, if the amplitudes can be.
    """
    file = existing(path)
    try:
        # mapped, so that a header that declares more than the file holds allocates nothing
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except _ERRORS as error:
        raise broken("NPY", error) from None
    return from_array(array, fs=fs, leads=leads, unit=unit, name=file.stem, source=str(file))


def write(record: Record, path: str | Path) -> Path:
    """Write the signal, float32 mV, (lead, time). Rate, leads and all else are *not* in the file."""
    path = Path(path)
    with atomic_open(path, "wb") as out:
        np.save(out, record.signal, allow_pickle=False)
    return path
