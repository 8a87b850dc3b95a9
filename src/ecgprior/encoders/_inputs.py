"""What a caller may hand to ``embed``: records, paths, arrays, a corpus, or any stream of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadSamplingRate, BadUnit, LeadMissing, ShapeError
from ..record.read import to_record
from ..record.record import LEADS, Record, canonical_lead


def items(value: Any) -> Iterable[Any]:
    """The single records, paths or arrays of what ``embed`` was given."""
    if isinstance(value, Record | str | Path):
        return [value]
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return array if array.ndim == 3 else [array]
    if hasattr(value, "record") and hasattr(value, "__len__"):  # a corpus
        return (value.record(row) for row in range(len(value)))
    if isinstance(value, Iterable):
        return value
    raise ShapeError(f"expected records, paths, a corpus or an array, got {type(value).__name__}")


def place(item: Any, number: int) -> str:
    """What an error says about where it happened."""
    if isinstance(item, Record):
        return f"record '{item.name}'" if item.name else f"record {number}"
    return f"file '{item}'" if isinstance(item, str | Path) else f"array {number}"


def as_record(
    item: Any, leads: Sequence[str], *, fs: float | None, given: Sequence[str] | None, unit: str | None
) -> Record:
    """One item as a record in millivolts whose rate and leads are known.

    Parameters
    ----------
    item : Record, path, or array (lead, time)
        An array (time, lead) is turned when only that way round its leads fit.
    leads : sequence of str
        The checkpoint's leads: what an array without names is taken for if it has as many; else 12 are the
        standard leads in standard order.
    fs, given, unit
        Of arrays, and of files that do not say: Hz, names of leads, unit of voltage (None = mV for arrays).

    Raises
    ------
    BadSamplingRate, LeadMissing, BadUnit, ShapeError
        An array without rate, leads that cannot be told, a Record that contradicts the call, another kind of value.
    """
    if isinstance(item, Record):
        _agree(item, fs, given, unit)
        return item
    if isinstance(item, str | Path):  # the reader says itself which file it was
        return to_record(item, fs=fs, leads=given, unit=unit)
    if not hasattr(item, "__array__"):
        raise ShapeError(f"expected a record, a path or an array (lead, time), got {type(item).__name__}")
    array = np.asarray(item)
    if fs is None:
        raise BadSamplingRate("fs: expected the rate in Hz, which an array does not say, got None; pass fs=")
    if given is None and array.ndim == 2 and not {len(leads), len(LEADS)} & set(array.shape):
        raise LeadMissing(
            f"leads: expected the {len(leads)} leads {', '.join(leads)}, got an array of shape {array.shape}; "
            "name its leads with leads="
        )
    names = leads if given is None and len(leads) in array.shape else given
    return to_record(array, fs=fs, leads=names, unit=unit)


def _agree(record: Record, fs: float | None, given: Sequence[str] | None, unit: str | None) -> None:
    """A record knows its rate and leads: what the caller says beside it may repeat that, not contradict it."""
    if fs is not None and float(fs) != record.fs:
        raise BadSamplingRate(f"fs: the record has {record.fs:g} Hz, the call says {fs:g}; leave fs= out")
    names = record.leads if given is None else tuple(canonical_lead(name) for name in given)
    if names != record.leads:
        raise LeadMissing(
            f"leads: the record has {', '.join(record.leads)}, the call says {', '.join(names)}; leave leads= out"
        )
    if unit is not None and unit.casefold() != "mv":
        raise BadUnit(f"unit: a Record is in mV, the call says {unit}; leave unit= out")
