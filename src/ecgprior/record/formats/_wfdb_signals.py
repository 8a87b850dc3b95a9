"""WFDB signal files: from the header's signal lines to millivolts, everything declared being verified."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadUnit, ExtraMissing, FormatBroken, ReadError, RecordError
from ...units import mv_per
from ._wfdb_header import Header, SignalLine, safe_name
from ._wfdb_samples import bytes_needed, decode, missing_value, samples_in

_FLAC = (508, 516, 524)


def read_signals(
    folder: str, header: Header, unit: str | None, checksum: bool, stem: str
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """Names, signal (lead, time) in mV, and what was left out as no voltage."""
    signals = header.signals
    if not signals:
        raise RecordError("this header has no signal: expected at least one, got 0")
    if any(s.fmt in _FLAC for s in signals):
        return _through_package(stem, header, unit)
    kept, factors, left_out = voltages(signals, unit)
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


def voltages(signals: Sequence[SignalLine], unit: str | None) -> tuple[list[int], list[float], list[str]]:
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
    rows: list[NDArray[np.int64]] = []
    sums, column = [], 0
    for signal in signals:
        samples = block[column : column + signal.per_frame].T.reshape(-1).astype(np.int64)
        column += signal.per_frame
        if fmt == 8:
            samples = np.cumsum(samples) + (signal.init or 0)
        sums.append(int(samples.sum()) & 0xFFFF)
        frames = samples.reshape(n, signal.per_frame)
        mean = np.trunc(frames.sum(axis=1) / signal.per_frame).astype(np.int64)
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


def _through_package(
    stem: str, header: Header, unit: str | None
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """The rare formats, read by the ``wfdb`` package after the same checks on names."""
    for signal in header.signals:
        safe_name(signal.file)
    try:
        import soundfile  # noqa: F401  what wfdb itself needs for FLAC

        with warnings.catch_warnings():  # wfdb 4.3 uses what its own dependencies are about to drop
            warnings.simplefilter("ignore")
            import wfdb
    except (ImportError, OSError):
        raise ExtraMissing.of("wfdb", "formats", f"WFDB format {header.signals[0].fmt}") from None
    kept, factors, left_out = voltages(header.signals, unit)
    try:
        values = wfdb.rdrecord(stem).p_signal
    except (ValueError, TypeError, KeyError, IndexError, OSError, RuntimeError) as error:
        raise FormatBroken(f"the package 'wfdb' cannot read this record: {error}") from None
    signal = (values.T[kept] * np.array(factors)[:, None]).astype(np.float32)
    return [header.signals[row].name for row in kept], signal, left_out
