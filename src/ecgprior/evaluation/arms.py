"""What one cell computes: an encoder from its training part, embeddings, and a score for every test record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import where
from ..provenance import code_digest, digest_json, version
from .cells import FORMAT, CellName
from .embedded import Embedded, embed_cached
from .feature_arms import MeasuredFeatures, features_digest, learnt_tables, measured_features
from .finetune import finetune
from .folds import PARTS, Folds
from .plan import BenchmarkRecipe, ResolvedArm
from .probe import count_seen, labelled_rows
from .readouts import Given, asked, needs_features, read_retrieval, read_task
from .trunk import Trunk, has_trunk, train_trunk, trunk_of, trunk_records, two_parts

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..encoders._load import Checkpoint
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
    _trunks: dict[str, Trunk] = field(default_factory=dict)

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

    def trunk(self, arm: ResolvedArm) -> Trunk:
        """What the arm's trunk is trained on; without records where it has none.

        Raises
        ------
        CorpusError
            The corpus does not hold it; with the arm's name as a note.
        """
        if not has_trunk(self.recipe.trunk, arm):
            return Trunk([], np.zeros(0, np.int64))
        vocabulary = arm.arm.trunk_labels
        if vocabulary not in self._trunks:
            with where(f"arm '{arm.name}'"):
                self._trunks[vocabulary] = trunk_of(self.corpus, self.outside, vocabulary)
        return self._trunks[vocabulary]

    @cached_property
    def labelled(self) -> NDArray[np.int64]:
        """Rows of the records in folds that have a label of some task, rising."""
        inside = np.zeros(len(self.corpus), dtype=bool)
        inside[self.corpus.rows(self.folds.table["record"])] = True
        return np.flatnonzero(inside & ~np.isnan(self.joined[1]).all(axis=1))

    def key(self, name: CellName) -> dict[str, str]:
        """Digests of all that a cell's numbers depend on, except the signals and the code."""
        more = asked(self.recipe, self.arm(name))
        if not more:
            return self.weights_key(name)
        measured = [self._features_digest()] if needs_features(self.recipe, self.arm(name)) else []
        return {**self.weights_key(name), "readouts": digest_json([more, *measured])}

    def weights_key(self, name: CellName) -> dict[str, str]:
        """The part of :meth:`key` that the encoder's weights depend on: another readout does not void them."""
        tasks = [task.model_dump(mode="json", exclude_defaults=True) for task in self.recipe.tasks]
        arm, plan = self.arm(name), self.recipe.trunk
        measured = (
            {"features": self._features_digest()} if arm.arm.features else learnt_tables(arm, self.corpus)
        )
        if plan is not None and has_trunk(plan, arm):
            trunk = self.trunk(arm)
            more = [] if trunk.labels is None else [trunk.digest]
            measured["trunk"] = digest_json([plan.model_dump(mode="json"), sorted(trunk.records), *more])
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
        return [
            CellName(arm.name, seed, fold)
            for seed in recipe.seeds
            for fold in recipe.split.tests
            for arm in self.arms
            if not arm.arm.seeds or seed in arm.arm.seeds
        ]

    def store(self, arm: ResolvedArm, progress: Progress | None) -> WindowStore:
        """The preprocessed records of all cells of an arm, made once a process."""
        from ..training.windows import WindowStore

        preprocessing = arm.recipe(0).preprocessing
        key = preprocessing.model_dump_json()
        if key not in self._stores:
            rows = self.corpus.rows([*self.folds.table["record"], *{*self.unlabelled, *self.outside}])
            self._stores[key] = WindowStore(
                self.corpus, preprocessing, rows, folder=self.work, progress=progress
            )
        return self._stores[key]


def compute_cell(setting: Setting, name: CellName, progress: Progress | None = None) -> dict[str, Any]:
    """Train, embed, probe and score one cell; what was done before in its work folder is not done again.

    Raises
    ------
    SplitLeak
        A patient or a recording lies in two parts; what the trunk learns from belongs to the training part.
    CorpusError
        A task has no labelled record in one of the parts.
    """
    from ..corpus.splits import check_leaks

    with where(f"cell '{name}'"):
        corpus, parts = setting.corpus, setting.folds.parts(name.fold)
        parts["train"] = sorted({*parts["train"], *setting.unlabelled})
        trunk = setting.trunk(setting.arm(name)).records
        check_leaks({**parts, "train": sorted({*parts["train"], *trunk})}, corpus)
        for task, (_, y) in setting.truth.items():
            for part in PARTS:
                labelled_rows(corpus, parts, part, y, task)
        work = setting.work / f"{name}-{digest_json([setting.weights_key(name), corpus.digest])[:12]}"
        work.mkdir(parents=True, exist_ok=True)
        if setting.arm(name).arm.features is not None:
            given, cost = Given(setting.measured.rows, setting.measured.values), _Cost()
        else:
            given, cost = _read_in(setting, name, parts, work, progress)
        before = time.perf_counter()
        tasks = {task: read_task(setting, name, task, parts, given) for task in setting.truth}
        more = {}
        if setting.recipe.retrieval and setting.arm(name).arm.features is None:
            more["retrieval"] = read_retrieval(setting, parts, given)
        cost.seconds["probe"] = round(time.perf_counter() - before, 2)
        return {
            "format": FORMAT,
            "arm": name.arm,
            "seed": name.seed,
            "fold": name.fold,
            "key": setting.key(name),
            "corpus": corpus.digest,
            "code": {"ecgprior": version(), "sha256": code_digest()},
            "records": {part: len(records) for part, records in parts.items()}
            | ({"trunk": len(trunk)} if trunk else {}),
            "view_passes": cost.view_passes,
            "test_seen_in_training": cost.seen,
            "seconds": cost.seconds,
            "tasks": tasks,
            **more,
        }


