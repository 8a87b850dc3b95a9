"""A benchmark: arms × tasks × seeds × folds on one corpus, resumable, shared by any number of processes.

The result folder holds ``manifest.json`` (the resolved recipe, digests), ``folds.csv``, ``cells/*.json`` – these
three are enough to go on elsewhere – and ``results.json``, ``results.csv``, ``results.md`` made from them. Runs,
checkpoints and embeddings lie in the work folder, which may be thrown away.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..errors import CorpusError, RecipeError, where
from ..jobs import local_processes
from ..provenance import atomic_open, digest_json, provenance, write_json
from ..recipe import to_plain
from .arms import Setting, compute_cell
from .cells import CellName, CellStore
from .folds import Folds, check_folds, make_folds
from .plan import BenchmarkRecipe, ResolvedArm, flat, resolve_arms
from .readouts import needs_features
from .results import Tables, tables
from .table_text import SIMULATOR, TOLD, markdown

if TYPE_CHECKING:
    from ..corpus.shards import Corpus

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class BenchmarkResult:
    """A benchmark's result folder, read.

    Attributes
    ----------
    path : Path
    title : str
    tables : Tables
    notes : tuple of str
        What a reader must know: dropped labels, records left out, cells of another corpus, overlap.
    finished, planned : int
        Cells.
    manifest : dict
    """

    path: Path
    title: str
    tables: Tables
    notes: tuple[str, ...]
    finished: int
    planned: int
    manifest: dict[str, Any]


def benchmark(
    recipe: BenchmarkRecipe | Mapping[str, Any] | str | Path,
    corpus: Corpus | str | Path,
    to: str | Path,
    *,
    work: str | Path | None = None,
    workers: int = 1,
    device: str | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> BenchmarkResult:
    """Compute what is not yet there of a benchmark, and make its tables.

    Parameters
    ----------
    recipe : BenchmarkRecipe, mapping, or path or name of a recipe
    corpus : Corpus or path
    to : path
        The result folder. Finished cells in it are not computed again; another process may work on it.
    work : path, optional
        Where runs, checkpoints and embeddings go; default ``to/work``.
    workers : int
        Processes that share the cells.
    device : str, optional
        None = CUDA when there is one, else the CPU.
    progress : callable, optional
        ``(cells done, cells planned, text)``.
    say : callable, optional
        Is told, before the first cell, what there is to do and how long it will take.

    Raises
    ------
    RecipeError
        The recipe is wrong, or a finished cell belongs to another one.
    CorpusError
        The corpus does not hold what the tasks ask for, or ``folds.csv`` is of another corpus.
    """
    from ..corpus.shards import Corpus

    recipe = _recipe(recipe)
    corpus = Corpus(corpus) if isinstance(corpus, str | Path) else corpus
    setting = open_setting(recipe, corpus, Path(to), work=work, device=device)
    store = CellStore(Path(to))
    todo = [name for name in setting.cells() if finished_cell(setting, store, name) is None]
    if say is not None and todo:
        from .projection import project

        say(project(setting, store, todo, workers))
    if workers > 1 and len(todo) > 1:
        _share(setting, Path(to), min(workers, len(todo)), progress)
    else:
        run_cells(setting, store, progress)
    return write_results(setting, Path(to))


def _recipe(recipe: BenchmarkRecipe | Mapping[str, Any] | str | Path) -> BenchmarkRecipe:
    if isinstance(recipe, BenchmarkRecipe):
        return BenchmarkRecipe.of(to_plain(recipe))
    return BenchmarkRecipe.of(recipe) if isinstance(recipe, Mapping) else BenchmarkRecipe.read(recipe)


def open_setting(
    recipe: BenchmarkRecipe,
    corpus: Corpus,
    to: Path,
    *,
    work: str | Path | None = None,
    device: str | None = None,
) -> Setting:
    """Check recipe, corpus and result folder against each other; makes ``folds.csv`` and ``manifest.json``."""
    from ..training.needs import check_lead_names

    arms = resolve_arms(recipe)
    for task in recipe.tasks:  # every refusal comes before anything is written
        with where(f"task '{task.name}'"):
            task.matrix(corpus.index)
    for change in recipe.changed:
        check_lead_names(change.leads, corpus, f"change '{change.name}'")
    to.mkdir(parents=True, exist_ok=True)
    before = read_manifest(to)
    folds, notes = _folds(recipe, corpus.index, to, before)
    folder = Path(work) if work is not None else to / "work"
    folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(recipe, arms, corpus, folds, folder, device)
    if any(needs_features(recipe, arm) for arm in arms):
        _ = setting.measured  # refused now, not after hours
    for arm in arms:
        if arm.arm.trunk_labels:
            _ = setting.trunk(arm)  # likewise
    plain = to_plain(recipe) | {"arms": [{**to_plain(a.arm), "pretrain_values": a.values} for a in arms]}
    present = set(corpus.index["source"])
    manifest = {
        "kind": "ecgprior-benchmark",
        "format_version": 1,
        "recipe": plain,
        "recipe_digests": {key: digest_json(value)[:12] for key, value in flat(plain).items()},
        "folds": {
            "n": folds.n,
            "records": folds.table.height,
            "digest": folds.digest,
            "sources": folds.facts,
        },
        "labels": {
            task.name: {
                "kept": {n: int((y[:, c] == 1).sum()) for c, n in enumerate(names)},
                "dropped": task.dropped(corpus.index),
                "records": int((~np.isnan(y)).any(axis=1).sum()),
            }
            for task, (names, y) in zip(recipe.tasks, setting.truth.values(), strict=True)
        },
        "unlabelled": {s: s in present for s in recipe.unlabelled_sources},
        "corpus": corpus.digest,
        "notes": notes,
    }
    if before is None or {k: v for k, v in before.items() if k != "provenance"} != json.loads(
        json.dumps(manifest)
    ):
        write_json(to / "manifest.json", manifest | {"provenance": provenance()})
    return setting


def read_manifest(to: Path) -> dict[str, Any] | None:
    """``manifest.json`` of a result folder, or None.

    Raises
    ------
    CorpusError
        It is not a benchmark's manifest of this version.
    """
    try:
        manifest = json.loads((to / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorpusError(f"manifest.json of '{to}': expected JSON, got {error}") from None
    if not isinstance(manifest, dict) or manifest.get("kind") != "ecgprior-benchmark":
        raise CorpusError(
            f"manifest.json of '{to}': expected kind ecgprior-benchmark; take another result folder"
        )
    if manifest.get("format_version") != 1:
        raise CorpusError(
            f"manifest.json of '{to}': expected format_version 1, got {manifest.get('format_version')}"
        )
    return manifest


def _folds(
    recipe: BenchmarkRecipe, index: pl.DataFrame, to: Path, before: dict[str, Any] | None
) -> tuple[Folds, list[str]]:
    path = to / "folds.csv"
    n = recipe.split.folds if recipe.split.kind == "cv" else 1
    if not path.is_file():
        folds = make_folds(recipe, index)
        folds.save(path)
        return folds, []
    if before is not None:
        for key in ("kind", "folds", "seed"):
            old, now = before["recipe"]["split"][key], getattr(recipe.split, key)
            if old != now:
                raise RecipeError(
                    f"recipe key 'split.{key}': '{path}' was made with {old!r}, got {now!r}; take another result folder"
                )
    folds = Folds.load(path, n, before["folds"]["sources"] if before else {"given": path.name})
    return folds, check_folds(folds, index, {task.vocabulary for task in recipe.tasks})


def finished_cell(setting: Setting, store: CellStore, name: CellName) -> dict[str, Any] | None:
    """A finished cell of this very recipe, or None.

    Raises
    ------
    RecipeError
        There is a cell, of another recipe, fold file, or set of labels.
    """
    cell = store.read(name)
    if cell is None:
        return None
    expected = setting.key(name)
    if other := [part for part in expected if cell["key"].get(part) != expected[part]]:
        raise RecipeError(
            f"cell '{name}' was computed with other {_and(other)} than this recipe's: delete {store.path(name)} to "
            f"compute it again{_KEEPS if other == ['readouts'] else ''}, or take another result folder"
        )
    return cell


_KEEPS = " (its encoder is not trained again while the work folder is there)"


def _and(parts: Sequence[str]) -> str:
    words = {
        "arm": "settings of its arm",
        "unlabelled": "unlabelled records",
        "features": "measured features",
        "fiducials": "measured fiducials",
        "trunk": "records or labels in its trunk",
    }
    return " and ".join(words.get(part, part) for part in parts)


def run_cells(setting: Setting, store: CellStore, progress: Progress | None = None) -> None:
    """Compute every cell that is neither finished nor claimed by another process."""
    names = setting.cells()
    done = 0
    for name in names:
        if finished_cell(setting, store, name) is None:
            with store.claim(name) as mine:
                if not mine:
                    continue
                inner = None
                if progress is not None:
                    progress(done, len(names), str(name))

                    def inner(step: int, of: int, text: str, name: CellName = name, done: int = done) -> None:
                        progress(done, len(names), f"{name}: {step}/{of} {text}")

                store.write(name, compute_cell(setting, name, inner))
        done += 1
        if progress is not None:
            progress(done, len(names), str(name))


def _share(setting: Setting, to: Path, workers: int, progress: Progress | None) -> None:
    """Let `workers` processes run the cells; the first error of any of them is raised here."""
    store, names = CellStore(to), setting.cells()
    plain = to_plain(setting.recipe)
    with local_processes(workers) as pool:
        jobs = [
            pool.submit(_worker, plain, setting.corpus.path, to, setting.work, setting.device, workers)
            for _ in range(workers)
        ]
        running = set(jobs)
        while running:
            finished, running = wait(running, timeout=1.0, return_when="FIRST_EXCEPTION")
            for job in finished:
                job.result()
            if progress is not None:
                done = sum(store.path(name).exists() for name in names)
                at_work = ", ".join(str(name) for name in names if store.claimed(name))
                progress(done, len(names), at_work)


def _worker(
    recipe: dict[str, Any], corpus: Path, to: Path, work: Path, device: str | None, workers: int
) -> None:
    import os

    import torch

    from ..corpus.shards import Corpus

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    setting = open_setting(BenchmarkRecipe.of(recipe), Corpus(corpus), to, work=work, device=device)
    run_cells(setting, CellStore(to))


def write_results(setting: Setting, to: Path) -> BenchmarkResult:
    """Make ``results.json``, ``results.csv`` and ``results.md`` from the cells that are there."""
    store = CellStore(to)
    names = setting.cells()
    cells = {name: cell for name in names if (cell := finished_cell(setting, store, name)) is not None}
    manifest = read_manifest(to) or {}
    with where(f"result '{to}'"):
        found = tables(setting, cells)
    said = _notes(setting, found, manifest, len(cells), len(names))
    notes = (*setting.recipe.notes, *manifest.get("notes", []), *said)
    result = BenchmarkResult(to, setting.recipe.title, found, notes, len(cells), len(names), manifest)
    write_json(
        to / "results.json",
        {
            "title": result.title,
            "finished": result.finished,
            "planned": result.planned,
            "notes": list(notes),
            "recipe": manifest.get("recipe"),
            "summary": plain_rows(found.summary),
            "labels": plain_rows(found.labels),
            "contrasts": plain_rows(found.contrasts),
            "efficiency": plain_rows(found.efficiency),
            "retrieval": plain_rows(found.retrieval),
            "cells": plain_rows(found.cells),
            "provenance": provenance(),
        },
    )
    with atomic_open(to / "results.csv") as file:
        file.write(_long_csv(found))
    with atomic_open(to / "results.md") as file:
        cells_said = f"{result.finished} of {result.planned}"
        file.write(markdown(setting.recipe, found, notes, cells_said))
    return result


def _notes(
    setting: Setting, found: Tables, manifest: dict[str, Any], finished: int, planned: int
) -> list[str]:
    notes = []
    if finished < planned:
        notes.append(
            f"Not finished: {finished} of {planned} cells; arms count the seeds of which all folds are there."
        )
    seen = found.cells["test_seen_in_training"].drop_nulls().sum() if found.cells.height else 0
    notes.append(f"Test recordings among those an encoder was trained on, by fingerprint: {int(seen)}.")
    if others := int(found.cells["other_corpus"].sum()):
        notes.append(f"{others} cells were computed on a corpus with another digest than this one.")
    for task, facts in manifest.get("labels", {}).items():
        if facts["dropped"]:
            dropped = ", ".join(f"{label} ({n})" for label, n in facts["dropped"].items())
            notes.append(f"Labels of {task} dropped for too few records of one class: {dropped}.")
    if absent := [source for source, there in manifest.get("unlabelled", {}).items() if not there]:
        notes.append(f"Unlabelled sources that the corpus does not hold: {', '.join(absent)}.")
    if setting.recipe.trunk is not None:
        present = set(setting.corpus.index["source"])
        if absent := [source for source in setting.recipe.trunk.sources if source not in present]:
            notes.append(f"Sources of the trunk that the corpus does not hold: {', '.join(absent)}.")
    notes += [_told(setting, arm) for arm in setting.arms if arm.arm.trunk_labels]
    family, floor = found.contrasts["family"].max(), 2 / (1 + setting.recipe.replicates)
    if isinstance(family, int) and family * floor > 1 - setting.recipe.level:
        notes.append(
            f"{setting.recipe.replicates:,} replicates are too few for {family} contrasts: no adjusted p can be below "
            f"{family * floor:.2g}. Set replicates to {round(2 * family / (1 - setting.recipe.level)):,} or more."
        )
    left = found.labels.filter(pl.col("folds_left_out") > 0).unique(["task", "label"], maintain_order=True)
    if left.height:
        each = ", ".join(
            f"{r['task']}/{r['label']} ({r['folds_left_out']})" for r in left.iter_rows(named=True)
        )
        notes.append(f"Test folds left out because the label has one class there: {each}.")
    return notes


def _told(setting: Setting, arm: ResolvedArm) -> str:
    """What an arm is told that others are not."""
    trunk = setting.trunk(arm)
    sources = sorted(set(setting.corpus.index["source"].gather(trunk.rows)))
    return (
        f"{arm.name} {TOLD}: before the tasks' labels it learnt the labels '{arm.arm.trunk_labels}' of "
        f"{len(trunk.records):,} records of {', '.join(sources)}"
        f"{SIMULATOR if arm.arm.trunk_labels == 'simulated' else ''}. Self-supervised arms see those records without labels."
    )


def plain_rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON values: NaN becomes null, numbers are rounded to six digits."""
    rows = []
    for row in table.iter_rows(named=True):
        numbers = {k: (None if v != v else round(v, 6)) for k, v in row.items() if isinstance(v, float)}
        rows.append({k: numbers.get(k, v) for k, v in row.items()})
    return rows


