"""MATLAB files of versions 5 to 7: numbers, texts and single structures, read without trusting a length.

SciPy reads more of the format, but crashes the interpreter on some damaged files; what holds an ECG is simple.
Cells, sparse and complex arrays and objects are passed over.

**Source**: MathWorks, "MAT-File Format", chapter 1 (version 5): data elements, array flags, structures.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import FormatBroken
from .base import MAX_VALUES

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_TEXTS = {1: "latin-1", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR = 2, 4
_COMPLEX = 0x0800
_DEEPEST = 4


def read_mat5(data: bytes) -> dict[str, Any]:
    """The variables of a file by name: ndarray, str, or a dict of these for a structure.

    Raises
    ------
    FormatBroken
        The file ends within a variable, or a length contradicts another.
    """
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise FormatBroken("MATLAB: expected a header of 128 bytes that ends in 'IM' or 'MI'")
    order = "<" if data[126:128] == b"IM" else ">"
    values: dict[str, Any] = {}
    for kind, content in _elements(memoryview(data)[128:], order):
        if kind == _COMPRESSED:
            inner = _elements(memoryview(_inflated(content)), order)
            kind, content = next(inner, (0, content))
        if kind == _MATRIX:
            name, value = _variable(content, order, 0)
            if value is not None:
                values[name] = value
    return values


def _inflated(content: memoryview) -> bytes:
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(content, 8 * MAX_VALUES)
    except zlib.error as error:
        raise FormatBroken(f"MATLAB: a compressed variable is damaged: {error}") from None
    if not unpack.eof:
        raise FormatBroken("MATLAB: a compressed variable is cut or too long")
    return data


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and content of each data element, one after the other."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise FormatBroken("MATLAB: the file ends within a tag")
        kind, count = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # up to four bytes lie within the tag
            kind, count, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            start = at + 8
            end = start + count if kind == _COMPRESSED else start + count + -count % 8
        if start + count > min(len(data), max(end, start)):
            raise FormatBroken(f"MATLAB: an element declares {count} bytes, more than there are")
        yield kind, data[start : start + count]
        at = end


def _variable(content: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """Name and value of an array; None for what is passed over."""
    parts = _elements(content, order)
    flags = _numbers(next(parts, None), order)
    shape = _numbers(next(parts, None), order)
    name = bytes(_content(next(parts, None))).decode("latin-1")
    if flags.dtype.kind not in "iu" or shape.dtype.kind not in "iu" or not len(flags) or (shape < 0).any():
        raise FormatBroken("MATLAB: an array's flags or shape are damaged")
    kind = int(flags[0]) & 0xFF
    size = int(np.prod(shape, dtype=np.float64).clip(0, 2.0**62))
    if size > MAX_VALUES:
        raise FormatBroken(
            f"MATLAB: expected at most {MAX_VALUES} values, got {name} of shape {shape.tolist()}"
        )
    if kind in _CLASSES and not int(flags[0]) & _COMPLEX:
        values = _numbers(next(parts, None), order)
        if len(values) != size:
            raise FormatBroken(f"MATLAB: {name} has {len(values)} values: expected {size} by its shape")
        with np.errstate(invalid="ignore", over="ignore"):
            values = values.astype(_CLASSES[kind])
        return name, values.reshape(tuple(shape.tolist()), order="F")
    if kind == _CHAR:
        text = next(parts, (2, memoryview(b"")))
        codec = _TEXTS.get(text[0], "latin-1")
        if codec in ("utf-16", "utf-32"):
            codec += "-le" if order == "<" else "-be"
        return name, bytes(text[1]).decode(codec, "replace")
    if kind == _STRUCT and size == 1 and depth < _DEEPEST:
        return name, _structure(parts, order, depth)
    return name, None


def _structure(parts: Iterator[tuple[int, memoryview]], order: str, depth: int) -> dict[str, Any]:
    length = _numbers(next(parts, None), order)
    names = bytes(_content(next(parts, None)))
    width = int(length[0]) if len(length) and length.dtype.kind in "iu" else 0
    if not 0 < width <= 4096:
        raise FormatBroken("MATLAB: a structure's field names are damaged")
    fields: dict[str, Any] = {}
    for start in range(0, len(names), width):
        name = names[start : start + width].split(b"\0")[0].decode("latin-1")
        kind, content = next(parts, (0, memoryview(b"")))
        if kind != _MATRIX:
            raise FormatBroken(f"MATLAB: the structure's field '{name}' is missing")
        fields[name] = _variable(content, order, depth + 1)[1]
    return fields


def _content(part: tuple[int, memoryview] | None) -> memoryview:
    if part is None:
        raise FormatBroken("MATLAB: an array ends before its values")
    return part[1]


def _numbers(part: tuple[int, memoryview] | None, order: str) -> np.ndarray:
    content = _content(part)
    kind = _NUMBERS.get(part[0]) if part is not None else None
    if kind is None or len(content) % int(kind[1]):
        raise FormatBroken("MATLAB: expected numbers, got an element of another type or length")
    return np.frombuffer(content, order + kind)
