"""What one cell computes: an encoder from its training part, embeddings, and a score for every test record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, where
from ..provenance import code_digest, digest_json, version, write_json
from .cells import FORMAT, CellName
from .feature_arms import MeasuredFeatures, features_digest, measured_features, read_features
from .folds import PARTS, Folds
from .metrics import evaluate
from .plan import BenchmarkRecipe, ResolvedArm
from .probe import count_seen, fit_probe, labelled_rows
from .trunk import has_trunk, train_trunk, trunk_records, two_parts

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..encoders._load import Checkpoint
    from ..record.record import Record
    from ..training.windows import WindowStore

Progress = Callable[[int, int, str], None]


@dataclass
class Setting:
    """Everything that cells share: read it once, compute any number of cells.

    Attributes
    ----------
    recipe : BenchmarkRecipe
    arms : tuple of ResolvedArm
    corpus : Corpus
    folds : Folds
    work : Path
        Folder for runs, checkpoints and embeddings.
    device : str or None
        None = CUDA when there is one, else the CPU.
    """

    recipe: BenchmarkRecipe
    arms: tuple[ResolvedArm, ...]
    corpus: Corpus
    folds: Folds
    work: Path
    device: str | None = None
    _stores: dict[str, WindowStore] = field(default_factory=dict)

    @cached_property
    def truth(self) -> dict[str, tuple[tuple[str, ...], NDArray[np.float32]]]:
        """Each task's label names and matrix, (N, C) in the order of the corpus."""
        found = {}
        for task in self.recipe.tasks:
            with where(f"task '{task.name}'"):
                found[task.name] = task.matrix(self.corpus.index)
        return found

    @cached_property
    def joined(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """All tasks' labels side by side, named ``task/label``: what supervised training is given."""
        names = [f"{task}/{label}" for task, (labels, _) in self.truth.items() for label in labels]
        return tuple(names), np.concatenate([y for _, y in self.truth.values()], axis=1)

    @cached_property
    def measured(self) -> MeasuredFeatures:
        """The measured features of the records that are in folds."""
        return measured_features(self.corpus, self.folds.table["record"])

    @cached_property
    def unlabelled(self) -> list[str]:
        """Records of the unlabelled sources."""
        index = self.corpus.index
        return index.filter(index["source"].is_in(list(self.recipe.unlabelled_sources)))["record"].to_list()

    @cached_property
    def outside(self) -> list[str]:
        """Records of the trunk's sources; none without a trunk."""
        plan = self.recipe.trunk
        return [] if plan is None else trunk_records(plan, self.corpus, set(self.folds.table["source"]))

    def key(self, name: CellName) -> dict[str, str]:
        """Digests of all that a cell's numbers depend on, except the signals and the code."""
        tasks = [task.model_dump(mode="json", exclude_defaults=True) for task in self.recipe.tasks]
        arm, plan = self.arm(name), self.recipe.trunk
        measured = {"features": self._features_digest()} if arm.arm.features else {}
        if plan is not None and has_trunk(plan, arm):
            measured["trunk"] = digest_json([plan.model_dump(mode="json"), sorted(self.outside)])
        return {
            "arm": arm.digest,
            "tasks": digest_json(tasks),
            "folds": self.folds.digest,
            "labels": self.folds.label_digest,
            "unlabelled": digest_json(sorted(self.unlabelled)),
            **measured,
        }

    def _features_digest(self) -> str:
        """Of the features that were read, also when the table is made anew meanwhile."""
        return self.measured.digest if "measured" in self.__dict__ else features_digest(self.corpus) or ""

    def arm(self, name: CellName) -> ResolvedArm:
        return next(arm for arm in self.arms if arm.name == name.arm)

    def cells(self) -> list[CellName]:
        """Every cell, seeds and folds outermost, so that arms stay comparable while it runs."""
        recipe = self.recipe
        return [CellName(a.name, s, f) for s in recipe.seeds for f in recipe.split.tests for a in self.arms]

    def store(self, arm: ResolvedArm, progress: Progress | None) -> WindowStore:
        """The preprocessed records of all cells of an arm, made once a process."""
        from ..training.windows import WindowStore

        preprocessing = arm.recipe(0).preprocessing
        key = preprocessing.model_dump_json()
        if key not in self._stores:
            rows = self.corpus.rows([*self.folds.table["record"], *{*self.unlabelled, *self.outside}])
            self._stores[key] = WindowStore(self.corpus, preprocessing, rows, folder=self.work, progress=progress)
        return self._stores[key]


def compute_cell(setting: Setting, name: CellName, progress: Progress | None = None) -> dict[str, Any]:
    """Train, embed, probe and score one cell; what was done before in its work folder is not done again.

    Raises
    ------
    SplitLeak
        A patient or a recording lies in two parts.
    CorpusError
        A task has no labelled record in one of the parts.
    """
    from ..corpus.splits import check_leaks

    with where(f"cell '{name}'"):
        corpus, parts = setting.corpus, setting.folds.parts(name.fold)
        parts["train"] = sorted({*parts["train"], *setting.unlabelled})
        check_leaks(parts, corpus.index)
        for task, (_, y) in setting.truth.items():
            for part in PARTS:
                labelled_rows(corpus, parts, part, y, task)
        work = setting.work / f"{name}-{digest_json([setting.key(name), corpus.digest])[:12]}"
        work.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        if setting.arm(name).arm.features is not None:
            trained = time.perf_counter()
            inputs, views, seen = _Inputs(setting.measured.rows, setting.measured.values), 0, None
        else:
            model, views = _encoder(setting, name, parts, work, progress)
            trained = time.perf_counter()
            inputs = _Inputs(*_embedded(setting, model, work, progress), model.labels)
            tested = [labelled_rows(corpus, parts, "test", y, task) for task, (_, y) in setting.truth.items()]
            seen = count_seen(model, corpus, np.unique(np.concatenate(tested)))
        embedded = time.perf_counter()
        tasks = {task: _task(setting, name, task, parts, inputs) for task in setting.truth}
        finished = time.perf_counter()
        return {
            "format": FORMAT,
            "arm": name.arm,
            "seed": name.seed,
            "fold": name.fold,
            "key": setting.key(name),
            "corpus": corpus.digest,
            "code": {"ecgprior": version(), "sha256": code_digest()},
            "records": {part: len(records) for part, records in parts.items()},
            "view_passes": views,
            "test_seen_in_training": seen,
            "seconds": {
                "train": round(trained - started, 2),
                "embed": round(embedded - trained, 2),
                "probe": round(finished - embedded, 2),
            },
            "tasks": tasks,
        }


def _encoder(
    setting: Setting, name: CellName, parts: dict[str, list[str]], work: Path, progress: Progress | None
) -> tuple[Checkpoint, int]:
    """The arm's checkpoint, and how many encoder passes its training took."""
    from ..encoders._load import load

    arm = setting.arm(name)
    recipe = arm.recipe(name.seed)
    if not arm.arm.train:
        from ..encoders._build import build_encoder
        from ..encoders._load import save_checkpoint

        plan = recipe.preprocessing
        encoder = build_encoder(
            recipe.encoder["name"], recipe.settings("encoder"), plan.leads, plan.fs, seed=name.seed
        )
        nothing = np.zeros((0, 64), dtype=np.int8)  # it has seen no recording
        path = save_checkpoint(
            work / "checkpoint", encoder, plan, seconds=recipe.seconds, fingerprints=nothing,
            provenance={"arm": name.arm, "seed": name.seed, "trained": False},
        )  # fmt: skip
        return load(path, _device(setting)), 0
    from ..training.fit import fit

    labels = _labels(setting, recipe.objective["name"])
    train = parts["train"]
    if labels is not None:  # a record without any label says nothing to it
        known: NDArray[np.bool_] = np.asarray(~np.isnan(labels[1]).all(axis=1))
        train = [r for r, row in zip(train, setting.corpus.rows(train), strict=True) if known[row]]
    begin: Path | None = None
    if setting.recipe.trunk is not None and has_trunk(setting.recipe.trunk, arm):
        first, then = two_parts(setting.recipe.trunk, recipe)
        store = setting.store(arm, progress)
        begin = train_trunk(arm, first, setting.corpus, setting.outside, setting.work, store, setting.device, progress)
        if then is None:
            return _passes(load(begin, _device(setting)))
        recipe = then
    path = fit(
        recipe,
        setting.corpus,
        work / "run",
        train=train,
        validation=parts["validation"],
        labels=labels,
        init=begin,
        store=setting.store(arm, progress),
        device=setting.device,
        facts={"benchmark": str(name), "folds": setting.folds.digest},
        progress=progress,
    )
    before = load(begin, "cpu").config["metrics"]["view_passes"] if begin is not None else 0
    model, passes = _passes(load(path, _device(setting)))
    return model, passes + before


def _passes(model: Checkpoint) -> tuple[Checkpoint, int]:
    return model, int(model.config["metrics"].get("view_passes", 0))


def _labels(setting: Setting, objective: str) -> tuple[tuple[str, ...], NDArray[np.float32]] | None:
    from .. import lookup
    from ..objectives.base import Objective

    kind: Any = lookup.method("objectives", objective, Objective)
    return setting.joined if "labels" in kind.needs else None


def _device(setting: Setting) -> str:
    import torch

    return setting.device or ("cuda" if torch.cuda.is_available() else "cpu")


def _embedded(
    setting: Setting, model: Checkpoint, work: Path, progress: Progress | None
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32] | None]:
    """Rows of all labelled records, their embeddings and, from a head, probabilities; cached in the work folder.

    The cache belongs to the checkpoint's files: their digests are written beside it, last.
    """
    corpus = setting.corpus
    known = ~np.isnan(setting.joined[1]).all(axis=1)
    inside = np.zeros(len(corpus), dtype=bool)
    inside[corpus.rows(setting.folds.table["record"])] = True
    rows = np.flatnonzero(known & inside)
    owner = digest_json([model.config["files"], rows.tolist(), corpus.digest])
    paths = [work / "embedding.npy", work / "probability.npy", work / "embedding.json"]
    if paths[2].is_file() and paths[2].read_text(encoding="utf-8").strip() == f'"{owner}"':
        chance = np.load(paths[1]) if model.labels else None
        return rows, np.load(paths[0]), chance

    def records() -> Iterator[Record]:
        for done, row in enumerate(rows):
            if progress and done % 32 == 0:
                progress(done, len(rows), "embed")
            yield corpus.record(int(row))

    found = list(model.stream(records(), check_unit=False))  # a corpus is in mV, whatever its amplitudes
    embedding = np.stack([one.embedding for one in found])
    chance = np.stack([one.probabilities for one in found if one.probabilities is not None]) if model.labels else None
    np.save(paths[0], embedding)
    if chance is not None:
        np.save(paths[1], chance)
    write_json(paths[2], owner)
    return rows, embedding, chance