def _long_csv(found: Tables) -> str:
    """One line a number: level, arm, readout, scope, label, metric, value, low, high."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["arm", "readout", "scope", "label", "metric", "value", "low", "high"])
    for row in plain_rows(found.summary):
        head = [row["arm"], row["readout"], row["scope"], ""]
        out.writerow([*head, "auroc", row["auroc"], row["low"], row["high"]])
        if row["difference"] is not None:
            ends = [row["difference_low"], row["difference_high"]]
            out.writerow([*head, "auroc_difference", row["difference"], *ends])
        for metric in ("auprc", "f_max", "brier", "ece"):
            if row[metric] is not None:
                out.writerow([*head, metric, row[metric], "", ""])
    for row in plain_rows(found.labels):
        head = [row["arm"], row["readout"], row["task"], row["label"]]
        out.writerow([*head, "auroc", row["auroc"], row["low"], row["high"]])
        for metric in ("auprc", "f1_max", "brier", "ece", "n", "positives"):
            out.writerow([*head, metric, row[metric], "", ""])
    for row in plain_rows(found.efficiency):
        head = [row["arm"], f"probe@{row['fraction']:g}", row["scope"], ""]
        out.writerow([*head, "auroc", row["auroc"], row["low"], row["high"]])
    for row in plain_rows(found.retrieval):
        for metric in ("precision", "chance", "r2_median"):
            out.writerow([row["arm"], "retrieval", "", "", metric, row[metric], "", ""])
    for row in plain_rows(found.contrasts):
        head = [
            row["arm"],
            row["readout"],
            row["scope"],
            f"against {row['against']} ({row['against_readout']})",
        ]
        out.writerow([*head, "contrast", row["difference"], row["low"], row["high"]])
        for metric in ("p", "p_holm"):
            if row[metric] is not None:
                out.writerow([*head, f"contrast_{metric}", row[metric], "", ""])
    return text.getvalue()
