"""The fold file of a benchmark: which record lies where, and what it was when the benchmark ran.

``folds.csv`` has one row for every record of the tasks' sources: ``record``, ``source``, ``fold`` (its number,
or ``train`` / ``validation`` / ``test``), and short digests of its stored signal and of its labels. So a
changed sample, label or fold can be named later, and the file holds no label and no patient.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import CorpusError, nearest
from ..provenance import atomic_open, digest_pairs, sha256
from .plan import BenchmarkRecipe
from .tasks import Task

PARTS = ("train", "validation", "test")
_COLUMNS = ("record", "source", "fold", "signal", "labels")


@dataclass(frozen=True)
class Folds:
    """Records and the fold each lies in.

    Attributes
    ----------
    table : polars.DataFrame
        Columns record, source, fold, signal, labels: texts, sorted by record.
    n : int
        Number of folds; 1 = one split into parts.
    facts : dict
        What each source's split says of itself: kind, stratified labels, records without a patient.
    """

    table: pl.DataFrame
    n: int
    facts: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the (record, fold) pairs."""
        return digest_pairs(zip(self.table["record"], self.table["fold"], strict=True))

    @property
    def label_digest(self) -> str:
        """SHA-256 of the (record, digest of its labels) pairs."""
        return digest_pairs(zip(self.table["record"], self.table["labels"], strict=True))

    def parts(self, test: int) -> dict[str, list[str]]:
        """Records of the train, validation and test part when fold `test` is the test fold."""
        if self.n == 1:
            return {part: self._of([part]) for part in PARTS}
        validation = (test + 1) % self.n
        rest = [str(k) for k in range(self.n) if k not in (test, validation)]
        return {
            "train": self._of(rest),
            "validation": self._of([str(validation)]),
            "test": self._of([str(test)]),
        }

    def _of(self, folds: Iterable[str]) -> list[str]:
        return self.table.filter(pl.col("fold").is_in(list(folds)))["record"].to_list()

    def save(self, path: Path) -> None:
        with atomic_open(path) as file:
            file.write(self.table.write_csv())

    @classmethod
    def load(cls, path: Path, n: int, facts: dict[str, Any]) -> Folds:
        """Read a fold file.

        Raises
        ------
        CorpusError
            Columns or folds are not as expected.
        """
        table = pl.read_csv(path, infer_schema=False)
        if tuple(table.columns) != _COLUMNS:
            raise CorpusError(
                f"{path.name}: expected columns {', '.join(_COLUMNS)}, got {', '.join(table.columns)}"
            )
        known = PARTS if n == 1 else tuple(str(k) for k in range(n))
        if strange := sorted(set(table["fold"].fill_null("")) - set(known)):
            raise CorpusError(f"{path.name}: expected folds {', '.join(known)}, got '{strange[0]}'")
        if table["record"].n_unique() != table.height:
            raise CorpusError(f"{path.name}: expected every record once")
        return cls(table.sort("record"), n, facts)


def make_folds(recipe: BenchmarkRecipe, index: pl.DataFrame) -> Folds:
    """Split every source of the tasks by itself, stratified by the labels of the first task that asks it.

    Raises
    ------
    CorpusError
        A source cannot be split (a published test fold that is empty here, too few patients).
    """
    from ..corpus.splits import split

    tables, facts = [], {}
    for source, task in sources_of(recipe.tasks, index).items():
        rows = index.filter(pl.col("source") == source)
        cv = recipe.split.folds if recipe.split.kind == "cv" else None
        found = split(rows, cv=cv, labels=task.vocabulary, seed=recipe.split.seed)
        said = ("how", "seed", "labels", "n_records", "n_patients", "n_without_patient", "parts", "digest")
        facts[source] = {key: found.manifest[key] for key in said}
        tables.append(
            _part_table(found) if cv is None else found.fold.with_columns(pl.col("fold").cast(pl.String))
        )
    table = pl.concat([table.select("record", "fold") for table in tables])
    vocabularies = sorted({task.vocabulary for task in recipe.tasks})
    marks = record_digests(index, vocabularies)
    table = table.join(marks, on="record").select(_COLUMNS).sort("record")
    return Folds(table, recipe.split.folds if recipe.split.kind == "cv" else 1, facts)


