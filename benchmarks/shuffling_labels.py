"""Does a shuffled ECG keep its labels? What probes say of held-out recordings before and after a change.

    python benchmarks/shuffling_labels.py DATA [--seeds 3] [--to labels.csv]

PTB-XL and LUDB under DATA, five patient-wise folds: three train, one validates, one is tested. Two probes a fold:

- trees: gradient-boosted on the engine's features of each recording, measured anew after the change. PTB-XL only: the
  delineator has learnt from LUDB's marks;
- encoder: the recipe ``supervised`` (100 Hz), one network for all labels of both sets.

The forms are those of ``shuffling.py`` without "flattest"; "none" is the recording itself, and must change nothing at all; "another" is the
answer for another recording of the same set and fold: what a view that keeps nothing would give. A label is called
where its probability reaches the threshold that has the largest balanced accuracy on the validation part. Of every label:

- stay: share of recordings of which it is called before and after, or neither time;
- called stay: of the calls before, the share still called after;
- change: mean absolute change of the probability;
- AUROC against the true labels within each test fold, averaged over folds, and its difference to before.

Means over seeds of the change; 95 % intervals by 1,000 draws of patients, the same for every form.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ecgprior.corpus.prepare import prepare
from ecgprior.encoders._load import Checkpoint, load
from ecgprior.evaluation.bootstrap import interval, patient_draws
from ecgprior.evaluation.feature_arms import read_features
from ecgprior.evaluation.folds import make_folds
from ecgprior.evaluation.metrics import auroc
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.tasks import patients_of
from ecgprior.physiology.delineate import delineate_many
from ecgprior.physiology.features.measure import measure_many
from ecgprior.physiology.features.registry import feature_names
from ecgprior.recipe import read_recipe
from ecgprior.record.record import Record
from ecgprior.training.fit import fit
from shuffling import FORMS

SETS = {"ptbxl": "ptb-xl", "ludb": "ludb"}
TASKS = (
    {
        "name": "rhythm",
        "sources": ["ptbxl"],
        "vocabulary": "ptbxl_all",
        "labels": ["SARRH", "AFIB", "PVC"],
    },
    {
        "name": "superclass",
        "sources": ["ptbxl"],
        "vocabulary": "ptbxl_superclass",
        "labels": ["NORM", "MI", "STTC", "CD", "HYP"],
    },
    {"name": "ludb", "sources": ["ludb"], "vocabulary": "ludb", "labels": ["AF", "SB", "BLOCK"]},
)
ASKED = tuple(form for form in FORMS if form != "  flattest")
REPLICATES = 1000
Array = NDArray[np.float64]
View = tuple[str, int]  # a form and its seed


@dataclass
class Study:
    """Recordings, truth and folds; each recording is in one test fold, and is predicted by that fold's probes.

    `y` (N, C) holds 0, 1 or NaN = not asked; `fold` (N,) the test fold; `parts` the rows of each fold's parts.
    """

    records: list[Record]
    tasks: list[str]
    labels: list[str]
    y: Array
    fold: NDArray[np.int64]
    parts: list[dict[str, NDArray[np.int64]]]
    patients: list[str]
    source: NDArray[np.str_]
    models: list[Checkpoint] = field(default_factory=list)


@dataclass
class Answers:
    """What one probe says of the test recordings: (N, C) a view, NaN = not asked, and the threshold of each fold."""

    views: dict[View, Array]
    threshold: Array


def study(data: Path, work: Path, steps: int) -> Study:
    """Prepare the corpus, part it, and train an encoder a fold."""
    corpus = prepare({name: data / folder for name, folder in SETS.items()}, work / "corpus", workers=1)
    recipe = BenchmarkRecipe.of(
        {"tasks": list(TASKS), "arms": [{"name": "supervised", "pretrain": "supervised"}]}
    )
    folds = make_folds(recipe, corpus.index)
    found = {task.name: task.matrix(corpus.index) for task in recipe.tasks}
    y = np.concatenate([matrix for _, matrix in found.values()], axis=1).astype(np.float64)
    parts = [
        {part: np.array(corpus.rows(names), np.int64) for part, names in folds.parts(k).items()}
        for k in range(folds.n)
    ]
    fold = np.zeros(len(corpus), np.int64)
    for k, rows in enumerate(parts):
        fold[rows["test"]] = k
    one = Study(
        [corpus.record(i) for i in range(len(corpus))],
        [task for task, (names, _) in found.items() for _ in names],
        [label for names, _ in found.values() for label in names],
        y, fold, parts, patients_of(corpus.index).tolist(), corpus.index["source"].to_numpy().astype(str),
    )  # fmt: skip
    names = tuple(f"{task}/{label}" for task, label in zip(one.tasks, one.labels))
    values = read_recipe("pretrain", "supervised") | {"steps": steps}
    for k in range(folds.n):
        here = folds.parts(k)
        path = fit(
            values, corpus, work / f"fold-{k}", train=here["train"], validation=here["validation"],
            labels=(names, y.astype(np.float32)), device="cpu",
        )  # fmt: skip
        one.models.append(load(path, "cpu"))
    return one


def look(study: Study, seeds: int) -> tuple[Answers, Answers]:
    """Change, measure and embed every recording in every form; then the trees."""
    marks = delineate_many(study.records)
    views: list[View] = [("before", 0), ("none", 0)]
    views += [(form, seed) for form in ASKED for seed in range(seeds)]
    features, chances = {}, {}
    of_ptbxl = np.flatnonzero(study.source == "ptbxl")
    for form, seed in views:
        change = FORMS.get(form, lambda record, delineation, seed: record)
        changed = [change(r, d, 100_003 * seed + i) for i, (r, d) in enumerate(zip(study.records, marks))]
        same = [np.array_equal(a.signal, b.signal, equal_nan=True) for a, b in zip(changed, study.records)]
        print(f"{form:14s} seed {seed}: {np.mean(same):6.1%} as they were", flush=True)
        chances[form, seed] = by_fold(study, changed)
        asked = [changed[i] for i in of_ptbxl]
        measured, _ = measure_many(asked, delineate_many(asked))
        features[form, seed] = np.full((len(changed), measured.shape[1]), np.nan)
        features[form, seed][of_ptbxl] = measured
    validated = [
        model.predict([study.records[i] for i in part["validation"]])
        for model, part in zip(study.models, study.parts)
    ]
    encoder = Answers(chances, np.stack([threshold(study.y[p["validation"]], v)
                                         for p, v in zip(study.parts, validated)]))  # fmt: skip
    return grow(study, features, of_ptbxl), encoder


def by_fold(study: Study, records: list[Record]) -> Array:
    """What each fold's network says of its test recordings, changed: (N, C), NaN where a label is not asked."""
    chance = np.full(study.y.shape, np.nan)
    for model, part in zip(study.models, study.parts):
        chance[part["test"]] = model.predict([records[i] for i in part["test"]])
    return np.where(np.isnan(study.y), np.nan, chance)


