"""WFDB headers: text to a checked description of the signals, without reading any of them.

**Source**: WFDB Applications Guide, header(5): record line, signal lines, segment lines, info strings.
"""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

from ...errors import BadSamplingRate, FormatBroken, ReadError

MAX_HEADER_BYTES = 4 << 20
"""No header of a real record comes near; a longer one is not read."""

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe must not block

_FAR = 1 << 40  # no integer of a signal line comes near

DEFAULT_GAIN = 200.0
DEFAULT_FS = 250.0


class SignalLine(NamedTuple):
    """One signal of a header, as declared."""

    file: str
    fmt: int
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    init: int | None
    checksum: int | None
    name: str


class Header(NamedTuple):
    """A WFDB header.

    Attributes
    ----------
    name : str
        The record's name, without ``.mat`` or ``.hea`` (the 2020 challenge wrote ``E00001.mat``).
    fs : float
        Frames a second in Hz.
    n_samples : int or None
        Frames; None = the header does not say.
    signals : tuple of SignalLine
        Empty when the record is made of segments.
    segments : tuple of (str, int)
        Name and frames of each segment; empty for an ordinary record. ``"~"`` is a gap.
    n_signals : int
    recorded : str
        Time and date as the header writes them, or an empty string.
    comments : tuple of str
        The ``#`` lines without ``#`` and outer blanks.
    """

    name: str
    fs: float
    n_samples: int | None
    signals: tuple[SignalLine, ...]
    segments: tuple[tuple[str, int], ...]
    n_signals: int
    recorded: str
    comments: tuple[str, ...]

    @property
    def fields(self) -> dict[str, str]:
        """The comments of the form ``key: value`` (keys without ``<>``); the others under ``"comments"``."""
        fields: dict[str, str] = {}
        for line in self.comments:
            key, colon, value = line.partition(":")
            key = key.strip(" <>\t") if colon else "comments"
            value = value.strip() if colon else line
            if key and value and key in fields and fields[key]:
                value = f"{fields[key]}\n{value}"
            if key:
                fields[key] = value
        return fields


def read_text(path: str) -> str:
    """A header's text: UTF-8, else Latin-1 (which any byte is)."""
    data = read_bytes(path, MAX_HEADER_BYTES)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_bytes(path: str, most: int) -> bytes:
    """A regular file of at most `most` bytes.

    Raises
    ------
    ReadError
        Missing, not a regular file, not readable.
    FormatBroken
        Longer than `most`.
    """
    with opened(path) as (descriptor, size):
        if size > most:
            raise FormatBroken(f"'{path}' is too long: expected at most {most} bytes, got {size}")
        return (
            os.read(descriptor, size) if size < 1 << 20 else open(descriptor, "rb", closefd=False).read(size)
        )


