"""Any folder and a table: one's own recordings as a source.

``records.csv`` (or the only CSV file of the folder that has a column ``path``) holds one row a recording:

============== ====================================================================================================
``path``       required: the file below the folder (a WFDB record by its stem or header, HDF5, MAT, CSV, NPY, …)
``record``     its name; default the path
``patient``    the person; recordings of one person must share it, or a split may leak
``age``        years
``sex``        female or male, f or m
``fold``       a recommended part, a whole number
``labels``     codes separated by ``;``: they become the vocabulary ``folder``
``labels.X``   codes of vocabulary X (``labels.cinc2021``); an empty cell = not labelled, ``-`` = none applies
``fs``         Hz, for files that do not say it
``leads``      names separated by ``;`` or blanks, in the file's order
``unit``       mV, uV or V
============== ====================================================================================================

Without a table every file that a reader knows is listed, without labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from ...errors import CorpusError
from ...record.read import read
from ...record.record import Record
from ..catalog import LABELS
from ..labels import vocabulary, vocabulary_names
from ._tables import age, in_order, number, read_table, sex, whole
from .base import CatalogRow, Source

_KINDS = (".hea", ".h5", ".hdf5", ".mat", ".csv", ".npy", ".edf", ".dcm", ".xml", ".scp")


class Folder(Source):
    """A folder of recordings, with a table or without."""

    title = "A folder of one's own recordings, with a table"
    licence = "one's own"
    url = ""
    layout = "records.csv with a column 'path' (and patient, age, sex, fold, labels, fs, leads, unit), or recordings only"
    vocabularies = ("folder",)
    priority = 60

    def found(self) -> bool:
        if not self.root.is_dir():
            return False
        return self.table is not None or any(
            p.suffix.lower() in _KINDS for p in self.root.rglob("*") if p.is_file()
        )

    @cached_property
    def table(self) -> Path | None:
        """The table: ``records.csv``, else the only CSV file with a column ``path``."""
        if (named := self.root / "records.csv").is_file():
            return named
        tables = [path for path in sorted(self.root.glob("*.csv")) if "path" in _columns(path)]
        if len(tables) > 1:
            listed = ", ".join(path.name for path in tables)
            raise CorpusError(f"folder '{self.root}': expected one table with a column 'path', got {listed}.")
        return tables[0] if tables else None

    @cached_property
    def options(self) -> dict[str, dict[str, str]]:
        """Row of the table by path."""
        return {row["path"]: row for row in read_table(self.table, ("path",))} if self.table else {}

    def rows(self) -> Iterator[CatalogRow]:
        if self.table is None:
            for path in self._files():
                yield CatalogRow(path, self.name, path, None, None, None, {})
            return
        for row in read_table(self.table, ("path",)):
            fold = number(row.get("fold"))
            yield CatalogRow(
                record=row.get("record") or row["path"],
                source=self.name,
                path=row["path"],
                patient=whole(row.get("patient")),
                age=age(row.get("age")),
                sex=sex(row.get("sex")),
                labels=labels_of(row),
                fold=None if fold is None else int(fold),
            )

    def read(self, path: Path) -> Record:
        row = self.options.get(path.relative_to(self.root).as_posix(), {})
        leads = row.get("leads", "").replace(";", " ").split()
        return read(path, fs=number(row.get("fs")), leads=leads or None, unit=row.get("unit") or None)

    def _files(self) -> list[str]:
        """Every file that looks like a recording; of a WFDB record only its header."""
        files = [path for path in self.root.rglob("*") if path.suffix.lower() in _KINDS]
        heads = {path.with_suffix("") for path in files if path.suffix == ".hea"}
        alone = [path for path in files if path.suffix == ".hea" or path.with_suffix("") not in heads]
        return sorted((path.relative_to(self.root).as_posix() for path in alone), key=in_order)


def labels_of(row: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """The label sets of a row; codes of a vocabulary of the package are brought to its spelling.

    >>> labels_of({"labels": "AF; LVH", "labels.cinc2021": "AF", "labels.brugada": "-"})
    {'folder': ('AF', 'LVH'), 'cinc2021': ('164889003',), 'brugada': ()}

    Raises
    ------
    UnknownName
        A code is not in the vocabulary that its column names.
    """
    found = {}
    for column, cell in row.items():
        if column != "labels" and not column.startswith(LABELS) or not cell.strip():
            continue
        name = column.removeprefix(LABELS) if column != "labels" else "folder"
        codes = [part.strip() for part in cell.split(";") if part.strip() not in ("", "-")]
        if name in vocabulary_names():
            codes = [vocabulary(name).expect(code) for code in codes]
        found[name] = tuple(dict.fromkeys(codes))
    return found


def _columns(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [name.strip().strip('"') for name in file.readline().split(",")]
    except (OSError, UnicodeDecodeError):
        return []
