"""WFDB records (PhysioNet): a text header, packed signal files, annotation files.

What a header declares is followed to the letter: gain, baseline, unit, byte offset, samples a frame, skew,
several files, segments. Values agree with the ``wfdb`` package's ``rdrecord`` (as ``p_signal``, brought to mV):

- a gain of 0 or a missing one is 200 units/mV, as header(5) rules ("uncalibrated");
- a format's lowest integer means "not recorded" and is NaN;
- several samples a frame are averaged in integers, cut towards 0 (a frame with a missing sample is NaN here);
- the skew shifts a signal to the left and leaves NaN at its end.

Beyond ``wfdb``, what a header says about its signal files is verified: length and checksums, and that
no file lies outside the header's folder. Formats 508, 516 and 524 (FLAC) are handed to the
``wfdb`` package (``pip install 'ecgprior[formats]'``).

**Source**: WFDB Applications Guide, header(5), signal(5), annot(5). What it costs: a 12-lead record of 10 s is
read in a quarter of a millisecond.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import BadUnit, RecordError
from ..record import Annotations, Patient, Record
from ._wfdb_annotations import decode_annotations, encode_annotations
from ._wfdb_header import Header, parse_header, read_bytes, read_text
from ._wfdb_segments import read_segments
from ._wfdb_signals import read_signals
from .base import renamed

SUFFIXES = (".hea",)


def sniff(path: str | Path) -> bool:
    """Whether a header stands at the path, or beside it under the same stem."""
    try:
        return os.path.isfile(_stem(path) + ".hea")
    except ValueError:  # a NUL in the name
        return False


def read_header(path: str | Path) -> Header:
    """Read a record's header, and nothing else.

    Parameters
    ----------
    path : str or Path
        The record's stem, its ``.hea``, or one of its files with the same stem.
    """
    return parse_header(read_text(_stem(path) + ".hea"))


def read(
    path: str | Path,
    *,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
    checksum: bool = True,
) -> Record:
    """Read a WFDB record.

    Parameters
    ----------
    path : str or Path
        The record's stem, its ``.hea``, or its ``.dat`` / ``.mat``.
    fs : float or None
        Taken instead of the header's rate.
    leads : sequence of str or None
        Taken instead of the header's names, one for each signal.
    unit : str or None
        Taken instead of the header's units. Without it, signals in a unit that is no voltage (mmHg, %) are left
        out and named in ``header["left out"]``.
    checksum : bool
        False lets a publisher through whose checksums are known to be wrong.

    Returns
    -------
    Record
        float32 mV; NaN where the file marks a sample as missing or a segment lacks the lead. Comments of the
        form ``key: value`` are in ``header``, the others in ``header["comments"]``.

    Raises
    ------
    ReadError
        The header or one of its files is missing.
    FormatBroken
        Header and files contradict each other: length, checksum, names.
    FormatUnknown
        A signal format that nothing here knows.
    BadUnit
        No signal is a voltage.
    """
    stem = _stem(path)
    header = parse_header(read_text(stem + ".hea"))
    folder = os.path.dirname(stem)
    if header.segments:
        names, signal, left_out = read_segments(folder, header, unit, checksum)
    else:
        names, signal, left_out = read_signals(folder, header, unit, checksum, stem)
    fields = header.fields
    patient = patient_of(fields)
    if header.recorded:
        fields["recorded"] = header.recorded
    if left_out:
        fields["left out"] = ", ".join(left_out)
    if not names:
        raise BadUnit(
            f"no signal is a voltage: expected V, mV, uV or nV, got {fields['left out']}; pass unit="
        )
    return Record(
        signal=signal,
        fs=header.fs if fs is None else fs,
        leads=renamed(names, leads),
        name=header.name,
        patient=patient,
        header=fields,
        source=stem + ".hea",
    )


def _stem(path: str | Path) -> str:
    text = os.fspath(path)
    base, dot, suffix = text.rpartition(".")
    return base if dot and suffix in ("hea", "dat", "mat") and "/" not in suffix else text


def patient_of(fields: dict[str, str]) -> Patient:
    """Age, sex and id from a header's fields, in any of the publishers' spellings.

    >>> patient_of({"Age": "NaN", "Sex": "F"})
    Patient(id=None, age=None, sex='female')
    >>> patient_of({"age": "49 <sex>: M"})
    Patient(id=None, age=49.0, sex='male')
    """
    found: dict[str, str] = {}
    for key, value in fields.items():
        value, _, rest = value.partition("<")  # "<age>: 49 <sex>: M" on one line
        found.setdefault(key.casefold(), value.strip())
        if ">:" in rest:
            more, _, text = rest.partition(">:")
            found.setdefault(more.strip().casefold(), text.partition("<")[0].strip())
    words = fields.get("comments", "").split()
    if "age" not in found and len(words) > 1 and words[1] in ("M", "F"):  # MIT-BIH: "69 M 1085 1629 x1"
        found["age"], found["sex"] = words[0], words[1]
    try:
        age = float(found.get("age", ""))
    except ValueError:
        age = float("nan")
    sex = {"f": "female", "female": "female", "m": "male", "male": "male"}.get(
        found.get("sex", "").casefold()
    )
    return Patient(found.get("patient id") or None, age if 0 <= age < 130 else None, sex)


def read_annotations(path: str | Path, suffix: str = "atr") -> Annotations:
    """Read an annotation file of a record.

    Parameters
    ----------
    path : str or Path
        The record, as for :func:`read`.
    suffix : str
        The file's ending: ``"atr"``, LUDB's ``"i"`` … ``"v6"``, or any other.

    Returns
    -------
    Annotations
        Leads by name when the record's header is there and a mark says to which signal it belongs; else None.

    Raises
    ------
    ReadError
        There is no such file.
    FormatBroken
        It ends in the middle of a mark, or goes back before the first sample.
    """
    stem = _stem(path)
    file = f"{stem}.{suffix.removeprefix('.')}"
    data = read_bytes(file, 1 << 28)
    names: tuple[str, ...] = ()
    fs: float | None = None
    if os.path.isfile(stem + ".hea"):
        header = parse_header(read_text(stem + ".hea"))
        names, fs = tuple(s.name for s in header.signals), header.fs
    return decode_annotations(data, names, fs)


def write(record: Record, path: str | Path, gain: float = 1000.0) -> Path:
    """Write a record as format 16, with its annotations as ``.atr`` when it has any.

    Parameters
    ----------
    record : Record
        Amplitudes beyond ±32767 / `gain` mV are refused; NaN is written as the format's own mark.
    path : str or Path
        The stem, or a path that ends in ``.hea``.
    gain : float
        Units a mV: 1,000 keeps whole µV.

    Returns
    -------
    Path
        The header's path. The signal file is written first, the header last.

    Raises
    ------
    RecordError
        An amplitude does not fit, or a name cannot stand in a header.
    """
    stem = Path(_stem(path))
    name = stem.name
    if not name or any(c.isspace() or c in "/\\:#~" for c in name):
        raise RecordError(f"record name '{name}': expected no blanks and none of / \\ : # ~ in a WFDB name")
    scaled = np.round(record.signal.astype(np.float64) * gain)
    if np.nanmax(np.abs(scaled), initial=0.0) > 32767:
        raise RecordError(
            f"amplitudes: expected at most ±{32767 / gain:g} mV at gain {gain:g}; pass a smaller gain"
        )
    integers = np.where(np.isnan(scaled), -32768, scaled).astype("<i2")
    sums = integers.sum(axis=1, dtype=np.int64).astype(np.int16)
    lines = [f"{name} {len(record.leads)} {record.fs!r} {record.n_samples}".replace(".0 ", " ")]
    for lead, row, total in zip(record.leads, integers, sums):
        if not lead or lead != lead.strip() or not lead.isprintable():
            raise RecordError(f"lead name '{lead}': expected printable characters without outer blanks")
        lines.append(f"{name}.dat 16 {gain!r}(0)/mV 16 0 {row[0]} {total} 0 {lead}")
    lines += _comments(record)
    stem.with_name(name + ".dat").write_bytes(np.ascontiguousarray(integers.T).tobytes())
    if record.annotations is not None:
        stem.with_name(name + ".atr").write_bytes(encode_annotations(record.annotations, record.leads))
    target = stem.with_name(name + ".hea")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def _comments(record: Record) -> list[str]:
    fields = {k: v for k, v in record.header.items() if k not in ("recorded", "left out", "comments")}
    known = {key.casefold() for key in fields}
    patient = record.patient
    if patient.id is not None and "patient id" not in known:
        fields["Patient ID"] = patient.id
    if patient.age is not None and "age" not in known:
        fields["Age"] = f"{patient.age:g}"
    if patient.sex is not None and "sex" not in known:
        fields["Sex"] = patient.sex.capitalize()
    lines = [f"# {key}: {line}" for key, value in fields.items() for line in (value.splitlines() or [""])]
    return lines + [f"# {line}" for line in record.header.get("comments", "").splitlines()]
