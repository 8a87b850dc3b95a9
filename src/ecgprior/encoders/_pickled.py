"""Reading the files of ``torch.save`` without unpickling them: tensors and plain containers, nothing else.

Python's ``pickle`` calls whatever a file names. Here the file's opcodes are interpreted one by one by a table of our
own: values, lists, tuples, dictionaries, and the five functions by which PyTorch describes a tensor or an
``OrderedDict``. They are only recognised, never imported or called; a file that names anything else is refused with
that name. What a file claims about sizes is held against the bytes that are really there, before memory is taken.

A tensor's numbers are read when they are asked for: an optimiser's state that lies in the same file costs nothing.

**Source**: opcodes as ``pickletools`` documents them; layout of the archive as PyTorch documents it
(``data.pkl`` beside ``data/<key>``, uncompressed, since PyTorch 1.6).
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError

_LARGEST_PICKLE = 16 << 20
"""Bytes of ``data.pkl``: names and shapes; published ones have well under 1 MB."""
_LARGEST_COUNT = 1 << 48

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
_ORDERED, _NAMESPACE, _SIZE = "collections OrderedDict", "argparse Namespace", "torch Size"
_DTYPE, _ENCODE = "numpy dtype", "_codecs encode"
_SCALARS = {"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"}
_KNOWN = {_TENSOR, _PARAMETER, _ORDERED, _NAMESPACE, _SIZE, _DTYPE, _ENCODE, *_SCALARS} | {
    f"torch {name}" for name in _DTYPES
}
_NUMBERS = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}


@dataclass(frozen=True)
class _Name:
    """A global that the file names: recognised, not imported."""

    name: str


@dataclass(frozen=True)
class _Dtype:
    """A type of NumPy's."""

    code: str


@dataclass(frozen=True)
class _Storage:
    """Numbers in the archive, described."""

    key: str
    dtype: torch.dtype
    n: int


@dataclass(frozen=True)
class Stored:
    """A tensor in the archive, described.

    Attributes
    ----------
    shape, stride : tuple of int
        In numbers, not bytes; so is `offset`.
    """

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        return self.storage.dtype


class Archive:
    """A file that ``torch.save`` wrote.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    content : object
        What was saved: plain values, lists, tuples, dictionaries and :class:`Stored` tensors. An ``OrderedDict`` and
        an ``argparse.Namespace`` are dictionaries here.

    Raises
    ------
    CheckpointError
        Not such a file, cut or inconsistent; it holds anything else than tensors and plain containers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = _checked_entries(archive, path.stat().st_size)
                self._root = _root(self._entries)
                self.content = _interpreted(self._pickle(archive))
        except FileNotFoundError:
            raise CheckpointError(f"'{path}': expected a file, got nothing") from None
        except IsADirectoryError:
            raise CheckpointError(f"'{path}': expected a file of torch.save, got a folder") from None
        except CheckpointError:
            raise
        except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, ValueError, struct.error) as error:
            old = "; what PyTorch before 1.6 wrote is not read" if not zipfile.is_zipfile(path) else ""
            raise CheckpointError(
                f"'{path}' is no file of torch.save that can be read: {error}{old}"
            ) from None

    def read(self, stored: Stored) -> Tensor:
        """The numbers of one tensor.

        Raises
        ------
        CheckpointError
            Its bytes are not there, are not as many as it says, or were changed.
        """
        storage = stored.storage
        name = f"{self._root}data/{storage.key}"
        entry, size = self._entries.get(name), storage.n * storage.dtype.itemsize
        if entry is None or entry.file_size != size:
            got = "nothing" if entry is None else f"{entry.file_size}"
            raise CheckpointError(f"'{self.path}', {name}: expected {size} bytes, got {got}")
        try:
            with zipfile.ZipFile(self.path) as archive:
                data = bytearray(archive.read(entry))
        except (zipfile.BadZipFile, OSError, RuntimeError, EOFError) as error:
            raise CheckpointError(f"'{self.path}', {name} cannot be read: {error}") from None
        flat = torch.frombuffer(data, dtype=storage.dtype) if data else torch.empty(0, dtype=storage.dtype)
        return flat.as_strided(stored.shape, stored.stride, stored.offset).clone()

    def _pickle(self, archive: zipfile.ZipFile) -> bytes:
        entry = self._entries[f"{self._root}data.pkl"]
        if entry.file_size > _LARGEST_PICKLE:
            raise CheckpointError(
                f"'{self.path}', data.pkl: expected at most {_LARGEST_PICKLE} bytes, got {entry.file_size}"
            )
        order = self._entries.get(f"{self._root}byteorder")
        if order is not None and archive.read(order).strip() != b"little":
            raise CheckpointError(f"'{self.path}', byteorder: expected little, got another")
        return archive.read(entry)


def _checked_entries(archive: zipfile.ZipFile, n_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Entries by name: uncompressed, so that none is larger than the file, nor all together."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    for entry in entries.values():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise CheckpointError(
                f"entry '{entry.filename}': expected it uncompressed, as torch.save writes it, got "
                f"{entry.compress_size} bytes for {entry.file_size}"
            )
    total = sum(entry.file_size for entry in entries.values())
    if total > n_bytes or len(entries) != len(archive.infolist()):
        raise CheckpointError(
            f"archive: expected entries that lie side by side in {n_bytes} bytes, got {total} bytes in "
            f"{len(archive.infolist())} entries"
        )
    return entries


def _root(entries: dict[str, zipfile.ZipInfo]) -> str:
    found = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
    if len(found) != 1:
        raise CheckpointError(f"archive: expected one data.pkl, as torch.save writes it, got {len(found)}")
    return found[0]


@dataclass
class _Machine:
    """The pickle machine's stack and memo."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        place = self.marks.pop()
        values = self.stack[place:]
        del self.stack[place:]
        return values


