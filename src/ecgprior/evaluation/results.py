"""Tables of a benchmark from its finished cells: means, intervals over patients and seeds, paired differences.

AUROC is taken within each test fold, then averaged over folds for each label, over labels for each task, over
seeds, and over tasks. A replicate draws, for every source, its patients with replacement, and seeds with
replacement; the same draws serve every arm, so a difference between arms is paired.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CorpusError
from .bootstrap import Interval, interval, patient_draws
from .cells import CellName
from .contrasts import contrasts
from .metrics import Array, auroc, column_mean, evaluate
from .readout_tables import efficiency, retrieval, scopes_of
from .tasks import patients_of

if TYPE_CHECKING:
    from .arms import Setting


@dataclass(frozen=True)
class Tables:
    """What a benchmark found.

    Attributes
    ----------
    summary : polars.DataFrame
        One row a system and scope: arm, readout (see :mod:`.readouts`; of those with scores), scope (a task, ``all tasks`` or ``without
        <task>``), auroc, low, high, difference, difference_low, difference_high (against the probe of the recipe's ``against``,
        over the seeds that both have; null for itself and without a seed in common), auprc, f_max, brier, ece (tasks only),
        seeds, folds, difference_seeds (how many both have; null without a difference).
    labels : polars.DataFrame
        One row a system and label: arm, readout, task, label, n, positives, auroc, low, high, auprc, f1_max,
        brier, ece, folds_left_out (test folds in which the label has one class).
    cells : polars.DataFrame
        One row a finished cell: arm, seed, fold, train_seconds, seconds, view_passes, records (what the encoder could be trained on: of the
        training part, and of the trunk's sources where the cell says so), test_seen_in_training, other_corpus.
    contrasts : polars.DataFrame
        The recipe's default arm against every other, see :func:`~ecgprior.evaluation.contrasts.contrasts`; without rows where
        the recipe has no ``primary``.
    efficiency : polars.DataFrame
        The probe with fewer labels, see :func:`~ecgprior.evaluation.readout_tables.efficiency`.
    retrieval : polars.DataFrame
        See :func:`~ecgprior.evaluation.readout_tables.retrieval`.
    """

    summary: pl.DataFrame
    labels: pl.DataFrame
    cells: pl.DataFrame
    contrasts: pl.DataFrame
    efficiency: pl.DataFrame
    retrieval: pl.DataFrame


def tables(setting: Setting, cells: Mapping[CellName, dict[str, Any]]) -> Tables:
    """Build all tables from finished cells; a system counts the seeds of which all folds are there.

    Raises
    ------
    CorpusError
        A cell's test records are not those of the fold file.
    """
    whole = _whole_seeds(setting, cells)
    draws = _Draws(setting)
    found = {
        (arm, readout): _System(
            setting, {k: v for k, v in cells.items() if k.arm == arm}, readout, seeds, draws
        )
        for arm, seeds in whole.items()
        for readout in _readouts(cells, arm)
    }
    base = found.get((setting.recipe.against, "probe"))
    summary = [row for system in found.values() for row in system.summary(base)]
    labels = [row for system in found.values() for row in system.labels()]
    return Tables(
        pl.DataFrame(summary, schema=_SUMMARY, orient="row"),
        pl.DataFrame(labels, schema=_LABELS, orient="row"),
        pl.DataFrame(
            [_cell_row(setting, n, c) for n, c in sorted(cells.items())], schema=_CELLS, orient="row"
        ),
        contrasts(setting.recipe.primary, found, setting.recipe.level),
        efficiency(setting, cells, whole),
        retrieval(setting, cells, whole),
    )


_SUMMARY = {"arm": pl.String, "readout": pl.String, "scope": pl.String} | {
    name: pl.Float64
    for name in ("auroc", "low", "high", "difference", "difference_low", "difference_high")
    + ("auprc", "f_max", "brier", "ece")
} | {"seeds": pl.Int64, "folds": pl.Int64, "difference_seeds": pl.Int64}  # fmt: skip
_LABELS = dict.fromkeys(("arm", "readout", "task", "label"), pl.String) | {
    "n": pl.Int64, "positives": pl.Int64, "auroc": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "auprc": pl.Float64, "f1_max": pl.Float64, "brier": pl.Float64, "ece": pl.Float64, "folds_left_out": pl.Int64,
}  # fmt: skip
_CELLS = {
    "arm": pl.String, "seed": pl.Int64, "fold": pl.Int64, "train_seconds": pl.Float64, "seconds": pl.Float64,
    "view_passes": pl.Int64, "records": pl.Int64, "test_seen_in_training": pl.Int64, "other_corpus": pl.Boolean,
}  # fmt: skip


def _whole_seeds(setting: Setting, cells: Iterable[CellName]) -> dict[str, list[int]]:
    have = set(cells)
    recipe = setting.recipe
    seeds = {
        arm.name: [
            s for s in recipe.seeds if all(CellName(arm.name, s, f) in have for f in recipe.split.tests)
        ]
        for arm in setting.arms
    }
    return {arm: found for arm, found in seeds.items() if found}


def _readouts(cells: Mapping[CellName, dict[str, Any]], arm: str) -> list[str]:
    """Readouts with scores that all of an arm's cells have."""
    found = [task["readouts"] for n, cell in cells.items() if n.arm == arm for task in cell["tasks"].values()]
    kinds = [
        kind for kind, values in found[0].items() if "scores" in values and all(kind in one for one in found)
    ]
    first = [kind for kind in ("head", "probe", "trees") if kind in kinds]
    return first + [kind for kind in kinds if kind not in first]


def _cell_row(setting: Setting, name: CellName, cell: dict[str, Any]) -> tuple[Any, ...]:
    seconds = cell["seconds"]
    other = cell["corpus"] != setting.corpus.digest
    total = round(sum(seconds.values()), 2)
    seen, parts = cell["test_seen_in_training"], cell.get("records", {})
    whole = "trunk" in parts and setting.recipe.trunk is not None and setting.recipe.trunk.share == 1
    learnt_from = ("trunk",) if whole else ("train", "trunk")
    records = sum(parts.get(part, 0) for part in learnt_from) if cell["view_passes"] else 0
    return (
        name.arm,
        name.seed,
        name.fold,
        seconds["train"],
        total,
        cell["view_passes"],
        records,
        seen,
        other,
    )


class _Draws:
    """The draws of patients and seeds that all systems share; replicate 0 is the data as they are."""

    def __init__(self, setting: Setting) -> None:
        recipe, index = setting.recipe, setting.corpus.index
        self.count = recipe.replicates
        in_folds = index["record"].is_in(setting.folds.table["record"].to_list())
        patients = patients_of(index)
        self.place = np.full(len(index), -1)
        self.source = index["source"].to_numpy().astype(str)
        self.of_source: dict[str, NDArray[np.int32]] = {}
        for source in np.unique(self.source[in_folds.to_numpy()]):
            rows = np.flatnonzero(in_folds.to_numpy() & (self.source == source))
            self.place[rows] = np.arange(len(rows))
            rng = np.random.default_rng([recipe.split.seed, zlib.crc32(source.encode())])
            drawn = patient_draws(patients[rows].tolist(), self.count, rng)
            self.of_source[source] = np.vstack([np.ones((1, len(rows)), np.int32), drawn])
        rng = np.random.default_rng([recipe.split.seed, len(recipe.seeds)])
        picks = rng.integers(0, 1 << 30, (self.count, len(recipe.seeds)))
        self.picks = picks

    def weights(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """(1 + R, N) for rows of the corpus."""
        columns = np.empty((self.count + 1, len(rows)), np.int32)
        for source in np.unique(self.source[rows]):
            own = np.flatnonzero(self.source[rows] == source)
            columns[:, own] = self.of_source[str(source)][:, self.place[rows[own]]]
        return columns

    def seeds(self, n: int) -> Array:
        """Share of each of n seeds in each replicate, (1 + R, n); replicate 0 has all alike."""
        picked = self.picks[:, :n] % n
        share = np.stack([(picked == s).mean(axis=1) for s in range(n)], axis=1)
        return np.vstack([np.full((1, n), 1.0 / n), share])


class _System:
    """One arm read out one way: AUROC of every label, fold-averaged and seed-averaged, in every replicate."""

    def __init__(
        self,
        setting: Setting,
        cells: Mapping[CellName, dict[str, Any]],
        readout: str,
        seeds: list[int],
        draws: _Draws,
    ) -> None:
        self.arm, self.readout, self.seeds = next(iter(cells)).arm, readout, seeds
        self.setting, self.level = setting, setting.recipe.level
        self.areas: dict[str, Array] = {}  # task → (1 + R, C)
        self.by_seed: dict[str, Array] = {}  # task → (S, 1 + R, C)
        self.other: dict[str, dict[str, Array]] = {}  # task → metric → (C,) or ()
        self.left_out: dict[str, NDArray[np.int64]] = {}
        self.draws, share = draws, draws.seeds(len(seeds))
        for task in setting.truth:
            folds = [[_fold(setting, cells[n], n, task, readout) for n in self._names(s)] for s in seeds]
            by_seed = np.stack(
                [column_mean(np.stack([auroc(y, p, draws.weights(r)) for r, y, p in f])) for f in folds]
            )
            self.by_seed[task], self.areas[task] = by_seed, np.einsum("rs,src->rc", share, by_seed)
            scores = [evaluate(y, p, setting.truth[task][0]) for f in folds for _, y, p in f]
            self.left_out[task] = sum(
                np.isnan(s.per_label["auroc"].to_numpy()).astype(int) for s in scores[: len(folds[0])]
            )
            columns = ("auprc", "f1_max", "brier", "ece")
            mean = {c: column_mean(np.stack([s.per_label[c].to_numpy() for s in scores])) for c in columns}
            mean["f_max"] = column_mean(np.array([[s.micro["f_max"]] for s in scores]))
            self.other[task] = mean

    def _names(self, seed: int) -> list[CellName]:
        return [CellName(self.arm, seed, fold) for fold in self.setting.recipe.split.tests]

    def scopes(self, seeds: Sequence[int] | None = None) -> dict[str, Array]:
        """Replicates (1 + R,) of every scope: each task, the mean over tasks, and the mean without some task.

        Over `seeds` alone, where given.
        """
        areas = self.areas
        if seeds is not None and list(seeds) != self.seeds:
            at, share = [self.seeds.index(seed) for seed in seeds], self.draws.seeds(len(seeds))
            areas = {task: np.einsum("rs,src->rc", share, found[at]) for task, found in self.by_seed.items()}
        tasks = {task: column_mean(area.T) for task, area in areas.items()}
        return scopes_of(tasks, self.setting.recipe.also_without)

    def summary(self, base: _System | None) -> list[tuple[Any, ...]]:
        common = [] if base is None or base is self else [seed for seed in self.seeds if seed in base.seeds]
        mine, its = (one.scopes(common) if one is not None and common else {} for one in (self, base))
        rows = []
        for scope, values in self.scopes().items():
            found = self._interval(values)
            gap = self._interval(mine[scope] - its[scope]) if common else None
            difference = (gap.value, gap.low, gap.high) if gap else (None, None, None)
            other = self.other.get(scope, {})
            means = [
                float(column_mean(other[c].reshape(-1, 1))[0]) if other else None
                for c in ("auprc", "f_max", "brier", "ece")
            ]
            n_folds = len(self.setting.recipe.split.tests)
            row = (self.arm, self.readout, scope, found.value, found.low, found.high, *difference, *means)
            rows.append((*row, len(self.seeds), n_folds, len(common) or None))
        return rows

    def labels(self) -> list[tuple[Any, ...]]:
        rows = []
        for task, (names, y) in self.setting.truth.items():
            for c, label in enumerate(names):
                found = self._interval(self.areas[task][:, c])
                other = [float(self.other[task][m][c]) for m in ("auprc", "f1_max", "brier", "ece")]
                n, positives = int((~np.isnan(y[:, c])).sum()), int(np.nansum(y[:, c]))
                row = (
                    self.arm,
                    self.readout,
                    task,
                    label,
                    n,
                    positives,
                    found.value,
                    found.low,
                    found.high,
                    *other,
                )
                rows.append((*row, int(self.left_out[task][c])))
        return rows

    def _interval(self, values: Array) -> Interval:
        return interval(float(values[0]), values[1:], self.level)


def _fold(
    setting: Setting, cell: dict[str, Any], name: CellName, task: str, readout: str
) -> tuple[NDArray[np.int64], NDArray[np.float32], Array]:
    """Rows, truth (N, C) and scores (N, C) of one task of one cell."""
    part = cell["tasks"][task]
    labels, y = setting.truth[task]
    if tuple(part["labels"]) != labels:
        raise CorpusError(
            f"cell '{name}', task '{task}': expected labels {', '.join(labels)}, got {part['labels']}"
        )
    rows = np.asarray(setting.corpus.rows(part["records"]), dtype=np.int64)
    return rows, y[rows], np.asarray(part["readouts"][readout]["scores"], dtype=np.float64).T
