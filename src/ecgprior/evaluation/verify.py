"""Is a finished benchmark still what it says? Names every sample, label, fold, recipe value and figure that is not.

What is compared: stored bytes of the corpus with its index, and the index with ``folds.csv`` (signals, labels);
``folds.csv`` with the manifest's digest, the seeded split and the cells' test records (folds); the manifest's
recipe with its own digests and with the cells' (recipe); and every figure in the cells and in ``results.json``
with what the stored scores give (figures).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..corpus.shards import corpus_digest
from ..errors import CorpusError, EcgpriorError, describe
from ..provenance import digest_json
from .arms import Setting
from .benchmark import plain_rows, read_manifest
from .cells import CellName, CellStore
from .folds import Folds, changed_records, make_folds
from .metrics import auroc
from .plan import Arm, BenchmarkRecipe, ResolvedArm, flat
from .results import tables

if TYPE_CHECKING:
    from ..corpus.shards import Corpus

_CLOSE = 1e-9


def verify(result: str | Path, corpus: Corpus | str | Path) -> list[str]:
    """Everything about a benchmark that is not as it was, a sentence each; empty = all is.

    Parameters
    ----------
    result : path
        A result folder: ``manifest.json``, ``folds.csv``, ``cells/``; ``results.json`` when there.
    corpus : Corpus or path
        The corpus it was computed on.

    Raises
    ------
    CorpusError
        The folder holds no benchmark, or its fold file cannot be read.
    """
    from ..corpus.shards import Corpus

    to = Path(result)
    corpus = corpus if isinstance(corpus, Corpus) else Corpus(corpus)
    manifest = read_manifest(to)
    if manifest is None or not (to / "folds.csv").is_file():
        raise CorpusError(f"'{to}' holds no benchmark: expected manifest.json and folds.csv")
    found = _recipe_differences(manifest, _json(to / "results.json"))
    if found:  # what the tasks and arms were is no longer known for sure: read them from the other copy
        manifest = manifest | {
            "recipe": (_json(to / "results.json") or {}).get("recipe") or manifest["recipe"]
        }
    try:
        setting = _setting(manifest, corpus, to)
    except EcgpriorError as error:
        return [*found, f"recipe: {describe(error)}"]
    found += _sample_differences(setting)
    found += _label_differences(setting)
    moved = _fold_differences(setting, manifest, to)
    found += moved + _cell_differences(setting, to, said={"folds"} if moved else set())
    return found + (_table_differences(setting, to) if not found else [])


def _setting(manifest: Mapping[str, Any], corpus: Corpus, to: Path) -> Setting:
    plain = dict(manifest["recipe"])
    arms = [dict(arm) for arm in plain.pop("arms")]
    values = [arm.pop("pretrain_values") for arm in arms]
    recipe = BenchmarkRecipe.of({**plain, "arms": arms})
    resolved = tuple(ResolvedArm(Arm.check(a), v) for a, v in zip(arms, values, strict=True))
    folds = Folds.load(to / "folds.csv", int(manifest["folds"]["n"]), manifest["folds"]["sources"])
    return Setting(recipe, resolved, corpus, folds, to / "work")


def _recipe_differences(manifest: Mapping[str, Any], results: dict[str, Any] | None) -> list[str]:
    """The manifest's recipe against its own digests, value by value, and against the copy in results.json."""
    now, digests = flat(manifest["recipe"]), manifest["recipe_digests"]
    copy = flat(results["recipe"]) if results and results.get("recipe") else {}
    found = []
    for key in sorted({*now, *digests, *copy}):
        changed = digests.get(key) != (digest_json(now[key])[:12] if key in now else None)
        differs = bool(copy) and copy.get(key) != now.get(key)
        if changed or differs:
            was = f", it was {copy[key]!r}" if key in copy and differs else ""
            found.append(f"recipe: '{key}' is {now.get(key)!r}{was}")
    return found


def _sample_differences(setting: Setting) -> list[str]:
    corpus, records = setting.corpus, [*setting.folds.table["record"], *setting.unlabelled]
    there = set(corpus.index["record"])
    rows = corpus.rows(r for r in records if r in there)
    found = [
        f"sample: the stored signal of '{name}' is not the one of the corpus' index"
        for name in corpus.broken(rows)
    ]
    changed = changed_records(setting.folds, corpus.index, _vocabularies(setting))
    found += [
        f"sample: the signal of '{name}' is not the one the benchmark was run on"
        for name in changed["signal"]
    ]
    found += [f"corpus: '{name}' is in folds.csv but not in the corpus" for name in changed["missing"]]
    found += [f"corpus: '{name}' is in the corpus but not in folds.csv" for name in changed["new"]]
    return found


def _label_differences(setting: Setting) -> list[str]:
    changed = changed_records(setting.folds, setting.corpus.index, _vocabularies(setting))["labels"]
    found = [f"label: the labels of '{name}' are not those the benchmark was run on" for name in changed]
    corpus = setting.corpus
    if not found and corpus_digest(corpus.index, corpus.fs, corpus.leads) != corpus.digest:
        found.append("corpus: its index does not have the digest that its manifest says")
    return found


