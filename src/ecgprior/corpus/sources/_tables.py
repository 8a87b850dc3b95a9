"""What sources share: tables as rows of text, numbers and sexes as publishers write them, WFDB headers' comments."""

from __future__ import annotations

import csv
import gzip
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import ColumnMissing, CorpusError, nearest

_SEXES = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}


def table_path(folder: Path, name: str) -> Path | None:
    """The table `name` in a folder, plain or compressed (``.gz``); None when it is not there."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def read_table(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file as text, in order; a missing cell is an empty text.

    Parameters
    ----------
    path : Path
        UTF-8 with or without a byte-order mark; ``.gz`` is unpacked. Cells may hold line breaks.
    columns : sequence of str
        The ones that must be there.

    Raises
    ------
    ColumnMissing
        One of `columns` is not in the file.
    CorpusError
        The file is not a table of text.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            have = reader.fieldnames or []
            for column in columns:
                if column not in have:
                    raise ColumnMissing(
                        f"table '{path.name}': expected a column '{column}', "
                        f"got {', '.join(have) or 'an empty file'}.{nearest(column, have)}"
                    )
            for row in reader:
                yield {key: value or "" for key, value in row.items() if key is not None}
    except (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile) as error:
        raise CorpusError(f"table '{path.name}': expected CSV in UTF-8, got {error}") from None


def number(text: str | None) -> float | None:
    """A finite number, or None (``""``, ``"NaN"``, ``"Unknown"``).

    >>> number(" 64\\n"), number("NaN"), number("")
    (64.0, None, None)
    """
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def age(text: str | None) -> float | None:
    """An age in years, or None for what is no age of a person: below 0 or above 120.

    PTB-XL writes 300 for everybody above 89 (its documentation): that is a bound, not an age, so None.

    >>> age("57.0"), age("300"), age("-1"), age("NaN")
    (57.0, None, None, None)
    """
    years = number(text)
    return years if years is not None and 0 <= years <= 120 else None


def sex(text: str | None) -> str | None:
    """``"female"``, ``"male"`` or None.

    >>> sex("M\\n"), sex("Female"), sex("Unknown")
    ('male', 'female', None)
    """
    return _SEXES.get((text or "").strip().casefold())


def whole(text: str | None) -> str | None:
    """An id that a table may hold as a float (``"15709.0"``), as the text of a whole number; None when absent.

    >>> whole("15709.0"), whole("A12"), whole("")
    ('15709', 'A12', None)
    """
    text = (text or "").strip()
    if re.fullmatch(r"\d+\.0*", text):
        text = text.split(".")[0]
    return text if text and text.casefold() != "nan" else None


def yes(text: str | None) -> bool:
    """Whether a flag is set: ``True``, ``1``, ``1.0``, ``yes``, in any case."""
    return (text or "").strip().casefold() in {"true", "1", "1.0", "yes"}


def in_order(text: str) -> tuple[object, ...]:
    """A sorting key that puts 9 before 10.

    >>> sorted(["data/10", "data/9"], key=in_order)
    ['data/9', 'data/10']
    """
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text))


def headers(root: Path) -> list[Path]:
    """Every WFDB header below a folder, in natural order."""
    return sorted(root.rglob("*.hea"), key=lambda path: in_order(path.relative_to(root).as_posix()))


def comments(path: Path) -> tuple[str, ...]:
    """The comment lines of a WFDB header, without their ``#``; bytes that are not UTF-8 are read as Latin-1."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return tuple(line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#"))


def fields(lines: Sequence[str]) -> Mapping[str, str]:
    """``key: value`` comments as a mapping with lower-case keys; the first of a key counts.

    >>> dict(fields(["Age:74", "Dx: RBBB", "no field"]))
    {'age': '74', 'dx': 'RBBB'}
    """
    found: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip().strip("<>").casefold(), value.strip())
    return found
