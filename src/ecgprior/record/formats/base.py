"""What every format is: a module with ``sniff`` and ``read``, and ``write`` where that makes sense.

``sniff(path) -> bool`` looks at the name and a few bytes and never raises.
``read(path, *, fs=None, leads=None, unit=None) -> Record``: what the caller declares wins over the file; a file
that does not say its rate, leads or unit needs them declared.
``write(record, path) -> Path`` writes a file that ``read`` gives back.
``SUFFIXES`` names the endings that are the format's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import BadSamplingRate, BadUnit, FormatBroken, ReadError, ShapeError
from ..record import LEADS, Record

MAX_VALUES = 1 << 28
"""Most values (leads × samples) that a file without a check on its own length may unfold to: 1 GiB of float32."""


def head(path: str | Path, count: int = 16) -> bytes:
    """The first bytes of a file; nothing when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except (OSError, ValueError):
        return b""


def existing(path: str | Path) -> Path:
    """The path of a regular file.

    Raises
    ------
    ReadError
        There is none.
    """
    path = Path(path)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot read '{path}': {error}") from None
    raise ReadError(f"there is no file '{path}'")


def from_array(
    array: NDArray,
    *,
    fs: float | None,
    leads: Sequence[str] | None,
    unit: str | None,
    name: str = "",
    source: str = "",
) -> Record:
    """A record from an array whose file says nothing about it.

    Parameters
    ----------
    array : ndarray, real, (lead, time) or (time, lead) or (time,)
        Turned when only the other axis fits the leads. Without `leads`, an axis of 12 is taken to be the
        standard leads in standard order.
    fs : float
        Hz; it must be given.
    unit : str or None
        None = mV, if the amplitudes are plausible for it.

    Raises
    ------
    BadSamplingRate
        `fs` is not given.
    ShapeError
        No axis fits the leads, or both do and the array is not wider than high.
    BadUnit
        `unit` is None and the amplitudes cannot be mV.
    """
    from ..amplitude import check_amplitude

    if fs is None:
        raise BadSamplingRate("sampling rate: expected fs= to be given, since the data do not say it")
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"signal: expected real numbers, got dtype {array.dtype}")
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2:
        raise ShapeError(f"signal: expected two dimensions (lead, time), got shape {array.shape}")
    n = len(leads) if leads is not None else 12
    if array.shape[0] != n and array.shape[1] == n:
        array = array.T
    if leads is None:
        if array.shape[0] != 12:
            raise ShapeError(f"leads: expected leads= to be given for an array of shape {array.shape}")
        leads = LEADS
    record = Record(signal=array, fs=fs, leads=tuple(leads), unit=unit or "mV", name=name, source=source)
    if unit is None and not (check := check_amplitude(record)).ok:
        raise BadUnit(f"amplitudes: expected mV since no unit is given, but this {check.finding}")
    return record


def renamed(names: Sequence[str], leads: Sequence[str] | None) -> tuple[str, ...]:
    """The leads the caller declares, else the file's own.

    Raises
    ------
    ShapeError
        Another number of them than the file has.
    """
    if leads is None:
        return tuple(names)
    if len(leads) != len(names):
        raise ShapeError(f"leads: expected {len(names)} names as the file has signals, got {len(leads)}")
    return tuple(leads)


def broken(kind: str, error: BaseException) -> FormatBroken:
    """Our error for one of a parser's own."""
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return FormatBroken(f"this is no whole {kind} file: {text}")