@dataclass
class _Cost:
    """What a cell's encoder took: passes and seconds; and how many test recordings it has seen."""

    view_passes: int = 0
    seen: int | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"train": 0.0, "embed": 0.0, "probe": 0.0})


def _read_in(
    setting: Setting, name: CellName, parts: dict[str, list[str]], work: Path, progress: Progress | None
) -> tuple[Given, _Cost]:
    """Train the arm's encoder, embed with it and, where asked, fine-tune it."""
    corpus, recipe = setting.corpus, setting.recipe
    started = time.perf_counter()
    model, views = _encoder(setting, name, parts, work, progress)
    trained = time.perf_counter()
    clean = embed_cached(model, corpus, setting.labelled, work, progress=progress)
    tests = [labelled_rows(corpus, parts, "test", y, task) for task, (_, y) in setting.truth.items()]
    tested = np.unique(np.concatenate(tests))
    changed = {
        change.name: embed_cached(
            model, corpus, tested, work, name=change.name, change=change, progress=progress
        )
        for change in recipe.changed
    }
    cost = _Cost(views, count_seen(model, corpus, tested))
    cost.seconds |= {"train": round(trained - started, 2), "embed": round(time.perf_counter() - trained, 2)}
    own = model.labels == setting.joined[0]  # a trunk that took all steps has a head for other labels
    given = Given(clean.rows, clean.x, clean.chance if own else None, model.labels, changed)
    if "finetune" in recipe.readouts:
        before = time.perf_counter()
        tuned, test = _finetuned(setting, name, model, parts, tested, work, progress)
        metrics = tuned.config["metrics"]
        facts = {"kept_step": metrics["kept_step"], "view_passes": metrics["view_passes"]}
        given = replace(given, tuned=test, tuned_head=tuned.labels, tuned_facts=facts)
        cost.seconds["finetune"] = round(time.perf_counter() - before, 2)
    return given, cost


def _finetuned(
    setting: Setting,
    name: CellName,
    model: Checkpoint,
    parts: dict[str, list[str]],
    tested: NDArray[np.int64],
    work: Path,
    progress: Progress | None,
) -> tuple[Checkpoint, Embedded]:
    arm, corpus, plan = setting.arm(name), setting.corpus, setting.recipe.finetune
    labelled = set(corpus.index["record"].gather(setting.labelled))
    own = {part: [r for r in parts[part] if r in labelled] for part in ("train", "validation")}
    to = work / f"finetune-{digest_json([model.config['files'], plan.model_dump(mode='json')])[:12]}"
    store = setting.store(arm, progress)
    tuned = finetune(
        plan,
        arm.recipe(name.seed),
        model.path,
        corpus,
        to,
        own,
        setting.joined,
        store,
        _device(setting),
        progress,
    )
    return tuned, embed_cached(tuned, corpus, tested, to, progress=progress)


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

    labels = setting.joined if arm.learns_labels else None
    train = parts["train"]
    if labels is not None:  # a record without any label says nothing to it
        known: NDArray[np.bool_] = np.asarray(~np.isnan(labels[1]).all(axis=1))
        train = [r for r, row in zip(train, setting.corpus.rows(train), strict=True) if known[row]]
    begin: Path | None = None
    if setting.recipe.trunk is not None and has_trunk(setting.recipe.trunk, arm):
        first, then = two_parts(setting.recipe.trunk, recipe)
        store = setting.store(arm, progress)
        trunk = setting.trunk(arm)
        begin = train_trunk(arm, first, setting.corpus, trunk, setting.work, store, setting.device, progress)
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


def _device(setting: Setting) -> str:
    import torch

    return setting.device or ("cuda" if torch.cuda.is_available() else "cpu")
