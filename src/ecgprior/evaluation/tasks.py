"""A task: which question is asked of which records."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import model_validator

from ..corpus.labels import label_matrix
from ..errors import CorpusError, RecipeError
from ..recipe import Part


class Task(Part):
    """A multi-label question: a vocabulary's labels, or groups of its codes, on some sources' records.

    Attributes
    ----------
    name : str
    vocabulary : str
        The catalog's column ``labels.<vocabulary>``.
    sources : tuple of str
        Only their records take part; empty = every record labelled in the vocabulary.
    labels : tuple of str
        Codes, each a label of its own; empty (and no groups) = every code that occurs.
    groups : dict of str to tuple of str
        Label name → codes: present when any of them is. A code also counts whenever a code below it in the
        vocabulary does, so most groups are one code (LUDB's ``BLOCK``).
    leave_out : tuple of str
        A record with any of these codes takes no part (the undecided).
    min_positives : int
        A label with fewer positive records, or fewer negative ones, is dropped; the result lists it.

    Examples
    --------
    >>> index = pl.DataFrame({"record": ["a", "b", "c"], "source": ["s"] * 3,
    ...                       "labels.v": [["x", "y"], [], None]})
    >>> names, y = Task(name="t", vocabulary="v", groups={"any": ("x", "z")}, min_positives=1).matrix(index)
    >>> names, y[:, 0].tolist()
    (('any',), [1.0, 0.0, nan])
    """

    name: str
    vocabulary: str
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = {}
    leave_out: tuple[str, ...] = ()
    min_positives: int = 8

    @model_validator(mode="after")
    def _one_way(self) -> Task:
        if self.labels and self.groups:
            raise ValueError(f"task '{self.name}' has labels and groups: expected one of them")
        return self

    def matrix(self, index: pl.DataFrame) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Label names and float32 (N, C) in the order of `index`: 0, 1, or NaN = takes no part.

        Raises
        ------
        ColumnMissing
            No record of the catalog is labelled in the vocabulary.
        UnknownName
            A code is not in the vocabulary.
        CorpusError
            None of the task's sources is in the corpus, none of its records is labelled, or every label has
            too few records of one class.
        """
        names, y = self._everything(index)
        enough = self._enough(y)
        if not enough.any():
            found = ", ".join(f"{n}: {int(np.nansum(y[:, c]))}" for c, n in enumerate(names)) or "none occurs"
            n = int((~np.isnan(y)).any(axis=1).sum())
            raise CorpusError(
                f"task '{self.name}': every label has one class only or too few records: expected at least "
                f"{self.min_positives} positive and as many negative of {n} labelled, got positives {found}"
            )
        return tuple(n for n, ok in zip(names, enough, strict=True) if ok), y[:, enough]

    def dropped(self, index: pl.DataFrame) -> dict[str, int]:
        """Labels that :meth:`matrix` drops, with their number of positive records."""
        names, y = self._everything(index)
        return {n: int(np.nansum(y[:, c])) for c, n in enumerate(names) if not self._enough(y)[c]}

    def _enough(self, y: NDArray[np.float32]) -> NDArray[np.bool_]:
        least = max(self.min_positives, 1)
        return ((y == 1).sum(axis=0) >= least) & ((y == 0).sum(axis=0) >= least)

    def _everything(self, index: pl.DataFrame) -> tuple[list[str], NDArray[np.float32]]:
        members = [code for codes in self.groups.values() for code in codes] or list(self.labels)
        codes = members or codes_in_use(index, self.vocabulary)
        y = label_matrix(index, self.vocabulary, codes)
        taken = self._taken(index)
        if not (taken & ~np.isnan(y).all(axis=1)).any():
            raise CorpusError(
                f"task '{self.name}': no record of its sources is labelled in '{self.vocabulary}'"
            )
        y[~taken] = np.nan
        if not self.groups:
            return codes, y
        ends = np.cumsum([len(codes) for codes in self.groups.values()])
        parts = np.split(y, ends[:-1], axis=1)
        return list(self.groups), np.stack([part.max(axis=1) for part in parts], axis=1)

    def _taken(self, index: pl.DataFrame) -> NDArray[np.bool_]:
        """Which records are of the task's sources and not left out: bool (N,)."""
        taken = np.ones(index.height, dtype=bool)
        if self.sources:
            present = index["source"].unique().to_list()
            if not set(self.sources) & set(present):
                raise CorpusError(
                    f"task '{self.name}': none of its sources {', '.join(self.sources)} is in the corpus: "
                    f"it holds {', '.join(sorted(present))}"
                )
            taken &= index["source"].is_in(list(self.sources)).to_numpy()
        if self.leave_out:
            taken &= ~np.nan_to_num(label_matrix(index, self.vocabulary, self.leave_out)).any(axis=1)
        return taken


def codes_in_use(index: pl.DataFrame, vocabulary: str) -> list[str]:
    """The codes that occur in a catalog's vocabulary, sorted; empty when it has no such column."""
    column = f"labels.{vocabulary}"
    return sorted(index[column].explode().drop_nulls().unique()) if column in index.columns else []


def check_names(tasks: tuple[Task, ...]) -> None:
    """Refuse two tasks of one name.

    Raises
    ------
    RecipeError
    """
    seen: set[str] = set()
    for task in tasks:
        if task.name in seen:
            raise RecipeError(f"recipe key 'tasks': expected each name once, got '{task.name}' twice")
        seen.add(task.name)


def patients_of(index: pl.DataFrame) -> NDArray[np.str_]:
    """The patient of every row, (N,); a record without a known one is its own patient."""
    alone = pl.concat_str(pl.lit("record:"), pl.col("record"))
    return index.select(pl.coalesce(pl.col("patient"), alone).alias("p"))["p"].to_numpy().astype(str)
