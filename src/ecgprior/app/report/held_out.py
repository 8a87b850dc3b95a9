"""What was tested on: counted from the fold file and the labels, not from what a result says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...corpus.shards import Corpus
from ...evaluation.folds import Folds
from ...evaluation.tasks import Task, patients_of


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The test records of all computed folds.

    Attributes
    ----------
    n_records, n_patients : int
        Of all tasks together; a record without a known patient counts as its own.
    records : mapping of str to int
        Task → test records that are labelled in it.
    labels : mapping of str to (mapping of str to (int, int))
        Task → label → (test records with it, test records labelled).
    """

    n_records: int
    n_patients: int
    records: Mapping[str, int]
    labels: Mapping[str, Mapping[str, tuple[int, int]]]


def held_out(result: Path, recipe: Mapping[str, Any], corpus: Corpus) -> HeldOut:
    """Count the test part of a result folder.

    Raises
    ------
    CorpusError
        Records of the fold file are not in the corpus.
    """
    split = recipe["split"]
    n = split["folds"] if split["kind"] == "cv" else 1
    folds = Folds.load(result / "folds.csv", n, {})
    tested = [r for k in (split["only"] or range(n)) for r in folds.parts(k)["test"]]
    rows = np.array(corpus.rows(tested), dtype=np.int64)
    patients, inside = patients_of(corpus.index), np.zeros(len(rows), dtype=bool)
    records, labels = {}, {}
    for values in recipe["tasks"]:
        task = Task.check(values)
        names, y = task.matrix(corpus.index)
        y = y[rows]
        known = ~np.isnan(y)
        inside |= known.any(axis=1)
        records[task.name] = int(known.any(axis=1).sum())
        counts = zip(names, np.nansum(y, axis=0), known.sum(axis=0))
        labels[task.name] = {name: (int(positives), int(labelled)) for name, positives, labelled in counts}
    return HeldOut(int(inside.sum()), len(np.unique(patients[rows[inside]])), records, labels)
