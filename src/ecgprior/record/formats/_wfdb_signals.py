"""WFDB signal files: from the header's signal lines to millivolts, everything declared being verified."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadUnit, ExtraMissing, FormatBroken, RecordError
from ...units import mv_per
from ._wfdb_header import Header, SignalLine, file_size, opened, safe_name
from ._wfdb_samples import bytes_needed, decode, missing_value, samples_in

_FLAC = (508, 516, 524)
_PIECE = 1 << 19  # most samples decoded at a time: few calls, and few MB beside the signal


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
    scale = dict(zip(kept, factors))
    files: dict[str, list[int]] = {}
    for row, signal in enumerate(signals):
        files.setdefault(signal.file, []).append(row)
    n = header.n_samples
    checked = checksum and any(s.checksum or s.init for s in signals)  # all 0: a writer's filler
    paths = {name: os.path.join(folder, safe_name(name)) for name in files}
    for name, rows in files.items():  # all of them before anything is allocated
        n = _checked_length(paths[name], [signals[row] for row in rows], n, checked)
    out = np.empty((len(signals), n or 0), np.float32)
    for name, rows in files.items():
        neighbours = rows[-1] - rows[0] + 1 == len(rows)
        part = out[rows[0] : rows[-1] + 1] if neighbours else np.empty((len(rows), out.shape[1]), np.float32)
        own, factors = [signals[row] for row in rows], [scale.get(row, 1.0) for row in rows]
        _values(paths[name], own, factors, checked, part)
        if not neighbours:
            out[rows] = part
    if left_out:
        out = out[kept]
    out.flags.writeable = False
    return [signals[row].name for row in kept], out, left_out


def voltages(signals: Sequence[SignalLine], unit: str | None) -> tuple[list[int], list[float], list[str]]:
    """Rows of the signals that are voltages, mV in one of their units, and the others by name and unit."""
    if unit is not None or len({s.unit for s in signals}) == 1:  # the usual case: ask once
        with contextlib.suppress(BadUnit):
            factor = mv_per(unit or signals[0].unit)
            return list(range(len(signals))), [factor] * len(signals), []
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


def _checked_length(path: str, signals: Sequence[SignalLine], n: int | None, checked: bool) -> int:
    """The number of frames, after everything declared was compared with the file's size.

    Nothing is read or allocated before: memory stays bounded by what is on disk.
    """
    file, fmt, offset = os.path.basename(path), signals[0].fmt, signals[0].offset
    if any(s.fmt != fmt for s in signals):
        raise FormatBroken(f"'{file}' is declared in several formats: expected one for a file")
    columns = sum(s.per_frame for s in signals)
    bytes_needed(fmt, 0)
    size = max(file_size(path) - offset, 0)
    if n is None:
        n = samples_in(fmt, size) // columns
    if n == 0:
        raise RecordError(f"'{file}' holds no sample: expected at least one")
    spare = size - bytes_needed(fmt, n * columns)
    if spare < 0 or (spare >= max(4, bytes_needed(fmt, columns)) and not checked):
        have = samples_in(fmt, size) // columns
        raise FormatBroken(
            f"'{file}' has another length than its header says: expected {n} samples a signal, got {have}"
        )
    return n


def _values(
    path: str,
    signals: Sequence[SignalLine],
    factors: Sequence[float],
    checked: bool,
    out: NDArray[np.float32],
) -> None:
    """Read, decode, verify and scale one signal file into `out`: (signal, time), mV."""
    n = out.shape[1]
    fmt, columns = signals[0].fmt, sum(s.per_frame for s in signals)
    simple = columns == len(signals) and fmt != 8 and not any(s.skew for s in signals)
    # In pieces of one size; each ends where blocks of 2 and of 3 samples end.
    pieces = -(-n * columns // _PIECE) if simple else 1
    frames = -(-n // pieces // 6) * 6 if pieces > 1 else n
    buffer = np.empty(bytes_needed(fmt, min(frames, n) * columns) + 1, np.uint8)  # `decode` looks one further
    scale = _Scale(signals, factors)
    sums = np.zeros(len(signals), np.uint16)
    with opened(path) as (descriptor, _):
        file = io.FileIO(descriptor, closefd=False)
        file.seek(signals[0].offset)
        for start in range(0, n, frames):
            count = min(frames, n - start)
            if not _filled(file, buffer[: bytes_needed(fmt, count * columns)].data):
                raise FormatBroken(f"'{os.path.basename(path)}' shrank while it was read")
            place = out[:, start : start + count]
            block = decode(fmt, buffer, count * columns, columns, place[0])
            if simple:
                whole = block.view(np.uint16) if block.dtype == np.int16 else block
                sums += np.add.reduce(whole, axis=1, dtype=np.uint16)
            else:
                block, sums = _framed(block, signals)
            scale.apply(block, place)
    if checked:
        _verify(sums, signals)


def _filled(file: io.FileIO, buffer: memoryview) -> bool:
    """Read until the buffer is full; False when the file ends before. One call gives at most 2 GiB."""
    while len(buffer):
        got = file.readinto(buffer)
        if not got:
            return False
        buffer = buffer[got:]
    return True


def _framed(
    block: NDArray[np.integer], signals: Sequence[SignalLine]
) -> tuple[NDArray[np.integer], NDArray[np.uint16]]:
    """Signals of several samples a frame, shifted ones, and format 8, which holds differences; and their sums."""
    fmt, n = signals[0].fmt, block.shape[1]
    missing = missing_value(fmt)
    out = np.full((len(signals), n), 0 if missing is None else missing, np.int64)
    sums, column = [], 0
    for row, signal in enumerate(signals):
        samples = block[column : column + signal.per_frame].T.reshape(-1).astype(np.int64)
        column += signal.per_frame
        if fmt == 8:
            samples = np.cumsum(samples) + (signal.init or 0)
        sums.append(int(samples.sum()) & 0xFFFF)
        frames = samples.reshape(n, signal.per_frame)
        mean = np.trunc(frames.sum(axis=1) / signal.per_frame).astype(np.int64)
        if missing is not None:
            mean[(frames == missing).any(axis=1)] = missing
        out[row, : max(0, n - signal.skew)] = mean[signal.skew :]
    return out, np.array(sums, np.uint16)


def _verify(sums: NDArray[np.uint16], signals: Sequence[SignalLine]) -> None:
    """Compare the 16-bit sums with the header's."""
    for got, signal in zip(sums.tolist(), signals):
        if signal.checksum is not None and got != signal.checksum & 0xFFFF:
            raise FormatBroken(
                f"checksum of lead '{signal.name}' in '{signal.file}': expected {signal.checksum & 0xFFFF}, got {got}; "
                "the samples are not those the header was written for (checksum=False reads them all the same)"
            )