@dataclass(frozen=True)
class _Inputs:
    """What a cell's readouts are given: rows of the corpus, a vector for each, and a head's probabilities."""

    rows: NDArray[np.int64]
    x: NDArray[np.floating]
    chance: NDArray[np.float32] | None = None
    head: tuple[str, ...] = ()


def _task(
    setting: Setting, name: CellName, task: str, parts: dict[str, list[str]], inputs: _Inputs
) -> dict[str, Any]:
    """One task of a cell: the test records and, by each way of reading the encoder out, scores and AUROC."""
    labels, y = setting.truth[task]
    own = {part: labelled_rows(setting.corpus, parts, part, y, task) for part in PARTS}
    at = {part: np.searchsorted(inputs.rows, own[part]) for part in PARTS}
    x = {part: inputs.x[at[part]] for part in PARTS}
    known, truth = {part: y[own[part]] for part in PARTS}, y[own["test"]]
    readouts: dict[str, dict[str, Any]] = {}
    kind = setting.arm(name).arm.features
    if kind is None:
        fitted = fit_probe(x["train"], known["train"], x["validation"], known["validation"])
        readouts["probe"] = _readout(truth, fitted.predict(x["test"]), labels)
        readouts["probe"] |= {"strength": fitted.strength, "chosen_by": fitted.chosen_by}
    else:
        probability, facts = read_features(kind, setting.measured.names, x, known, name.seed)
        readouts["probe" if kind == "linear" else kind] = _readout(truth, probability, labels) | facts
    if inputs.chance is not None:
        columns = [inputs.head.index(f"{task}/{label}") for label in labels]
        readouts["head"] = _readout(truth, inputs.chance[at["test"]][:, columns], labels)
    records = setting.corpus.index["record"].gather(own["test"]).to_list()
    counts = {part: len(own[part]) for part in PARTS}
    return {"labels": list(labels), "n": counts, "records": records, "readouts": readouts}


def _readout(y: NDArray[np.floating], probability: NDArray[np.floating], labels: tuple[str, ...]) -> dict[str, Any]:
    """Scores of five significant digits, label by label, and the AUROC of just these rounded scores."""
    if not np.isfinite(probability).all():
        raise CorpusError("scores: expected finite probabilities, got NaN or infinity")
    scores = rounded(probability)
    area = evaluate(y, scores, labels).per_label["auroc"].to_list()
    return {
        "auroc": [None if np.isnan(a) else round(a, 12) for a in area],
        "scores": [column.tolist() for column in scores.T],
    }


def rounded(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """To five significant digits, as they are stored."""
    flat = [float(f"{value:.5g}") for value in np.asarray(values, dtype=np.float64).ravel()]
    return np.array(flat, dtype=np.float64).reshape(np.shape(values))
