"""What a caller may hand to ``embed``, as a stream of records in millivolts with rate and leads known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadSamplingRate, LeadMissing, ShapeError, where
from ..record.record import LEADS, Record, canonical_lead


def records_of(
    value: Any, leads: Sequence[str], *, fs: float | None, given: Sequence[str] | None, unit: str | None
) -> Iterator[Record]:
    """Every record of `value`, one after the other, read when it is its turn.

    Parameters
    ----------
    value : Record, path, array (lead, time), array (record, lead, time), or an iterable of these
    leads : sequence of str
        The checkpoint's leads: what an array without names is taken for if it has as many.
    fs, given, unit
        Of arrays, and of files that do not say: Hz, names of leads, unit of voltage (None = mV for arrays).

    Raises
    ------
    BadSamplingRate, LeadMissing, ShapeError
        An array without rate, leads that cannot be told, another kind of value.
    """
    for number, item in enumerate(_items(value)):
        with where(_place(item, number)):
            yield _record(item, leads, fs, given, unit)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, Record | str | Path):
        return [value]
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return array if array.ndim == 3 else [array]
    if isinstance(value, Iterable):
        return value
    raise ShapeError(f"expected records, paths or an array, got {type(value).__name__}")


def _place(item: Any, number: int) -> str:
    if isinstance(item, Record):
        return f"record '{item.name}'" if item.name else f"record {number}"
    return f"file '{item}'" if isinstance(item, str | Path) else f"array {number}"


def _record(
    item: Any, leads: Sequence[str], fs: float | None, given: Sequence[str] | None, unit: str | None
) -> Record:
    if isinstance(item, str | Path):
        from ..record.read import read

        return read(item, fs=fs, leads=given, unit=unit)
    if isinstance(item, Record):
        _agree(item, fs, given, unit)
        return item
    if not hasattr(item, "__array__"):
        raise ShapeError(f"expected a record, a path or an array (lead, time), got {type(item).__name__}")
    array = np.asarray(item)
    if array.ndim != 2:
        raise ShapeError(f"array: expected (lead, time) or (record, lead, time), got shape {array.shape}")
    if fs is None:
        raise BadSamplingRate("fs: an array says nothing of its sampling rate, got None; pass fs= in Hz")
    return Record(
        signal=array, fs=fs, leads=_names(array.shape, leads, given), unit="mV" if unit is None else unit
    )


def _names(shape: tuple[int, ...], leads: Sequence[str], given: Sequence[str] | None) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    for known in (leads, LEADS):
        if shape[0] == len(known):
            return tuple(known)
    hint = " The array looks like (time, lead): pass its transpose." if shape[-1] == len(leads) else ""
    raise LeadMissing(
        f"leads: expected the {len(leads)} leads {', '.join(leads)}, got an array of shape {shape}; "
        f"name its leads with leads=.{hint}"
    )


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
        raise ShapeError(f"unit: a Record is in mV, the call says {unit}; leave unit= out")
