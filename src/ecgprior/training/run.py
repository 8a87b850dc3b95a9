"""One run: from recipe, corpus and folder to a checkpoint, step after step. :func:`~.fit.fit` is its only caller."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import lookup
from ..corpus.catalog import credits
from ..corpus.shards import Corpus
from ..corpus.tables import about_table
from ..encoders._build import build_encoder, n_parameters
from ..encoders._checkpoint import read_config
from ..encoders._load import Checkpoint, load, save_checkpoint
from ..errors import CheckpointError, ColumnMissing, CorpusError, RecipeError, TrainingStopped, where
from ..objectives.base import Objective
from ..provenance import digest_json, digest_pairs, provenance, sha256, write_json
from ..recipe import to_plain
from .features import FeatureCuts, several_windows
from .fiducials import FiducialCuts
from .log import RunLog
from .needs import check_requires, column_names, columns_for, labels_for, long_enough
from .pairs import patient_windows, several_records
from .plan import PretrainRecipe
from .processes import Processes
from .speed import COUNTED, Speed, flop_per_window
from .state import has_state, load_state, optimiser_tensors, remove_state, restore_optimiser, save_state
from .step import Stepper
from .validate import validation_score
from .waves import WaveMaps, marks_digest
from .windows import Progress, SampleColumns, Windows, WindowStore

Labels = tuple[tuple[str, ...], NDArray[np.float32]]


@dataclass
class _Best:
    """The best look at the validation part so far."""

    score: float = float("-inf")
    step: int = 0
    looks_since: int = 0
    found: dict[str, float] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Run:
    """One run, from its arguments to its checkpoint; the methods are called from top to bottom."""

    recipe: PretrainRecipe
    corpus: Corpus
    to: Path
    labels: Labels | None
    facts: dict[str, Any]
    progress: Progress | None
    best: _Best = field(default_factory=_Best)
    seconds: float = 0.0
    last: dict[str, float] = field(default_factory=dict)
    counted_out: int = 0
    done: int = 0

    def find(self, train: Sequence[str] | None, validation: Sequence[str] | None) -> None:
        """Rows of both parts."""
        self.train_rows = np.array(self.corpus.rows(train), np.int64)
        self.validation_rows = np.array(self.corpus.rows(validation) if validation is not None else [], np.int64)
        if not len(self.train_rows):
            raise CorpusError("training part: expected at least one record, got none")
        if both := set(self.train_rows.tolist()) & set(self.validation_rows.tolist()):
            name = self.corpus.index["record"][min(both)]
            raise CorpusError(f"record '{name}' is in both parts: expected training and validation to be apart")

    def identity(self, init: str | Path | None) -> dict[str, Any]:
        """What decides the result: two runs with the same identity end with the same weights."""
        names = self.corpus.index["record"]
        part = lambda rows: digest_pairs((names[row], 0) for row in rows.tolist())  # noqa: E731
        matrix = None if self.labels is None else sha256(np.ascontiguousarray(self.labels[1]).tobytes())
        return {
            "recipe": to_plain(self.recipe.model_copy(update={"peak_tflops": None})),
            "corpus": self.corpus.digest,
            "train": part(self.train_rows),
            "validation": part(self.validation_rows),
            "labels": None if self.labels is None else [list(self.labels[0]), matrix],
            "init": None if init is None else digest_json(read_config(Path(init)).files),
        } | self._marks()

    def _marks(self) -> dict[str, str]:
        """What an objective learns from that the corpus' digest does not hold; empty for most."""
        kind: Any = lookup.method("objectives", self.recipe.objective["name"], Objective)
        called = {"features": self.recipe.features_table, "fiducials": "fiducials"}
        tables = {n: about_table(self.corpus.path, table) for n, table in called.items() if n in kind.needs}
        found = {name: str(about.get("sha256")) for name, about in tables.items() if about is not None}
        if "waves" in kind.needs:
            rows = [*self.train_rows.tolist(), *self.validation_rows.tolist()]
            found["waves"] = marks_digest(self.corpus, rows)
        return found

    def earlier(self, identity: dict[str, Any], resume: bool) -> Path | None:
        """Make the run folder, or find this very run in it; the checkpoint when that one is done.

        A run that saved nothing binds nobody: its folder is taken over.
        """
        self.made = not self.to.exists()
        try:
            self.to.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingStopped(f"run folder '{self.to}': expected one that can be written, got {error}") from error
        written = self.to / "run.json"
        before = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else None
        self.goes_on = resume and before is not None and (before["done"] or has_state(self.to))
        if before is not None and self.goes_on:
            if other := _difference(before["identity"], identity):
                raise RecipeError(
                    f"run folder '{self.to}' holds another run: {other}; give another folder, or start anew "
                    "with resume=False (--anew)"
                )
            if before["done"]:
                return self.to / "checkpoint"
        return None

    def claim(self, identity: dict[str, Any], here: Processes) -> None:
        """Say whose the run folder is: after every check, so that what is refused leaves an earlier run as it was."""
        here.wait()
        if here.first and not self.goes_on:
            remove_state(self.to)
            write_json(self.to / "run.json", {"identity": identity, "done": False, "provenance": provenance()})
        here.wait()

    def leave(self) -> None:
        """Remove the run folder if it was made in vain."""
        if self.made:
            with contextlib.suppress(OSError):  # something lies in it
                self.to.rmdir()

    def build(self, here: Processes, init: str | Path | None, store: WindowStore | None) -> None:
        """Encoder, objective, windows and optimiser; every check before the first step is here."""
        recipe = self.recipe
        _check_device(recipe, here)
        kind: Any = lookup.method("objectives", recipe.objective["name"], Objective)
        torch.manual_seed(recipe.seed)
        encoder = build_encoder(
            recipe.encoder["name"], recipe.settings("encoder"), recipe.preprocessing.leads, recipe.preprocessing.fs
        )
        self.began_from = None if init is None else _take_weights(encoder, init)
        check_requires(kind, encoder)
        names, matrix = labels_for(kind, self.corpus, self.train_rows, self.labels)
        columns = columns_for(kind, self.corpus, self.train_rows, recipe.features_table)
        config = kind.Config.check(recipe.settings("objective"))
        self.two = "next" in kind.asks(config)
        self.objective: Objective = kind(encoder, config, names)
        if self.began_from is not None:
            _take_lead_head(self.objective, self.began_from)
        self.store = self._store(store)
        positions = self._usable(kind, self.train_rows)
        self.cuts = self._cuts(kind, positions)
        self.windows = self._windows(kind, positions, matrix, columns)
        self.look = None
        if len(self.validation_rows) and recipe.validate_every:
            self.look = self._windows(kind, self._usable(kind, self.validation_rows), matrix, columns)
        self.objective.before_training(*self._whole(kind, names, matrix, columns))
        self.objective.to(here.device, torch.float64 if recipe.precision == "float64" else torch.float32)
        if recipe.compile:
            self.objective.encoder.compile()
        record = self.corpus.index["record"]
        self.stepper = Stepper(recipe, self.objective, self.windows, here, lambda row: str(record[row]))

    def _store(self, given: WindowStore | None) -> WindowStore:
        if given is None:
            rows = np.concatenate([self.train_rows, self.validation_rows])
            return WindowStore(self.corpus, self.recipe.preprocessing, rows, folder=self.to, progress=self.progress)
        if given.preprocessing != self.recipe.preprocessing:
            raise RecipeError(
                f"store: expected records preprocessed as the recipe says, {self.recipe.preprocessing}, "
                f"got {given.preprocessing}"
            )
        return given

    def _usable(self, kind: type[Objective], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        positions = self.store.positions(rows)
        n_samples = self.store.n_samples[positions]
        usable = np.ones(len(positions), bool)
        if self.two:
            usable = long_enough(kind, n_samples, self.recipe.samples, self.store.fs)
        if "same_patient" in kind.needs:
            usable[usable] = several_records(self.store, positions[usable])
        self.counted_out += int((~usable).sum())
        return positions[usable]

    def _windows(
        self,
        kind: type[Objective],
        positions: NDArray[np.int64],
        matrix: NDArray[np.float32] | None,
        columns: dict[str, NDArray[np.float32]],
    ) -> Windows:
        rows = self.store.rows
        make = patient_windows if "same_patient" in kind.needs else Windows
        return make(
            self.store,
            positions,
            self.recipe.samples,
            seed=self.recipe.seed,
            labels=None if matrix is None else matrix[rows],
            columns={name: values[rows] for name, values in columns.items()},
            two=self.two,
            cuts=self.cuts,
        )

    def _whole(
        self,
        kind: type[Objective],
        labels: tuple[str, ...],
        matrix: NDArray[np.float32] | None,
        columns: dict[str, NDArray[np.float32]],
    ) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
        """The columns of the training part as a whole, and names."""
        whole = {name: torch.from_numpy(values[self.train_rows]) for name, values in columns.items()}
        names = column_names(kind, self.corpus, self.recipe.features_table)
        names["rows"] = tuple(self.corpus.index["record"].gather(self.train_rows))
        for cut in self.cuts:
            if isinstance(cut, FeatureCuts):
                values, names["rows"] = cut.of(self.store.positions(self.train_rows))
                whole["features"] = torch.from_numpy(values)
        if matrix is not None:
            whole["labels"], names["labels"] = torch.from_numpy(matrix[self.train_rows]), labels
        return whole, names

    def _cuts(self, kind: type[Objective], positions: NDArray[np.int64]) -> tuple[SampleColumns, ...]:
        """What is cut with the windows."""
        found: list[SampleColumns] = []
        if "waves" in kind.needs:
            found.append(self._waves(positions))
        if "fiducials" in kind.needs:
            found.append(FiducialCuts(self.corpus, self.store))
        table = self.recipe.features_table
        if "features" in kind.needs and several_windows(self.corpus, table):
            found.append(FeatureCuts(self.corpus, self.store, table))
        return tuple(found)

    def _waves(self, positions: NDArray[np.int64]) -> WaveMaps:
        maps = WaveMaps(self.corpus, self.store)
        if not maps.known(positions):
            raise ColumnMissing(
                f"objective '{self.recipe.objective['name']}' needs 'waves': expected a mark of a wave in at least one "
                f"of the {len(positions)} training records' leads {', '.join(self.store.leads)}, got none"
            )
        return maps

    def loop(self, here: Processes, tensorboard: bool) -> None:
        """From the resume state, or from the start, to the last step or to the end of patience."""
        recipe = self.recipe
        first = self.done = self._resume()
        with where(f"run '{self.to}'"):
            speed = self._speed(here)
        log = RunLog(self.to if here.first else None, first, tensorboard)
        log.write("start", first, **self._facts(here), gflop_per_window=speed.flop_per_window / 1e9)
        began = time.perf_counter() - self.seconds
        self.objective.train()
        try:
            for number in range(first, recipe.steps):
                if self._out_of_patience():
                    break
                started = time.perf_counter()
                with where(f"run '{self.to}'"):
                    self.last = self.stepper.step(number)
                speed.add(time.perf_counter() - started)
                done = self.done = number + 1
                self.seconds = time.perf_counter() - began
                if done % recipe.log_every == 0 or done == recipe.steps:
                    log.write("step", done, **self.last, **speed.take(), seconds=self.seconds)
                if self.look is not None and (done % recipe.validate_every == 0 or done == recipe.steps):
                    log.write("validation", done, **self._validate(self.look, done, here))
                if done % recipe.save_every == 0 and done < recipe.steps and here.first:
                    self._save(done)
                if self.progress is not None and here.first:
                    self.progress(done, recipe.steps, f"loss {self.last['loss']:.4g}")
        finally:
            log.close()

    def _speed(self, here: Processes) -> Speed:
        """With the operations of a window counted once, on a few."""
        batch = self.stepper.batch
        few = self.windows.draw(0, batch)[: min(COUNTED, batch // (self.recipe.accumulate * here.count))]
        windows = self.windows.batch(0, few).to(here.device, self.stepper.dtype)
        peak = self.recipe.peak_tflops
        flop = flop_per_window(self.objective, windows, self.recipe)
        return Speed(batch, flop, None if peak is None else peak * here.count)

    def _facts(self, here: Processes) -> dict[str, Any]:
        return {
            "n_records": self.windows.n_records,
            "n_counted_out": self.counted_out,
            "n_validation": 0 if self.look is None else len(self.look.positions),
            "batch": self.stepper.batch,
            "n_parameters": n_parameters(self.objective.encoder),
            "processes": here.count,
            "device": str(here.device),
        }

    def _out_of_patience(self) -> bool:
        return bool(self.recipe.patience) and self.best.looks_since >= self.recipe.patience

    def _validate(self, look: Windows, done: int, here: Processes) -> dict[str, float]:
        found = validation_score(self.objective, look, here, self.stepper.dtype, self.recipe.batch)
        score = here.share(found.pop("score"))
        if score > self.best.score:
            weights = {name: value.detach().clone() for name, value in self.objective.state_dict().items()}
            self.best = _Best(score, done, 0, found, weights)
        else:
            self.best.looks_since += 1
        return found

    def _fingerprints(self) -> NDArray[np.int8] | None:
        """Of all recordings that the weights have seen; None when those of the first weights are not known."""
        seen = _fingerprints(self.corpus, self.train_rows)
        if self.began_from is None or seen is None:
            return seen
        before = self.began_from.fingerprints
        return None if before is None else np.unique(np.concatenate([before, seen]), axis=0)

    def _save(self, done: int) -> None:
        tensors = {f"objective.{name}": value for name, value in self.objective.state_dict().items()}
        tensors |= optimiser_tensors(self.stepper.optimiser, self.objective)
        tensors |= {f"best.{name}": value for name, value in self.best.weights.items()}
        best = None
        if self.best.weights:
            best = {key: getattr(self.best, key) for key in ("score", "step", "looks_since", "found")}
        save_state(
            self.to,
            done,
            tensors,
            {"seconds": self.seconds, "best": best, "scaler": self.stepper.state(), "last": self.last},
        )

    def _resume(self) -> int:
        """Put the last whole state back; the number of steps that it has done, 0 without one."""
        found = load_state(self.to)
        if found is None:
            return 0
        done, tensors, facts = found
        self.objective.load_state_dict(_under("objective.", tensors))
        restore_optimiser(self.stepper.optimiser, self.objective, tensors)
        self.seconds, self.last = float(facts["seconds"]), facts["last"]
        if facts["best"] is not None:
            self.best = _Best(**facts["best"], weights=_under("best.", tensors))
        if facts["scaler"]:
            self.stepper.scaler.load_state_dict(facts["scaler"])
        return done

    def finish(self, identity: dict[str, Any], onnx: bool) -> None:
        """Write the checkpoint of the kept step, then say in ``run.json`` that the run is done."""
        if self.best.weights:
            self.objective.load_state_dict(self.best.weights)
        objective = self.objective.cpu().float().eval()
        kept = self.best.step or self.recipe.steps
        sources = credits(self.corpus.index["source"].gather(self.train_rows).to_list())
        said = {**provenance(), **identity, "facts": self.facts, "sources": sources}
        if self.began_from is not None:
            said["init_recipe"] = self.began_from.config["provenance"].get("recipe")
        if learnt := objective.learnt():
            said["learnt"] = learnt
        metrics = {
            "steps": self.done,
            "kept_step": kept,
            "view_passes": self.stepper.batch * self.done * objective.passes,
            "n_records": self.windows.n_records,
            "loss": self.last.get("loss"),
            "validation": self.best.found or None,
            "seconds": round(self.seconds, 3),
        }
        save_checkpoint(
            self.to / "checkpoint",
            objective.encoder,
            self.recipe.preprocessing,
            seconds=self.recipe.seconds,
            **_head(objective),
            provenance=said,
            metrics=metrics,
            fingerprints=self._fingerprints(),
            onnx=onnx,
        )
        write_json(self.to / "run.json", {"identity": identity, "done": True, "provenance": provenance()})
        remove_state(self.to)


def _check_device(recipe: PretrainRecipe, here: Processes) -> None:
    if recipe.precision == "float16" and here.device.type == "cpu":
        raise RecipeError("precision 'float16' needs CUDA: expected 'float32', 'bfloat16' or 'float64' on a CPU")
    if (recipe.batch // recipe.accumulate) % here.count:
        raise RecipeError(
            f"batch: expected a number that {here.count} processes × {recipe.accumulate} parts divide, "
            f"got {recipe.batch}"
        )


def _take_weights(encoder: torch.nn.Module, init: str | Path) -> Checkpoint:
    given = load(Path(init), "cpu")
    if given.encoder is None:
        raise CheckpointError(f"checkpoint '{init}' was loaded without its PyTorch encoder")
    try:
        encoder.load_state_dict(given.encoder.state_dict())
    except RuntimeError as error:
        raise CheckpointError(f"checkpoint '{init}' holds another encoder than the recipe's: {error}") from None
    return given


def _take_lead_head(objective: Objective, given: Checkpoint) -> None:
    """The head on leads of the run it began from, where that says of the same classes in layers of the same shapes."""
    own, head = objective.lead_head(), given.head
    if own is None or head is None or given.classes != own.classes:
        return
    there = list(head.state_dict().values())
    here = list(own.module.state_dict().values())
    if [x.shape for x in here] == [x.shape for x in there]:
        own.module.load_state_dict(dict(zip(own.module.state_dict(), there)))


def _head(objective: Objective) -> dict[str, Any]:
    """What the checkpoint is told of the objective's head."""
    on_leads = objective.lead_head()
    if on_leads is not None:
        return {"head": on_leads.module, "labels": on_leads.classes, "reads": "lead_tokens"}
    head = objective.head()
    return {"head": head, "labels": objective.labels if head is not None else ()}


def _fingerprints(corpus: Corpus, rows: NDArray[np.int64]) -> NDArray[np.int8] | None:
    if "fingerprint" not in corpus.index.columns:
        return None
    column: Iterable[Any] = corpus.index["fingerprint"].gather(rows).to_list()
    sketches = [sketch for sketch in column if sketch is not None]
    return np.array(sketches, np.int8) if sketches else None


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _difference(before: Any, now: Any, key: str = "") -> str:
    """The first place where two JSON values differ, in words; empty when they are equal."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            if found := _difference(before.get(name), now.get(name), f"{key}.{name}" if key else name):
                return found
        return ""
    return "" if before == now else f"{key} was {before!r}, now it is {now!r}"