def _interpreted(data: bytes) -> Any:
    """The object that a pickle describes."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(BytesIO(data)):
            if opcode.name == "STOP":
                if len(machine.stack) != 1:
                    raise CheckpointError("data.pkl: expected one object, got several")
                return machine.stack[0]
            _step(machine, opcode.name, argument)
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"data.pkl is broken: {type(error).__name__} {error}") from None
    raise CheckpointError("data.pkl is cut: it has no end")


_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "SHORT_BINSTRING", "BINSTRING", "INT", "LONG", "FLOAT", "UNICODE"),
}  # fmt: skip
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = {"BINPUT", "LONG_BINPUT", "PUT"}, {"BINGET", "LONG_BINGET", "GET"}


def _step(machine: _Machine, name: str, argument: Any) -> None:
    stack = machine.stack
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _PUT:
        machine.memo[int(argument)] = stack[-1]
    elif name == "MEMOIZE":
        machine.memo[len(machine.memo)] = stack[-1]
    elif name in _GET:
        stack.append(machine.memo[int(argument)])
    elif name == "MARK":
        machine.marks.append(len(stack))
    elif name in ("PROTO", "FRAME"):
        pass
    elif name == "POP":
        stack.pop()
    elif name in ("GLOBAL", "STACK_GLOBAL"):
        stack.append(_recognised(argument if name == "GLOBAL" else " ".join(_last(stack, 2))))
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name in ("REDUCE", "NEWOBJ"):
        function, arguments = _last(stack, 2)
        stack.append(_rebuilt(function, arguments))
    elif name == "BUILD":
        _given_state(stack)
    else:
        _container(machine, name)


def _container(machine: _Machine, name: str) -> None:
    stack = machine.stack
    if name in _TUPLES:
        stack.append(tuple(_last(stack, _TUPLES[name])))
    elif name == "TUPLE":
        stack.append(tuple(machine.since_mark()))
    elif name in ("EMPTY_LIST", "EMPTY_SET"):
        stack.append([])
    elif name == "LIST":
        stack.append(machine.since_mark())
    elif name == "APPEND":
        (value,) = _last(stack, 1)
        _is(stack[-1], list).append(value)
    elif name in ("APPENDS", "ADDITEMS"):
        values = machine.since_mark()
        _is(stack[-1], list).extend(values)
    elif name == "EMPTY_DICT":
        stack.append({})
    elif name == "DICT":
        stack.append(_put({}, machine.since_mark()))
    elif name == "SETITEM":
        values = _last(stack, 2)
        _put(stack[-1], values)
    elif name == "SETITEMS":
        values = machine.since_mark()
        _put(stack[-1], values)
    else:
        raise CheckpointError(f"data.pkl: expected tensors and plain containers, got the instruction {name}")


def _last(stack: list[Any], n: int) -> list[Any]:
    """The `n` uppermost values, taken off."""
    if len(stack) < n:
        raise CheckpointError("data.pkl is broken: an instruction finds too few values")
    values = stack[len(stack) - n :]
    del stack[len(stack) - n :]
    return values


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise CheckpointError(f"data.pkl is broken: expected a {kind.__name__}, got {type(value).__name__}")
    return value


def _put(to: Any, values: list[Any]) -> dict[Any, Any]:
    _is(to, dict)
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str | int | float | None):  # a deep tuple's hash would overrun the stack
            raise CheckpointError(
                f"data.pkl: expected keys that are words or numbers, got {type(key).__name__}"
            )
        to[key] = value
    return to


def _recognised(name: Any) -> _Name:
    if name not in _KNOWN:
        raise CheckpointError(
            f"data.pkl names '{str(name).replace(' ', '.')}': expected tensors and plain containers only; nothing of "
            "the file was executed"
        )
    return _Name(name)


def _given_state(stack: list[Any]) -> None:
    """State put onto an object: a namespace's values; of an ordered dictionary only its class's own, dropped."""
    (state,) = _last(stack, 1)
    if isinstance(stack[-1], _Dtype):  # byte order and the like of a NumPy type
        return
    target = _is(stack[-1], dict)
    if target.pop(_NAMESPACE, None) is not None:
        _put(target, [part for pair in _is(state, dict).items() for part in pair])


def _rebuilt(function: Any, arguments: Any) -> Any:
    """What one of the known functions stands for."""
    name, given = _is(function, _Name).name, _is(arguments, tuple)
    if name == _TENSOR:
        storage, offset, shape, stride = given[:4]
        return _described(_is(storage, _Storage), offset, _is(shape, tuple), _is(stride, tuple))
    if name == _PARAMETER:
        return _is(given[0], Stored)
    if name == _ORDERED:
        pairs = _is(given[0], list) if given else []
        return _put({}, [part for pair in pairs for part in _pair(pair)])
    if name == _NAMESPACE:
        return {_NAMESPACE: True}  # its values come with BUILD
    if name == _SIZE:
        return _is(given[0], tuple)
    if name == _DTYPE:
        return _Dtype(_is(given[0], str))
    if name == _ENCODE:
        return _is(given[0], str).encode("latin-1")
    if name in _SCALARS:
        return _number(_is(given[0], _Dtype), _is(given[1], bytes))
    raise CheckpointError(f"data.pkl is broken: '{name}' cannot be called")


def _number(dtype: _Dtype, data: bytes) -> Any:
    if dtype.code not in _NUMBERS or len(data) != struct.calcsize(_NUMBERS[dtype.code]):
        raise CheckpointError(
            f"data.pkl: expected a plain number, got a NumPy value of type {dtype.code:.20}"
        )
    return struct.unpack(_NUMBERS[dtype.code], data)[0]


def _pair(pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise CheckpointError("data.pkl is broken: expected pairs of key and value")
    return pair[0], pair[1]


def _storage(described: Any) -> _Storage:
    """Of a persistent id: ("storage", type, key, device, how many numbers)."""
    kind, storage_type, key, _, n = _is(described, tuple)[:5]
    word = _is(storage_type, _Name).name.removeprefix("torch ")
    if (
        kind != "storage"
        or word not in _DTYPES
        or type(key) is not str
        or type(n) is not int
        or not 0 <= n < _LARGEST_COUNT
    ):
        raise CheckpointError(f"data.pkl is broken: no storage is described by {(kind, word, key, n)!r:.200}")
    return _Storage(key, _DTYPES[word], n)


def _described(storage: _Storage, offset: Any, shape: tuple[Any, ...], stride: tuple[Any, ...]) -> Stored:
    """A tensor that lies within its storage and has not more numbers than that."""
    numbers = (offset, *shape, *stride)
    if (
        len(shape) != len(stride)
        or not all(type(n) is int and 0 <= n < _LARGEST_COUNT for n in numbers)
        or len(shape) > 16
    ):
        raise CheckpointError("data.pkl is broken: a tensor's shape and stride are not counts of numbers")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride)) if prod(shape) else -1
    if prod(shape) > storage.n or last >= storage.n:
        said = "×".join(map(str, shape))
        raise CheckpointError(
            f"data.pkl is broken: a tensor of {said:.200} does not fit its {storage.n} numbers"
        )
    return Stored(storage, offset, shape, stride)