def _fold_differences(setting: Setting, manifest: Mapping[str, Any], to: Path) -> list[str]:
    if setting.folds.digest == manifest["folds"]["digest"]:
        return []
    found = []
    try:
        again = make_folds(setting.recipe, setting.corpus.index)
    except EcgpriorError:
        again = None
    if again is not None and again.digest == manifest["folds"]["digest"]:
        both = setting.folds.table.join(again.table, on="record", how="left", suffix="_split")
        for row in both.filter(pl.col("fold") != pl.col("fold_split")).iter_rows(named=True):
            found.append(
                f"fold: '{row['record']}' is in fold {row['fold']}, the split gave {row['fold_split']}"
            )
    return (
        found or _folds_by_cells(setting, to) or ["fold: folds.csv does not have the digest of manifest.json"]
    )


def _folds_by_cells(setting: Setting, to: Path) -> list[str]:
    fold = dict(zip(setting.folds.table["record"], setting.folds.table["fold"], strict=True))
    found = []
    for name, cell in _cells(setting, to).items():
        test = "test" if setting.folds.n == 1 else str(name.fold)
        for record in (r for task in cell["tasks"].values() for r in task["records"]):
            if fold.get(record) != test:
                found.append(f"fold: '{record}' is in fold {fold.get(record)}, cells tested it in {test}")
    return sorted(set(found))


def _cell_differences(setting: Setting, to: Path, said: set[str]) -> list[str]:
    """Keys of cells, less what was already said, and their figures computed again from their scores."""
    found: list[str] = []
    digest = setting.corpus.digest
    for name, cell in _cells(setting, to).items():
        expected = setting.key(name)
        off = [part for part in expected if cell["key"].get(part) != expected[part] and part not in said]
        found += [
            f"cell '{name}': it was computed with another {part} than the recipe and folds say"
            for part in off
        ]
        if cell["corpus"] != digest:
            found.append(f"cell '{name}': it was computed on a corpus with another digest")
        for task, part in cell["tasks"].items():
            found += [
                f"cell '{name}', task '{task}': {fault}" for fault in _faults(setting, name, task, part)
            ]
    return found


def _faults(setting: Setting, name: CellName, task: str, part: Mapping[str, Any]) -> Iterable[str]:
    labels, y = setting.truth[task]
    test = set(setting.folds.parts(name.fold)["test"])
    if stray := [r for r in part["records"] if r not in test]:
        yield f"record '{stray[0]}' is not in its test fold"
        return
    truth = y[setting.corpus.rows(part["records"])]
    for readout, values in part["readouts"].items():
        if "draws" in values:
            yield from _draw_faults(setting, readout, values, len(labels))
            continue
        scores = np.asarray(values["scores"], dtype=np.float64).T
        if scores.shape != truth.shape:
            yield f"{readout}: expected scores for {truth.shape[0]} records × {truth.shape[1]} labels"
            continue
        again = auroc(truth, scores)
        for label, stored, value in zip(labels, values["auroc"], again, strict=True):
            same = (stored is None) == bool(np.isnan(value))
            if not same or (stored is not None and abs(stored - value) > _CLOSE):
                yield f"{readout}: AUROC of '{label}' is {stored}, the stored scores give {value:.6f}"


def _draw_faults(setting: Setting, readout: str, values: Mapping[str, Any], n_labels: int) -> Iterable[str]:
    """Draws have no scores to compute their AUROC from: their number and range are looked at, the tables made of them too."""
    expected = setting.recipe.draws
    if readout == f"probe@{values['fraction']:g}" and values["fraction"] not in setting.recipe.fractions:
        return  # of a recipe that asked for more
    if len(values["draws"]) != expected or any(len(one) != n_labels for one in values["draws"]):
        yield f"{readout}: expected {expected} draws of {n_labels} labels"
    elif any(not 0 <= area <= 1 for one in values["draws"] for area in one if area is not None):
        yield f"{readout}: expected AUROC between 0 and 1"


def _table_differences(setting: Setting, to: Path) -> list[str]:
    stored = _json(to / "results.json")
    if stored is None:
        return []
    again = tables(setting, _cells(setting, to))
    found = []
    for kind in ("summary", "labels", "contrasts", "efficiency", "retrieval"):
        now, then = json.loads(json.dumps(plain_rows(getattr(again, kind)))), stored.get(kind, [])
        if len(now) != len(then):
            found.append(f"results.json: {kind} has {len(then)} rows, the cells give {len(now)}")
        older = _LATER - {k for old in then for k in old}
        for old, new in zip(then, now, strict=False):
            asked = [k for k in new if k not in older]
            off = [k for k in asked if old.get(k) != new[k] and not _near(old.get(k), new[k])]
            place = "/".join(str(new[k]) for k in _PLACE if k in new)
            found += [f"results.json: {k} of {place} is {old.get(k)}, the cells give {new[k]}" for k in off]
    return found


_LATER = {"difference_seeds"}
"""Columns that results of earlier versions do not have."""
_PLACE = ("arm", "readout", "fraction", "against", "scope", "task", "label")


def _near(a: Any, b: Any) -> bool:
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    return numbers and abs(a - b) <= 2e-6  # six digits are stored


def _cells(setting: Setting, to: Path) -> dict[CellName, dict[str, Any]]:
    store = CellStore(to)
    return {name: cell for name in setting.cells() if (cell := store.read(name)) is not None}


def _vocabularies(setting: Setting) -> set[str]:
    return {task.vocabulary for task in setting.recipe.tasks}


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorpusError(f"'{path.name}': expected JSON, got {error}") from None