class _Scale:
    """Integers to mV: (d - baseline) / gain. 24- and 32-bit formats go through double precision."""

    def __init__(self, signals: Sequence[SignalLine], factors: Sequence[float]) -> None:
        fmt = signals[0].fmt
        baselines = [s.baseline for s in signals]
        largest = max(max(baselines), -min(baselines))
        self.missing = missing_value(fmt)
        self.kind: Any = np.float64 if fmt in (8, 24, 32) or largest >= 1 << 23 else np.float32
        # up to 12 bits leave room in int16 to take the baseline off there, which is cheapest
        self.early = fmt in (212, 310, 311) and largest < 1 << 14
        self.baseline = _column(baselines, np.int16 if self.early else self.kind) if largest else None
        self.gain = _column([s.gain / f for s, f in zip(signals, factors)], self.kind)

    def apply(self, block: NDArray[np.integer], out: NDArray[np.float32]) -> None:
        """Scale a piece into its place; the piece is used up."""
        lowest = self.missing is not None and np.minimum.reduce(block, axis=None) == self.missing
        absent = block == self.missing if lowest else None
        late = self.baseline
        if self.early and late is not None and block.dtype == np.int16:
            block -= late
            late = None
        exact: NDArray[Any] = out if self.kind is np.float32 else np.empty(block.shape, self.kind)
        if late is None:
            exact[...] = block  # a pass of its own takes less than dividing through NumPy's buffer
        else:
            np.subtract(block, late, out=exact, dtype=self.kind, casting="unsafe")
        exact /= self.gain
        if exact is not out:
            out[...] = exact
        if absent is not None:
            out[absent] = np.nan


def _column(values: list[Any], kind: Any) -> Any:
    """The number that all rows share, which computes fastest, or a column with one for each."""
    return kind(values[0]) if len(set(values)) == 1 else np.array(values, kind)[:, None]


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
