"""What a source is: one publisher's folder, its records as catalog rows, and each record as it should have been.

A source is one file of this folder with one class that derives :class:`Source`. Its ``rows`` read tables and headers
only, never signals; its ``load`` is the one way by which preparing, training and benchmarks read a recording, so what
a publisher got wrong is put right there and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from ...errors import CorpusError, FormatBroken, where
from ...record.record import Record


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One recording as its publisher describes it.

    Attributes
    ----------
    record : str
        Name, unique within the source.
    source : str
        Name of the source.
    path : str
        Below the source's folder, POSIX; ``file.hdf5#12`` is row 12 of an HDF5 file.
    patient : str or None
        The publisher's patient id; None = unknown.
    age : float or None
        Years.
    sex : str or None
        ``"female"`` or ``"male"``.
    labels : mapping of str to tuple of str
        Vocabulary → codes. A vocabulary that is absent: not labelled in it; an empty tuple: none applies.
    fold : int or None
        The publisher's recommended fold.
    """

    record: str
    source: str
    path: str
    patient: str | None
    age: float | None
    sex: str | None
    labels: Mapping[str, tuple[str, ...]]
    fold: int | None = None


@dataclass(frozen=True)
class PublishedFolds:
    """How the publisher (or the field) uses the recommended folds.

    Attributes
    ----------
    train, validation, test : tuple of int
        Values of the catalog's ``fold``.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


class Source(ABC):
    """One publisher's folder.

    Parameters
    ----------
    root : Path or str
        The folder as it was unpacked.

    Attributes
    ----------
    title, licence, url : str
        What it is, its licence, and where to get it.
    layout : str
        The files that are expected below `root`, one a line.
    vocabularies : tuple of str
        Label vocabularies that its rows use; each is a table of ``corpus/vocabularies``.
    folds : PublishedFolds or None
        The publisher's parts, when the rows carry recommended folds.
    tested : {"real", "layout"}
        Whether it was tested on real files, or only on miniatures after the publisher's documentation.
    priority : int
        Among duplicates of several sources the record of the lowest one is kept.
    people : str or None
        The source whose patient ids these are, where two sources share them; None = its own.
    sums : str or None
        The address of the publisher's ``SHA256SUMS.txt``, when the set may be downloaded by anybody.
    attribution : str
        The sentence that whoever passes on something made from it should pass on too; empty = title and address do.
    within : str
        What the paths of this source begin with, in a set of several.
    """

    title: ClassVar[str]
    licence: ClassVar[str]
    url: ClassVar[str]
    layout: ClassVar[str]
    vocabularies: ClassVar[tuple[str, ...]] = ()
    folds: ClassVar[PublishedFolds | None] = None
    tested: ClassVar[Literal["real", "layout"]] = "real"
    priority: ClassVar[int] = 50
    sums: ClassVar[str | None] = None
    attribution: ClassVar[str] = ""
    within: ClassVar[str] = ""
    people: ClassVar[str | None] = None

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    @property
    def name(self) -> str:
        """The stem of the file that defines the source."""
        return type(self).__module__.rsplit(".", 1)[-1]

    @abstractmethod
    def found(self) -> bool:
        """Whether `root` looks like this source; cheap, and False for a folder that is not there."""

    @abstractmethod
    def rows(self) -> Iterator[CatalogRow]:
        """One row a recording that is on disk, in the publisher's order."""

    @abstractmethod
    def read(self, path: Path) -> Record:
        """One recording from its file, with the publisher's mistakes put right."""

    def load(self, row_path: str) -> Record:
        """The recording of a catalog row, with the publisher's mistakes put right.

        Parameters
        ----------
        row_path : str
            The row's ``path``: relative to `root`, POSIX.

        Raises
        ------
        ReadError
            The file is missing or broken, or the path leads out of `root`; the error names source and path.
        """
        with where(f"{self.name} record '{row_path}'"):
            pure = PurePosixPath(row_path)
            if pure.is_absolute() or ".." in pure.parts or "\\" in row_path:
                raise FormatBroken(
                    f"path '{row_path}' leads out of the source's folder: expected one below it"
                )
            return self.read(self.root / row_path)

    def require(self) -> None:
        """Refuse a folder that does not look like this source.

        Raises
        ------
        CorpusError
            Names the expected layout.
        """
        if not self.root.is_dir():
            raise CorpusError(
                f"source '{self.name}': expected a folder, got '{self.root}', which is not one."
            )
        if not self.found():
            seen = sorted(entry.name for entry in self.root.iterdir())
            listed = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "an empty folder"
            expected = "; ".join(line.strip() for line in self.layout.strip().splitlines())
            raise CorpusError(f"source '{self.name}': expected {expected} – got {listed} in '{self.root}'.")

    def __getstate__(self) -> dict[str, Any]:
        """Without what is computed once on demand: every process reads its own table."""
        computed = {
            name
            for kind in type(self).__mro__
            for name, v in vars(kind).items()
            if isinstance(v, cached_property)
        }
        return {name: value for name, value in vars(self).items() if name not in computed}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"