def file_size(path: str) -> int:
    """Bytes of a regular file.

    Raises
    ------
    ReadError
        Missing, or not a regular file.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise _read_error(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise ReadError(f"'{path}' is not a file")
    return status.st_size


class opened:  # a plain class: half the cost of a generator, and this is done for every record
    """Open a regular file by number; gives it and its size, and closes it.

    Raises
    ------
    ReadError
        Missing, not a regular file, not readable; also for an ``OSError`` while it is open.
    """

    def __init__(self, path: str) -> None:
        self.path, self.descriptor = path, -1

    def __enter__(self) -> tuple[int, int]:
        try:
            self.descriptor = os.open(self.path, _FLAGS)
            status = os.fstat(self.descriptor)
        except (OSError, ValueError) as error:
            self._close()
            raise _read_error(self.path, error) from None
        if not stat.S_ISREG(status.st_mode):
            self._close()
            raise ReadError(f"'{self.path}' is not a file")
        return self.descriptor, status.st_size

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close()
        if isinstance(error, OSError) and not isinstance(error, ReadError):
            raise _read_error(self.path, error) from None

    def _close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _read_error(path: str, error: Exception) -> ReadError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ReadError(f"there is no file '{path}'")
    return ReadError(f"cannot read '{path}': {error}")


@lru_cache(maxsize=4)  # a catalog, a record and its twelve annotation files ask for the same one in a row
def parse_header(text: str) -> Header:
    """Parse a header's text; any line ending, blank lines and comments anywhere.

    Raises
    ------
    FormatBroken
        A line does not follow header(5).
    BadSamplingRate
        The sampling rate is 0, negative or not finite.
    """
    lines: list[str] = []
    comments: list[str] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("#"):
            comments.append(line.strip("# \t"))
        elif line:
            lines.append(line)
    if not lines:
        raise FormatBroken("WFDB header: expected a record line, got none")
    words = lines[0].split()
    name, slash, n_segments = words[0].partition("/")
    if len(words) < 2:
        raise FormatBroken(f"WFDB record line: expected 'name n_signals …', got '{lines[0][:80]}'")
    n_signals = _count(words[1], "number of signals")
    fs = _rate(words[2]) if len(words) > 2 else DEFAULT_FS
    n_samples = _count(words[3], "number of samples") if len(words) > 3 else 0
    signals: tuple[SignalLine, ...] = ()
    segments: tuple[tuple[str, int], ...] = ()
    declared = _count(n_segments, "number of segments") if slash else n_signals
    if declared != len(lines) - 1:
        what = "segments" if slash else "signals"
        raise FormatBroken(f"WFDB header: expected {declared} {what} as declared, got {len(lines) - 1} lines")
    if slash:
        segments = tuple(_segment_line(line) for line in lines[1:])
    else:
        signals = tuple(_signal_line(line, i) for i, line in enumerate(lines[1:], 1))
    stem = name[:-4] if name.endswith((".mat", ".hea", ".dat")) else name
    recorded = " ".join(words[4:])
    return Header(stem, fs, n_samples or None, signals, segments, n_signals, recorded, tuple(comments))


def _rate(word: str) -> float:
    """``fs/counter(base)``: only the first counts."""
    text = word.split("/", 1)[0].split("(", 1)[0]
    try:
        fs = float(text)
    except ValueError:
        raise FormatBroken(f"WFDB record line: expected a sampling rate in Hz, got '{word[:40]}'") from None
    if not (isfinite(fs) and fs > 0):
        raise BadSamplingRate(f"sampling rate: expected a finite number of Hz above 0, got {text}")
    return fs


def _signal_line(line: str, number: int) -> SignalLine:
    words = line.split(None, 8)
    n = len(words)
    if n < 2:
        raise FormatBroken(f"WFDB signal line {number}: expected 'file format …', got '{line[:80]}'")
    try:
        fmt, per_frame, skew, offset = _format(words[1])
        gain, baseline, unit = _gain(words[2]) if n > 2 else (DEFAULT_GAIN, None, "mV")
    except FormatBroken as error:
        raise FormatBroken(f"WFDB signal line {number}: {error}") from None
    try:
        zero = int(words[4]) if n > 4 else 0
        init = int(words[5]) if n > 5 else None
        checksum = int(words[6]) if n > 6 else None
        if not -_FAR < zero < _FAR or not -_FAR < (init or 0) < _FAR or not -_FAR < (checksum or 0) < _FAR:
            raise ValueError
    except ValueError:
        raise FormatBroken(
            f"WFDB signal line {number}: expected whole numbers after the gain, got '{line[:80]}'"
        ) from None
    return SignalLine(
        words[0], fmt, per_frame, skew, offset, gain, zero if baseline is None else baseline, unit, init, checksum,
        words[8].strip() if n > 8 else f"signal {number}",
    )  # fmt: skip


@lru_cache(maxsize=256)  # the lines of a header, and of a set, repeat themselves
def _format(word: str) -> tuple[int, int, int, int]:
    """``16x1:0+24`` → format, samples a frame, skew, byte offset."""
    if word.isdecimal() and word.isascii():
        return int(word[:9]), 1, 0, 0
    try:
        word, _, offset = word.partition("+")
        word, _, skew = word.partition(":")
        word, _, per_frame = word.partition("x")
        parts = int(word), int(per_frame or 1), int(skew or 0), int(offset or 0)
    except ValueError:
        parts = (-1, 0, 0, 0)
    if min(parts) < 0 or parts[1] < 1:
        raise FormatBroken(f"expected a format such as 16, 212 or 16x1+24, got '{word[:40]}'")
    return parts


@lru_cache(maxsize=1024)
def _gain(word: str) -> tuple[float, int | None, str]:
    """``1000.0(0)/mV`` → gain, baseline (None = not given), unit. A gain of 0 means 200: uncalibrated."""
    text, _, unit = word.partition("/")
    text, bracket, base = text.partition("(")
    try:
        gain = float(text) if text else DEFAULT_GAIN
        baseline = int(base.removesuffix(")")) if bracket else None
        if not (gain == 0 or 1e-9 <= abs(gain) <= 1e15) or abs(baseline or 0) >= 1 << 40:
            raise ValueError
    except ValueError:
        raise FormatBroken(f"expected a gain such as 1000(0)/mV, got '{word[:40]}'") from None
    return gain or DEFAULT_GAIN, baseline, unit or "mV"


def _segment_line(line: str) -> tuple[str, int]:
    words = line.split()
    if len(words) < 2:
        raise FormatBroken(f"WFDB segment line: expected 'name n_samples', got '{line[:80]}'")
    return words[0], _count(words[1], "samples of a segment")


def _count(word: str, what: str) -> int:
    if not (word.isdecimal() and word.isascii() and len(word) <= 18):
        raise FormatBroken(f"WFDB header: expected a whole number as {what}, got '{word[:40]}'")
    return int(word)


def safe_name(name: str) -> str:
    """A file's name in a header, refused when it could lead out of the header's folder.

    Raises
    ------
    FormatBroken
        An absolute path, a ``..``, a backslash, a drive letter or a character no file name has.
    """
    if not name or "\\" in name or ":" in name or "\0" in name or name[0] == "/" or ".." in name.split("/"):
        raise FormatBroken(
            f"WFDB header names the file '{name[:80]}': expected a name inside the header's own folder"
        )
    return name