def _part_table(found: Any) -> pl.DataFrame:
    parts = found.parts()
    if empty := [part for part in PARTS if not parts.get(part)]:
        raise CorpusError(f'the {empty[0]} part of the {found.kind} split is empty: take split.kind = "cv"')
    pairs = [(record, part) for part in PARTS for record in parts[part]]
    return pl.DataFrame(pairs, schema={"record": pl.String, "fold": pl.String}, orient="row")


def sources_of(tasks: Iterable[Task], index: pl.DataFrame) -> dict[str, Task]:
    """Every source in the corpus that a task asks, with the first task that does."""
    found: dict[str, Task] = {}
    for task in tasks:
        column = f"labels.{task.vocabulary}"
        labelled = index.filter(pl.col(column).is_not_null()) if column in index.columns else index.clear()
        for source in task.sources or tuple(sorted(labelled["source"].unique())):
            if source not in found and (index["source"] == source).any():
                found[source] = task
    return found


def record_digests(index: pl.DataFrame, vocabularies: Iterable[str]) -> pl.DataFrame:
    """Record, source, and twelve digits of the SHA-256 of its signal as stored and of its labels."""
    columns = [c for v in vocabularies if (c := f"labels.{v}") in index.columns]
    signal, labels = [], []
    for row in index.select("sha256", "scale", *columns).iter_rows(named=True):
        signal.append(sha256(json.dumps([row["sha256"], row["scale"]]))[:12])
        codes = {c: None if row[c] is None else sorted(row[c]) for c in columns}
        labels.append(sha256(json.dumps({c: v for c, v in codes.items() if v is not None}))[:12])
    return index.select("record", "source").with_columns(
        pl.Series("signal", signal), pl.Series("labels", labels)
    )


def changed_records(folds: Folds, index: pl.DataFrame, vocabularies: Iterable[str]) -> dict[str, list[str]]:
    """Records whose ``"signal"`` or ``"labels"`` are not those of the fold file, that are ``"missing"`` from the
    corpus, or ``"new"`` in it."""
    now = record_digests(index, sorted(vocabularies)).filter(
        pl.col("source").is_in(folds.table["source"].unique().to_list())
    )
    both = folds.table.join(now, on="record", how="full", suffix="_now", coalesce=True).sort("record")
    there, before = pl.col("source_now").is_not_null(), pl.col("source").is_not_null()
    conditions = {
        "signal": there & before & (pl.col("signal") != pl.col("signal_now")),
        "labels": there & before & (pl.col("labels") != pl.col("labels_now")),
        "missing": ~there,
        "new": ~before,
    }
    return {name: both.filter(condition)["record"].to_list() for name, condition in conditions.items()}


def check_folds(folds: Folds, index: pl.DataFrame, vocabularies: Iterable[str]) -> list[str]:
    """Compare a fold file with the corpus before going on; returns notes on what differs without harm.

    Raises
    ------
    CorpusError
        Records are missing from the corpus, or their labels are others.
    """
    found = changed_records(folds, index, vocabularies)
    if found["missing"]:
        name = found["missing"][0]
        raise CorpusError(
            f"folds.csv: {len(found['missing'])} of its records are not in the corpus, the first is '{name}': prepare "
            f"the same sources, or take another result folder.{nearest(name, index['record'])}"
        )
    if found["labels"]:
        raise CorpusError(
            f"folds.csv: {len(found['labels'])} records have other labels than when the benchmark began, the first is "
            f"'{found['labels'][0]}': take another result folder"
        )
    notes = []
    if found["signal"]:
        first = found["signal"][0]
        notes.append(
            f"{len(found['signal'])} records have another signal than when the benchmark began, the first is '{first}'"
        )
    if found["new"]:
        notes.append(f"{len(found['new'])} records of the corpus are not in folds.csv and take no part")
    return notes
