"""Tables of what has no score a record: the probe with fewer labels, and retrieval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from .bootstrap import interval
from .cells import CellName
from .contrasts import ALL
from .metrics import Array, column_mean

if TYPE_CHECKING:
    from .arms import Setting

EFFICIENCY: dict[str, Any] = {"arm": pl.String, "fraction": pl.Float64, "scope": pl.String} | {
    "auroc": pl.Float64, "low": pl.Float64, "high": pl.Float64, "draws": pl.Int64, "seeds": pl.Int64,
}  # fmt: skip
RETRIEVAL: dict[str, Any] = {
    "arm": pl.String, "seeds": pl.Int64, "precision": pl.Float64, "chance": pl.Float64, "r2_median": pl.Float64,
}  # fmt: skip

Cells = Mapping[CellName, dict[str, Any]]


def scopes_of(tasks: Mapping[str, Array], also_without: Iterable[str]) -> dict[str, Array]:
    """Each task's values, and of several tasks the mean over them and the mean without some task."""
    scopes = dict(tasks)
    if len(tasks) > 1:
        scopes[ALL] = np.mean(list(tasks.values()), axis=0)
        for absent in also_without:
            scopes[f"without {absent}"] = np.mean([v for t, v in tasks.items() if t != absent], axis=0)
    return scopes


def efficiency(setting: Setting, cells: Cells, whole: Mapping[str, Sequence[int]]) -> pl.DataFrame:
    """The probe by share of the training labels, 1 = all of them.

    AUROC of every draw and seed is averaged over folds for each label, then over labels, then over tasks; ``auroc`` is the
    mean over draws and seeds, ``low`` and ``high`` their percentiles: the luck in labels and training, not in the test
    patients.

    Parameters
    ----------
    setting : Setting
    cells : mapping of CellName to cell
    whole : mapping of str to sequence of int
        Arm → seeds of which all folds are there.

    Returns
    -------
    polars.DataFrame
        arm, fraction, scope, auroc, low, high, draws, seeds; no rows for an arm that was not read out so.
    """
    recipe, rows = setting.recipe, []
    for arm, seeds in whole.items():
        own = [[cells[CellName(arm, s, f)]["tasks"] for f in recipe.split.tests] for s in seeds]
        names = {f"probe@{share:g}": share for share in sorted(recipe.fractions)} | {"probe": 1.0}
        found = {share: _areas(own, name) for name, share in names.items()}
        if recipe.fractions and all(found.values()):
            for share, tasks in found.items():
                for scope, values in scopes_of(tasks, recipe.also_without).items():
                    spread = interval(float(values.mean()), values.ravel(), recipe.level)
                    row = (arm, share, scope, spread.value, spread.low, spread.high)
                    rows.append((*row, values.shape[1], len(seeds)))
    return pl.DataFrame(rows, schema=EFFICIENCY, orient="row")


def _areas(own: Sequence[Sequence[Mapping[str, Any]]], readout: str) -> dict[str, Array]:
    """Task → AUROC of every seed and draw, (S, draws); empty when a cell lacks the readout."""
    tasks = {}
    for task in own[0][0]:
        read = [[fold[task]["readouts"].get(readout) for fold in folds] for folds in own]
        if any(one is None for folds in read for one in folds):
            return {}
        areas = [[one["draws"] if "draws" in one else [one["auroc"]] for one in folds] for folds in read]
        by_fold = np.array(areas, dtype=np.float64)  # (S, folds, draws, C)
        tasks[task] = column_mean(np.moveaxis(column_mean(np.moveaxis(by_fold, 1, 0)), -1, 0))
    return tasks


def retrieval(setting: Setting, cells: Cells, whole: Mapping[str, Sequence[int]]) -> pl.DataFrame:
    """Means over folds and seeds of what a cell says of retrieval: arm, seeds, precision, chance, r2_median."""
    rows = []
    for arm, seeds in whole.items():
        own = [cells[CellName(arm, s, f)].get("retrieval") for s in seeds for f in setting.recipe.split.tests]
        told = [
            [one[name] for name in ("precision", "chance", "r2_median")] for one in own if one is not None
        ]
        if len(told) == len(own):
            means = [None if np.isnan(v) else float(v) for v in column_mean(np.array(told, dtype=np.float64))]
            rows.append((arm, len(seeds), *means))
    return pl.DataFrame(rows, schema=RETRIEVAL, orient="row")