def grow(study: Study, features: dict[View, Array], rows: NDArray[np.int64]) -> Answers:
    """The trees of each fold, grown on features as recorded, and what they say of every view."""
    columns = [c for c, task in enumerate(study.tasks) if task != "ludb"]
    views = {view: np.full(study.y.shape, np.nan) for view in features}
    levels = np.full((len(study.parts), study.y.shape[1]), np.nan)
    before = features["before", 0]
    for k, part in enumerate(study.parts):
        own = {name: np.intersect1d(all_, rows) for name, all_ in part.items()}
        test, y = own["test"], {name: study.y[r][:, columns] for name, r in own.items()}
        x = {name: before[r] for name, r in own.items()}
        x["test"] = np.concatenate([x["validation"], *(values[test] for values in features.values())])
        told, _ = read_features("trees", feature_names(), x, y, seed=0)
        validated, *answers = np.split(told, len(y["validation"]) + len(test) * np.arange(len(features)))
        levels[k, columns] = threshold(y["validation"], validated)
        for view, answer in zip(features, answers):
            views[view][test[:, None], columns] = answer
    return Answers({v: np.where(np.isnan(study.y), np.nan, a) for v, a in views.items()}, levels)


def threshold(y: Array, chance: Array) -> Array:
    """Of each label the middle of the gap that parts a validation part best, by balanced accuracy: (C,).

    NaN where the part has one class only.
    """
    best = np.full(y.shape[1], np.nan)
    for c, (truth, score) in enumerate(zip(y.T, np.asarray(chance, np.float64).T)):
        known = np.isfinite(truth)
        truth, score = truth[known] == 1, score[known]
        if truth.any() and not truth.all():
            levels = np.unique(score)
            cuts = np.concatenate([levels[:1], (levels[1:] + levels[:-1]) / 2])
            called = score[:, None] >= cuts
            best[c] = cuts[np.argmax(called[truth].mean(0) - called[~truth].mean(0))]
    return best


def another(study: Study, answers: Answers, seeds: int) -> None:
    """Add the answers for another recording of the same set and fold."""
    before = answers.views["before", 0]
    for seed in range(seeds):
        rng, views = np.random.default_rng(seed), before.copy()
        for k in range(len(study.parts)):
            for source in np.unique(study.source):
                rows = rng.permutation(np.flatnonzero((study.fold == k) & (study.source == source)))
                views[rows] = before[np.roll(rows, 1)]
        answers.views["another", seed] = np.where(np.isnan(study.y), np.nan, views)


