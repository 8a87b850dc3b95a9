"""Label vocabularies: what a code means, what else it is called, and what it counts towards.

A vocabulary is a table ``corpus/vocabularies/<name>.csv`` with the columns ``code, name, synonyms, parent``.
Synonyms and parents are lists separated by ``;``. A parent that is a code of the same table counts as present
whenever its child is (LUDB's ``BLOCK`` and ``ISCSCAR``); a parent of another table (``ptbxl_subclass:IMI``) only says
where a code belongs, because the same letters may mean different things on two levels.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import ColumnMissing, CorpusError, UnknownName, nearest, unknown_name
from .catalog import LABELS, vocabularies

_COLUMNS = ("code", "name", "synonyms", "parent")


@dataclass(frozen=True)
class Vocabulary:
    """The codes of one label table, in its order.

    Attributes
    ----------
    name : str
    codes : tuple of str, (C,)
    names : tuple of str, (C,)
        What each code means, in words.
    parents : tuple of tuple of str, (C,)
        What each counts towards or belongs to; ``table:code`` for a parent of another table.
    synonyms : tuple of tuple of str, (C,)
        Other codes and spellings of the same.
    """

    name: str
    codes: tuple[str, ...]
    names: tuple[str, ...]
    parents: tuple[tuple[str, ...], ...]
    synonyms: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def _spellings(self) -> dict[str, str]:
        spellings: dict[str, str] = {}
        for code, name, synonyms in zip(self.codes, self.names, self.synonyms):
            for text in (name, *synonyms):
                spellings.setdefault(text.casefold(), code)
        return spellings

    def find(self, text: str) -> str | None:
        """The code for a code, a name or a synonym (names and synonyms in any case); None if there is none.

        >>> vocabulary("cinc2021").find("59118001"), vocabulary("cinc2021").find("AF")
        ('713427006', '164889003')
        """
        text = text.strip()
        return text if text in self.codes else self._spellings.get(text.casefold())

    def expect(self, text: str) -> str:
        """The code for a code, a name or a synonym.

        Raises
        ------
        UnknownName
            Nothing in the vocabulary is called that.
        """
        if (code := self.find(text)) is None:
            if len(self) > 12:
                hint = nearest(text, [*self.codes, *self._spellings])
                raise UnknownName(
                    f"label '{text}' is not among the {len(self)} of vocabulary '{self.name}'.{hint}"
                )
            raise unknown_name(f"label of vocabulary '{self.name}',", text, self.codes)
        return code

    @cached_property
    def ancestors(self) -> dict[str, frozenset[str]]:
        """Code → itself and everything in this table that it counts towards."""
        direct = {code: [p for p in up if p in self.codes] for code, up in zip(self.codes, self.parents)}

        def climb(code: str) -> frozenset[str]:
            return frozenset({code}).union(*(climb(parent) for parent in direct[code]))

        return {code: climb(code) for code in self.codes}


def vocabulary_names() -> list[str]:
    """Every vocabulary in the package."""
    folder = resources.files(__package__).joinpath("vocabularies")
    return sorted(e.name.removesuffix(".csv") for e in folder.iterdir() if e.name.endswith(".csv"))


@lru_cache
def vocabulary(name: str) -> Vocabulary:
    """The vocabulary called `name`.

    Raises
    ------
    UnknownName
        There is no such table.
    CorpusError
        The table breaks its rules (a mistake in the package).
    """
    if name not in (known := vocabulary_names()):
        raise unknown_name("vocabulary", name, known)
    text = resources.files(__package__).joinpath("vocabularies", f"{name}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or tuple(rows[0]) != _COLUMNS:
        raise CorpusError(
            f"vocabulary '{name}': expected the columns {', '.join(_COLUMNS)} and at least one row."
        )
    codes = tuple(row["code"] for row in rows)
    if len(set(codes)) != len(codes):
        raise CorpusError(f"vocabulary '{name}': expected every code once.")
    split = lambda text: tuple(part.strip() for part in text.split(";") if part.strip())  # noqa: E731
    return Vocabulary(
        name,
        codes,
        tuple(row["name"] for row in rows),
        tuple(split(row["parent"]) for row in rows),
        tuple(split(row["synonyms"]) for row in rows),
    )


def vocabulary_of(catalog: pl.DataFrame, name: str) -> Vocabulary:
    """The vocabulary in which records of a catalog are labelled: the package's or, of one's own, the codes that occur.

    Parameters
    ----------
    catalog : DataFrame
        With the column ``labels.<name>``: a list of codes a record, null = not labelled.
    name : str
        A table of ``corpus/vocabularies``; of any other (a table of one's own) the codes are sorted, each is its own
        name, and none has parents or synonyms.

    Raises
    ------
    ColumnMissing
        No record of the catalog is labelled in it; those that are in use are named.
    """
    column, used = LABELS + name, vocabularies(catalog)
    if name not in used:
        have = ", ".join(used) or "none: this catalog has no labels"
        raise ColumnMissing(
            f"labels '{name}': expected a vocabulary in which records are labelled, got one in which none "
            f"is; in this catalog: {have}.{nearest(name, used)}"
        )
    if name in vocabulary_names():
        return vocabulary(name)
    codes = tuple(sorted(set(catalog[column].explode().drop_nulls())))
    nothing: tuple[tuple[str, ...], ...] = ((),) * len(codes)
    return Vocabulary(name, codes, codes, nothing, nothing)


def label_matrix(
    catalog: pl.DataFrame, vocabulary_name: str, codes: Sequence[str] | None = None
) -> NDArray[np.float32]:
    """Which label each record has.

    Parameters
    ----------
    catalog : DataFrame
        With the column ``labels.<vocabulary_name>``: a list of codes a record, null = not labelled.
    vocabulary_name : str
        A table of ``corpus/vocabularies``; of a vocabulary that is not there (a table of one's own) `codes` are
        taken as they are, without parents.
    codes : sequence of str, optional
        Which labels, in this order (a code, a name or a synonym); default every code of the vocabulary.

    Returns
    -------
    ndarray, float32, (record, class)
        1 present, 0 absent, NaN = the record is not labelled in this vocabulary. A code counts towards its parents
        in the same table.

    Raises
    ------
    ColumnMissing
        No record of the catalog is labelled in the vocabulary; those that are in use are named.
    UnknownName
        One of `codes` is not in the vocabulary.
    """
    table = vocabulary_of(catalog, vocabulary_name)
    own = vocabulary_name not in vocabulary_names()
    wanted = table.codes if codes is None else tuple(code if own else table.expect(code) for code in codes)
    place = {code: index for index, code in enumerate(wanted)}
    columns = {code: [place[up] for up in ups if up in place] for code, ups in table.ancestors.items()}
    matrix = np.zeros((catalog.height, len(wanted)), np.float32)
    for row, present in enumerate(catalog[LABELS + vocabulary_name].to_list()):
        if present is None:
            matrix[row] = np.nan
        else:
            matrix[row, [index for code in present for index in columns.get(code, ())]] = 1
    return matrix
