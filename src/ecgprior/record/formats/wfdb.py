"""WFDB records (PhysioNet): a text header, packed signal files, annotation files.

What a header declares is followed to the letter: gain, baseline, unit, byte offset, samples a frame, skew,
several files, segments. Values agree with the ``wfdb`` package's ``rdrecord`` (as ``p_signal``, brought to mV):

- a gain of 0 or a missing one is 200 units/mV, as header(5) rules ("uncalibrated");
- a format's lowest integer means "not recorded" and is NaN;
- several samples a frame are averaged in integers, cut towards 0 (a frame with a missing sample is NaN here);
- the skew shifts a signal to the left and leaves NaN at its end.

Beyond ``wfdb``, what a header says about its signal files is verified: their length, the first sample's
checksum, and that no file lies outside the header's folder. Formats 508, 516 and 524 (FLAC) are handed to the
``wfdb`` package (``pip install 'ecgprior[formats]'``).

**Source**: WFDB Applications Guide, header(5), signal(5), annot(5). What it costs: a 12-lead record of 10 s is
read in a third of a millisecond.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadUnit, ExtraMissing, FormatBroken, ReadError, RecordError, where
from ...units import mv_per
from ..record import Annotations, Patient, Record
from ._wfdb_annotations import decode_annotations, encode_annotations
from ._wfdb_header import Header, SignalLine, parse_header, read_bytes, read_text, safe_name
from ._wfdb_samples import bytes_needed, decode, missing_value, samples_in
from .base import renamed

SUFFIXES = (".hea",)
_FLAC = (508, 516, 524)
_MAX_UNBACKED = 1 << 27
"""Most values that gaps between segments may unfold to: no byte on disk vouches for them."""


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
    with where(f"'{stem}.hea'"):
        header = parse_header(read_text(stem + ".hea"))
        folder = os.path.dirname(stem)
        if header.segments:
            names, signal, left_out = _read_segments(folder, header, unit, checksum)
        else:
            names, signal, left_out = _read_signals(folder, header, unit, checksum, stem)
        fields = header.fields
        patient = patient_of(fields)
        if header.recorded:
            fields["recorded"] = header.recorded
        if left_out:
            fields["left out"] = ", ".join(left_out)
        if not len(names):
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


def _read_signals(
    folder: str, header: Header, unit: str | None, checksum: bool, stem: str
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """Names, signal (lead, time) in mV, and what was left out as no voltage."""
    signals = header.signals
    if not signals:
        raise RecordError("this header has no signal: expected at least one, got 0")
    if any(s.fmt in _FLAC for s in signals):
        return _through_package(stem, header, unit)
    kept, factors, left_out = _voltages(signals, unit)
    integers, n = _read_files(folder, header, checksum)
    if len(integers) == 1 and len(kept) == len(signals):
        block, rows = integers[0]
        if rows == list(range(len(signals))):
            return [s.name for s in signals], _physical(block, signals, factors), left_out
    out = np.empty((len(kept), n), np.float32)
    place = {row: i for i, row in enumerate(kept)}
    for block, rows in integers:
        wanted = [(i, row) for i, row in enumerate(rows) if row in place]
        if wanted:
            at = [place[row] for _, row in wanted]
            part = _physical(
                block[[i for i, _ in wanted]], [signals[r] for _, r in wanted], [factors[j] for j in at]
            )
            out[at] = part
    return [signals[row].name for row in kept], out, left_out


def _voltages(signals: Sequence[SignalLine], unit: str | None) -> tuple[list[int], list[float], list[str]]:
    """Rows of the signals that are voltages, mV in one of their units, and the others by name and unit."""
    kept, factors, left_out = [], [], []
    for row, signal in enumerate(signals):
        try:
            factors.append(mv_per(unit or signal.unit))
        except BadUnit:
            if unit is not None:
                raise
            left_out.append(f"{signal.name} [{signal.unit}]")
            continue
        kept.append(row)
    return kept, factors, left_out


def _read_files(
    folder: str, header: Header, checksum: bool
) -> tuple[list[tuple[NDArray[np.integer], list[int]]], int]:
    """Every file's integers (signal, time) with the rows they belong to, and the number of frames."""
    files: dict[str, list[int]] = {}
    for row, signal in enumerate(header.signals):
        files.setdefault(signal.file, []).append(row)
    n = header.n_samples
    checked = checksum and any(s.checksum or s.init for s in header.signals)  # all 0: a writer's filler
    out = []
    for name, rows in files.items():
        signals = [header.signals[row] for row in rows]
        data, n = _file_bytes(os.path.join(folder, safe_name(name)), signals, n, checked)
        out.append((_integers(data, signals, n, checked), rows))
    assert n is not None
    return out, n