def figures(study: Study, answers: Answers, draws: NDArray[np.int32]) -> dict[str, dict[str, Array]]:
    """Of each form each figure, (1 + R, C): as it is, then in every draw of patients."""
    weights = np.vstack([np.ones_like(draws[:1]), draws]).astype(np.float64)
    levels = answers.threshold[study.fold]

    def mean(values: Array, of: NDArray[np.bool_]) -> Array:
        """Weighted mean of (N, C) over the records that count."""
        with np.errstate(invalid="ignore"):
            return (weights @ np.where(of, values, 0.0)) / (weights @ of)

    def area(chance: Array) -> Array:
        found = []
        for part in study.parts:
            rows = part["test"]
            y = np.where(np.isnan(chance[rows]), np.nan, study.y[rows])
            found.append(auroc(y, np.nan_to_num(chance[rows]), weights[:, rows]))
        return mean_known(np.stack(found), 0)

    before = answers.views["before", 0]
    called, asked = before >= levels, np.isfinite(before) & np.isfinite(levels)
    first = area(before)
    results: dict[str, dict[str, Array]] = {}
    for form in dict.fromkeys(form for form, _ in answers.views):
        views = [chance for (name, _), chance in answers.views.items() if name == form]
        stay = np.mean([(chance >= levels) == called for chance in views], axis=0)
        change = np.mean([np.abs(chance - before) for chance in views], axis=0)
        areas = np.mean([area(chance) for chance in views], axis=0)
        there = np.isfinite(change)
        results[form] = {
            "stay": mean(stay, asked & there),
            "called_stay": mean(stay, asked & called & there),
            "change": mean(change, there),
            "auroc": areas,
            "difference": areas - first,
        }
    return results


def mean_known(values: Array, axis: int) -> Array:
    """Mean without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis) / known.sum(axis)


def table(study: Study, readout: str, results: dict[str, dict[str, Array]]) -> pl.DataFrame:
    """One row a task, label ("mean" = over the task's labels), form and figure, with its interval."""
    rows = []
    for form, values in results.items():
        for figure, found in values.items():
            for task in dict.fromkeys(study.tasks):
                columns = [c for c, name in enumerate(study.tasks) if name == task]
                each = {study.labels[c]: found[:, c] for c in columns}
                each["mean"] = mean_known(found[:, columns], 1)
                for label, (value, *replicates) in each.items():
                    if np.isfinite(value):
                        one = interval(float(value), replicates)
                        rows.append((readout, task, label, form, figure, one.value, one.low, one.high))
    return pl.DataFrame(
        rows,
        orient="row",
        schema=["probe", "task", "label", "form", "figure", "value", "low", "high"],
    )


def show(found: pl.DataFrame) -> None:
    """A block a probe and task: means over labels with intervals; then AUROC differences label by label."""
    for (probe, task), block in found.group_by("probe", "task", maintain_order=True):
        figures_ = block["figure"].unique(maintain_order=True).to_list()
        print(f"\n{probe}, {task}" + "".join(f"{name:>26s}" for name in figures_))
        for (form,), rows in block.filter(pl.col("label") == "mean").group_by("form", maintain_order=True):
            cells = [f"{r['value']:.3f} ({r['low']:.3f} to {r['high']:.3f})" for r in rows.to_dicts()]
            print(f"{form:22s}" + "".join(f"{cell:>26s}" for cell in cells))
        wide = block.filter(pl.col("figure").is_in(["stay", "difference"])).pivot(
            "label", index=["form", "figure"], values="value", sort_columns=False
        )
        with pl.Config(tbl_rows=-1, float_precision=3, tbl_hide_dataframe_shape=True):
            print(wide)


def main() -> None:
    """Train, change, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"))
    parser.add_argument("--seeds", type=int, default=3, help="of every form")
    parser.add_argument("--steps", type=int, default=300, help="of the encoder's training")
    parser.add_argument(
        "--work", type=Path, help="a folder for corpus and networks, taken up again when there"
    )
    parser.add_argument("--to", type=Path, help="a CSV file with every figure and its interval")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        one = study(args.data, args.work or Path(folder), args.steps)
        probes = dict(zip(("trees", "encoder"), look(one, args.seeds)))
    for name, answers in probes.items():
        if not np.array_equal(answers.views["none", 0], answers.views["before", 0], equal_nan=True):
            raise AssertionError(f"{name}: a recording that was not changed is not read as before")
        another(one, answers, args.seeds)
    draws = patient_draws(one.patients, REPLICATES, np.random.default_rng(0))
    found = pl.concat([table(one, name, figures(one, a, draws)) for name, a in probes.items()])
    show(found)
    if args.to:
        found.with_columns(pl.col("value", "low", "high").round(4)).write_csv(args.to)


if __name__ == "__main__":
    main()
