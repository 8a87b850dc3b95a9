"""WFDB annotation files in MIT format: byte pairs to marks and back.

Each mark is a 16-bit word, 6 bits of code and 10 of time since the mark before. Codes above 58 are no marks:
SKIP (59) a time of 32 bits, NUM (60), SUB (61), CHN (62) numbers that belong to the mark before, AUX (63) a
text. NUM and CHN hold until changed. A word 0 ends the file.

**Source**: WFDB Applications Guide, annot(5); codes from ``ecgcodes.h`` as annot(5) lists them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import FormatBroken, RecordError
from ..record import Annotations, canonical_lead

_CODES = ' NLRaVFJASEj/Q~ | sT*D"=pB^t+u?![]en@xf()r'
"""The symbol at each place is that code's; a blank is no symbol."""

_SYMBOL = {code: symbol for code, symbol in enumerate(_CODES) if symbol != " "}
_CODE = {symbol: code for code, symbol in _SYMBOL.items()}
_NOTE, _SKIP, _NUM, _SUB, _CHN, _AUX = 22, 59, 60, 61, 62, 63


def decode_annotations(data: bytes, names: Sequence[str] = (), fs: float | None = None) -> Annotations:
    """Marks of an annotation file.

    Parameters
    ----------
    data : bytes
        The file.
    names : sequence of str
        The record's signals in order, by which a mark's signal number becomes a lead. Marks get leads only when
        the file numbers signals at all: most beat annotations belong to the whole record.
    fs : float or None
        The record's rate; a file that declares a time resolution of its own is brought to it.

    Raises
    ------
    FormatBroken
        No end mark (the file was cut), a text longer than the file, or a time before the first sample.
    """
    sample: list[int] = []
    code: list[int] = []
    signal: list[int] = []
    note: list[str] = []
    time, channel, uses_channels = 0, 0, False
    at, end = 0, len(data) - 1
    while True:
        if at >= end:
            raise FormatBroken(
                f"annotations: expected an end mark, got the file's end after {len(sample)} marks"
            )
        low, high = data[at], data[at + 1]
        at += 2
        kind = high >> 2
        number = low | (high & 3) << 8
        if kind < _SKIP:
            if kind == 0 and number == 0:
                break
            time += number
            if time < 0:
                raise FormatBroken(f"annotations: mark {len(sample) + 1} lies before the first sample")
            sample.append(time)
            code.append(kind)
            signal.append(channel)
            note.append("")
        elif kind == _SKIP:
            if at + 4 > len(data):
                raise FormatBroken("annotations: the file ends within a time")
            time += int.from_bytes(data[at + 2 : at + 4] + data[at : at + 2], "little", signed=True)
            at += 4
            # two 16-bit words, the higher first, each with its low byte first
        elif kind == _AUX:
            text = data[at : at + number]
            if len(text) < number:
                raise FormatBroken("annotations: the file ends within a text")
            at += number + number % 2
            if note:
                note[-1] = text.decode("utf-8", "replace").rstrip("\0")
        elif kind == _CHN:
            channel, uses_channels = number & 0xFF, True
            if signal:
                signal[-1] = channel
    return _annotations(sample, code, signal if uses_channels else None, note, names, fs)


def _annotations(
    sample: list[int],
    code: list[int],
    signal: list[int] | None,
    note: list[str],
    names: Sequence[str],
    fs: float | None,
) -> Annotations:
    symbols = dict(_SYMBOL)
    scale, first = _definitions(sample, code, note, symbols, fs)
    leads = [canonical_lead(name) for name in names]
    n = len(sample)
    times = np.array(sample[first:], np.int64)
    return Annotations(
        sample=times if scale == 1 else np.round(times * scale).astype(np.int64),
        symbol=tuple(symbols.get(c, f"[{c}]") for c in code[first:]),
        lead=(None,) * (n - first)
        if signal is None
        else tuple(leads[s] if s < len(leads) else None for s in signal[first:]),
        note=tuple(note[first:]),
    )


def _definitions(
    sample: list[int], code: list[int], note: list[str], symbols: dict[int, str], fs: float | None
) -> tuple[float, int]:
    """The block of ``##`` notes before the first sample: own symbols and time resolution. How many there are."""
    scale, first, inside = 1.0, 0, False
    while first < len(sample) and sample[first] == 0 and code[first] == _NOTE:
        text = note[first]
        if text.startswith("## time resolution:"):
            try:
                own = float(text.partition(":")[2])
            except ValueError:
                own = 0.0
            if fs is not None and 0 < own < float("inf"):
                scale = fs / own
        elif text.startswith("## "):
            inside = text.startswith("## annotation type definitions")
        elif inside:
            words = text.split(None, 2)
            if len(words) > 1 and words[0].isdecimal() and words[0].isascii():
                symbols[int(words[0][:3])] = words[1]
        else:
            break
        first += 1
    return scale, first


def encode_annotations(marks: Annotations, leads: Sequence[str]) -> bytes:
    """The bytes of an annotation file.

    Parameters
    ----------
    marks : Annotations
        In order of time, with symbols of the MIT set (or ``"[42]"`` for a code without symbol).
    leads : sequence of str
        The record's leads, whose places become signal numbers.

    Raises
    ------
    RecordError
        A symbol or lead is unknown, a mark is out of order or a text is longer than 1023 bytes.
    """
    out = bytearray()
    numbers = {lead: number for number, lead in enumerate(leads)}
    numbered = any(lead is not None for lead in marks.lead)
    time, channel = 0, -1
    for sample, symbol, lead, note in zip(marks.sample.tolist(), marks.symbol, marks.lead, marks.note):
        code = _CODE.get(symbol)
        if code is None and symbol[:1] == "[" and symbol[1:-1].isdecimal() and 0 < int(symbol[1:-1]) < _SKIP:
            code = int(symbol[1:-1])
        step = sample - time
        if code is None or step < 0 or step >= 1 << 31:
            raise RecordError(
                f"annotation '{symbol}' at sample {sample}: expected a WFDB symbol, marks in order of time"
            )
        time = sample
        if step > 1023 or (step == 0 and code == 0):
            out += (
                bytes((0, _SKIP << 2))
                + (step >> 16).to_bytes(2, "little")
                + (step & 0xFFFF).to_bytes(2, "little")
            )
            step = 0
        out += bytes((step & 0xFF, code << 2 | step >> 8))
        wanted = 0xFF if lead is None else numbers.get(lead, -1)  # 255 = no one signal
        if wanted < 0:
            raise RecordError(f"annotation at sample {sample}: lead '{lead}' is not in the record")
        if numbered and wanted != channel:
            channel = wanted
            out += bytes((channel, _CHN << 2))
        text = note.encode()
        if len(text) > 1023:
            raise RecordError(
                f"annotation at sample {sample}: expected a text of at most 1023 bytes, got {len(text)}"
            )
        if text:
            out += bytes((len(text) & 0xFF, _AUX << 2 | len(text) >> 8)) + text + bytes(len(text) % 2)
    return bytes(out + b"\0\0")