def _file_bytes(path: str, signals: Sequence[SignalLine], n: int | None, checked: bool) -> tuple[bytes, int]:
    """The bytes of a signal file from its offset on, and the number of frames.

    Everything is compared with the file's size before a byte is read: memory stays bounded by what is on disk.
    """
    fmt, offset = signals[0].fmt, signals[0].offset
    if any(s.fmt != fmt for s in signals):
        raise FormatBroken(
            f"'{os.path.basename(path)}' is declared in several formats: expected one for a file"
        )
    columns = sum(s.per_frame for s in signals)
    bytes_needed(fmt, 0)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ReadError(f"there is no file '{path}', which the header names") from None
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot read '{path}': {error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ReadError(f"'{path}', which the header names, is not a file")
    size = status.st_size - offset
    if n is None:
        n = samples_in(fmt, max(size, 0)) // columns
    if n == 0:
        raise RecordError(f"'{os.path.basename(path)}' holds no sample: expected at least one")
    needed = bytes_needed(fmt, n * columns)
    spare = size - needed
    if spare < 0 or (spare >= max(4, bytes_needed(fmt, columns)) and not checked):
        have = samples_in(fmt, max(size, 0)) // columns
        raise FormatBroken(
            f"'{os.path.basename(path)}' has another length than its header says: expected {n} samples a signal, "
            f"got {have}"
        )
    try:
        with open(path, "rb") as file:
            if offset:
                file.seek(offset)
            data = file.read(needed)
    except OSError as error:
        raise ReadError(f"cannot read '{path}': {error}") from None
    if len(data) < needed:
        raise FormatBroken(f"'{os.path.basename(path)}' shrank while it was read")
    return data, n


def _integers(data: bytes, signals: Sequence[SignalLine], n: int, checked: bool) -> NDArray[np.integer]:
    """Decoded, verified, averaged over frames and shifted by skew: (signal, time)."""
    fmt = signals[0].fmt
    columns = sum(s.per_frame for s in signals)
    block = decode(fmt, data, n * columns, columns)
    simple = columns == len(signals)
    if fmt == 8 or not simple:
        block = _framed(block, signals, checked)
    elif checked:
        _verify(block.sum(axis=1, dtype=np.uint16), signals)
    if any(s.skew for s in signals):
        block = _deskewed(block, signals)
    return block


def _framed(block: NDArray[np.integer], signals: Sequence[SignalLine], checked: bool) -> NDArray[np.integer]:
    """Signals of several samples a frame, and of format 8, which holds differences."""
    fmt, n = signals[0].fmt, block.shape[1]
    missing = missing_value(fmt)
    rows: list[NDArray[np.int32]] = []
    sums, column = [], 0
    for signal in signals:
        samples = block[column : column + signal.per_frame].T.reshape(-1).astype(np.int32)
        column += signal.per_frame
        if fmt == 8:
            samples = np.cumsum(samples, dtype=np.int32) + np.int32((signal.init or 0) & 0xFFFF)
            if (signal.init or 0) < 0:
                samples -= np.int32(0x10000)
        sums.append(samples.sum(dtype=np.int64) & 0xFFFF)
        frames = samples.reshape(n, signal.per_frame)
        mean = np.trunc(frames.sum(axis=1, dtype=np.int64) / signal.per_frame).astype(np.int32)
        if missing is not None:
            mean[(frames == missing).any(axis=1)] = missing
        rows.append(mean)
    if checked:
        _verify(np.array(sums, np.uint16), signals)
    return np.stack(rows)


def _verify(sums: NDArray[np.uint16], signals: Sequence[SignalLine]) -> None:
    """Compare the 16-bit sums with the header's."""
    for got, signal in zip(sums.tolist(), signals):
        if signal.checksum is not None and got != signal.checksum & 0xFFFF:
            raise FormatBroken(
                f"checksum of lead '{signal.name}' in '{signal.file}': expected {signal.checksum & 0xFFFF}, got {got}; "
                "the samples are not those the header was written for (checksum=False reads them all the same)"
            )


def _deskewed(block: NDArray[np.integer], signals: Sequence[SignalLine]) -> NDArray[np.integer]:
    missing = missing_value(signals[0].fmt)
    out = np.full_like(block, 0 if missing is None else missing)
    for row, signal in enumerate(signals):
        n = max(0, block.shape[1] - signal.skew)
        out[row, :n] = block[row, signal.skew :]
    return out


def _physical(
    block: NDArray[np.integer], signals: Sequence[SignalLine], factors: Sequence[float]
) -> NDArray[np.float32]:
    """Integers to mV: (d - baseline) / gain. 24- and 32-bit formats in double precision first."""
    missing = missing_value(signals[0].fmt)
    wide = block.dtype.itemsize > 2 or any(abs(s.baseline) >= 1 << 23 for s in signals)
    kind: Any = np.float64 if wide else np.float32
    lowest = missing is not None and int(block.min()) == missing
    absent = block == missing if lowest else None
    out = block.astype(kind)
    baseline = np.array([[s.baseline] for s in signals], kind)
    if baseline.any():
        out -= baseline
    gains = {s.gain / f for s, f in zip(signals, factors)}
    if len(gains) == 1:
        out /= kind(gains.pop())
    else:
        out /= np.array([[s.gain / f] for s, f in zip(signals, factors)], kind)
    if absent is not None:
        out[absent] = np.nan
    return out.astype(np.float32, copy=False)


def _read_segments(
    folder: str, header: Header, unit: str | None, checksum: bool
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """A record of segments. Variable layout: a first segment of length 0 names the leads."""
    segments = list(header.segments)
    layout: list[str] | None = None
    if segments[0][1] == 0 and segments[0][0] != "~":
        layout_header = _segment_header(folder, segments.pop(0)[0])
        layout = [s.name for s in layout_header.signals]
    total = sum(length for _, length in segments)
    if header.n_samples not in (None, total) or total == 0:
        raise FormatBroken(f"segments: expected {header.n_samples} samples together, got {total}")
    gaps = sum(length for name, length in segments if name == "~")
    if gaps * max(1, header.n_signals) > _MAX_UNBACKED:
        raise FormatBroken(
            f"segments: gaps of {gaps} samples are too long to unfold; read the segments one by one"
        )
    parts: list[tuple[list[str], NDArray[np.float32]] | int] = []
    left_out: dict[str, None] = {}
    for name, length in segments:
        if name == "~":
            parts.append(length)
            continue
        part = _segment_header(folder, name)
        with where(f"segment '{name}'"):
            if part.n_samples not in (None, length):
                raise FormatBroken(
                    f"segment: expected {length} samples as the record says, got {part.n_samples}"
                )
            if part.fs != header.fs:
                raise FormatBroken(f"segment: expected {header.fs:g} Hz as the record says, got {part.fs:g}")
            names, signal, out = _read_signals(folder, part, unit, checksum, os.path.join(folder, name))
            if signal.shape[1] != length:
                raise FormatBroken(
                    f"segment: expected {length} samples as the record says, got {signal.shape[1]}"
                )
        left_out.update(dict.fromkeys(out))
        parts.append((names, signal))
    return (*_joined(parts, layout, total), list(left_out))


def _segment_header(folder: str, name: str) -> Header:
    with where(f"segment '{name}'"):
        header = parse_header(read_text(os.path.join(folder, safe_name(name) + ".hea")))
        if header.segments:
            raise FormatBroken("segment: expected a record of signals, got one of segments again")
        return header


def _joined(
    parts: list[tuple[list[str], NDArray[np.float32]] | int], layout: list[str] | None, total: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Put segments one after the other; a lead that a segment lacks is NaN there."""
    read = [part for part in parts if not isinstance(part, int)]
    if not read:
        raise RecordError("every segment is a gap: expected at least one with samples")
    names = list(read[0][0])
    if layout is not None:
        present = {name for part in read for name in part[0]}
        names = [name for name in layout if name in present]
    out = np.full((len(names), total), np.nan, np.float32)
    start = 0
    for part in parts:
        if isinstance(part, int):
            start += part
            continue
        own, signal = part
        if layout is None and own != names:
            raise FormatBroken(
                f"segments: expected the leads {', '.join(names)} in each, got {', '.join(own)}"
            )
        for row, name in enumerate(own):
            if name not in names:
                raise FormatBroken(
                    f"segments: lead '{name}' is not in the layout, which has {', '.join(names)}"
                )
            out[names.index(name), start : start + signal.shape[1]] = signal[row]
        start += signal.shape[1]
    return names, out


def _through_package(
    stem: str, header: Header, unit: str | None
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """The rare formats, read by the ``wfdb`` package after the same checks on names."""
    for signal in header.signals:
        safe_name(signal.file)
    try:
        import soundfile  # noqa: F401  what wfdb itself needs for FLAC
        import wfdb
    except (ImportError, OSError):
        raise ExtraMissing.of("wfdb", "formats", f"WFDB format {header.signals[0].fmt}") from None
    kept, factors, left_out = _voltages(header.signals, unit)
    try:
        values = wfdb.rdrecord(stem).p_signal
    except (ValueError, TypeError, KeyError, IndexError, OSError, RuntimeError) as error:
        raise FormatBroken(f"the package 'wfdb' cannot read this record: {error}") from None
    signal = (values.T[kept] * np.array(factors)[:, None]).astype(np.float32)
    return [header.signals[row].name for row in kept], signal, left_out


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
    with where(f"'{file}'"):
        data = read_bytes(file, 1 << 28)
        names: tuple[str, ...] = ()
        if os.path.isfile(stem + ".hea"):
            header = parse_header(read_text(stem + ".hea"))
            names = tuple(s.name for s in header.signals)
        return decode_annotations(data, names)


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
