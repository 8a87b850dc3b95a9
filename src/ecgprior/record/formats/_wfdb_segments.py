"""WFDB records of segments: one header that names others, with gaps between them.

Fixed layout: every segment has the same signals. Variable layout: a first segment of length 0 names all signals,
and each of the others may lack some.

**Source**: WFDB Applications Guide, header(5), "multi-segment records".
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatBroken, RecordError, where
from ._wfdb_header import Header, SignalLine, parse_header, read_text, safe_name
from ._wfdb_signals import read_signals, voltages

_Part = tuple[list[str], NDArray[np.float32]] | int  # names and signal of a segment, or the length of a gap

_MAX_UNBACKED = 1 << 27
"""Most NaN that gaps and missing leads may unfold to (512 MiB): no byte on disk vouches for them."""


def read_segments(
    folder: str, header: Header, unit: str | None, checksum: bool
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """A record of segments. Variable layout: a first segment of length 0 names the leads."""
    segments = list(header.segments)
    layout: Sequence[SignalLine] | None = None
    if segments[0][1] == 0 and segments[0][0] != "~":
        layout = _segment_header(folder, segments.pop(0)[0]).signals
    total = sum(length for _, length in segments)
    if header.n_samples not in (None, total) or total == 0:
        raise FormatBroken(f"segments: expected {header.n_samples} samples together, got {total}")
    named = [name for name, _ in segments if name != "~"]
    if len(set(named)) != len(named):
        raise FormatBroken("segments: expected every segment once, got one of them again")
    parts: list[_Part] = []
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
            names, signal, out = read_signals(folder, part, unit, checksum, os.path.join(folder, name))
            if signal.shape[1] != length:
                raise FormatBroken(
                    f"segment: expected {length} samples as the record says, got {signal.shape[1]}"
                )
        left_out.update(dict.fromkeys(out))
        parts.append((names, signal))
    expected = None if layout is None else _layout_names(layout, parts, unit)
    return (*_joined(parts, expected, total), list(left_out))


def _layout_names(layout: Sequence[SignalLine], parts: Sequence[_Part], unit: str | None) -> list[str]:
    """The layout's leads that are voltages there or in a segment, also those that no segment has."""
    present = {name for part in parts if not isinstance(part, int) for name in part[0]}
    kept = set(voltages(layout, unit)[0])
    return [signal.name for row, signal in enumerate(layout) if row in kept or signal.name in present]


def _segment_header(folder: str, name: str) -> Header:
    with where(f"segment '{name}'"):
        header = parse_header(read_text(os.path.join(folder, safe_name(name) + ".hea")))
        if header.segments:
            raise FormatBroken("segment: expected a record of signals, got one of segments again")
        return header


def _joined(
    parts: list[_Part], layout: list[str] | None, total: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Put segments one after the other; a lead that a segment lacks is NaN there."""
    read = [part for part in parts if not isinstance(part, int)]
    if not read:
        raise RecordError("every segment is a gap: expected at least one with samples")
    names = list(read[0][0]) if layout is None else layout
    unbacked = len(names) * total - sum(part[1].size for part in read)
    if unbacked > _MAX_UNBACKED:
        raise FormatBroken(
            f"segments: {unbacked} missing values are too many to unfold; read the segments singly"
        )
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
