"""Every way of reading a cell's encoder out, and what of it a cell's JSON holds.

A readout is stored under its name with scores of every test record and the AUROC of just these rounded scores:

- ``probe``: a linear probe on the frozen embedding (of an arm on measured features: on them); ``trees``: boosted trees on the
  features; ``head``: the probabilities of an encoder that was trained on the labels. These are always there.
- ``knn``, ``stacked``, ``finetune``: as the recipe's ``readouts`` asks.
- ``probe:NAME``: the same probe on changed test records, one for each of the recipe's ``changed``.
- ``probe@0.25``: the probe on a quarter of the labels; AUROC of each draw, no scores.

Of an arm on measured features only the linear one is read out with fewer labels.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..provenance import digest_json, write_json
from . import fractions, nearest, retrieval, stacking
from .cells import CellName, alone
from .embedded import Embedded
from .feature_arms import read_features, settings_of, standardised
from .folds import PARTS
from .metrics import Array, auroc
from .plan import BenchmarkRecipe, ResolvedArm
from .probe import Probe, fit_probe, labelled_rows
from .tasks import patients_of

if TYPE_CHECKING:
    from .arms import Setting

Readout = dict[str, Any]


def asked(recipe: BenchmarkRecipe, arm: ResolvedArm) -> dict[str, Any]:
    """What a recipe asks of an arm's cells besides what is always there, as JSON values; empty for most recipes.

    A cell's key holds its digest, so that a cell that lacks a readout is noticed; the weights do not depend on it.
    """
    found: dict[str, Any] = {}
    if recipe.fractions and arm.arm.features != "trees":
        found["fractions"] = {
            "each": sorted(recipe.fractions),
            "draws": recipe.draws,
            "least": fractions.LEAST,
        }
    if arm.arm.features is not None:
        return found
    if "knn" in recipe.readouts:
        found["knn"] = {"k": list(nearest.KS), "temperature": nearest.TEMPERATURE}
    if "stacked" in recipe.readouts:
        found["stacked"] = {
            "trees": settings_of("trees"),
            "folds": stacking.INNER_FOLDS,
            "spread": stacking.SPREAD,
        }
    if "finetune" in recipe.readouts:
        found["finetune"] = recipe.finetune.model_dump(mode="json")
    if recipe.changed:
        found["changed"] = [change.model_dump(mode="json", exclude_none=True) for change in recipe.changed]
    if recipe.retrieval:
        found["retrieval"] = {
            "k": retrieval.K,
            "similar": retrieval.SIMILAR,
            "strengths": list(retrieval.STRENGTHS),
        }
    return found


def needs_features(recipe: BenchmarkRecipe, arm: ResolvedArm) -> bool:
    """Whether a cell of the arm looks at the measured features once its encoder is there."""
    return arm.arm.features is not None or bool({"stacked", "retrieval"} & asked(recipe, arm).keys())


@dataclass(frozen=True, eq=False)
class Given:
    """What a cell's readouts are given.

    Attributes
    ----------
    rows : ndarray, int64, (N,)
        Of the corpus, rising: every labelled record.
    x : ndarray, float, (N, D)
        Embeddings, or measured features.
    chance, head : ndarray, float32, (N, H), or None; tuple of str, (H,)
        Probabilities of an encoder's own head, named ``task/label``.
    changed : dict of str to Embedded
        Of the test records.
    tuned, tuned_head, tuned_facts : Embedded or None; tuple of str; dict
        Of the fine-tuned encoder, the test records.
    """

    rows: NDArray[np.int64]
    x: NDArray[np.floating]
    chance: NDArray[np.float32] | None = None
    head: tuple[str, ...] = ()
    changed: dict[str, Embedded] = field(default_factory=dict)
    tuned: Embedded | None = None
    tuned_head: tuple[str, ...] = ()
    tuned_facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Parts:
    """One task of one cell, part by part: rows of the corpus, vectors, labels."""

    name: CellName
    task: str
    labels: tuple[str, ...]
    rows: dict[str, NDArray[np.int64]]
    x: dict[str, Array]
    y: dict[str, Array]


def read_task(
    setting: Setting, name: CellName, task: str, parts: Mapping[str, list[str]], given: Given
) -> dict[str, Any]:
    """One task of a cell: the test records and, by each way of reading the encoder out, scores and AUROC.

    Raises
    ------
    CorpusError
        A part holds no labelled record, or a score is not finite.
    """
    labels, y = setting.truth[task]
    rows = {part: labelled_rows(setting.corpus, parts, part, y, task) for part in PARTS}
    x = {
        part: np.asarray(given.x[np.searchsorted(given.rows, rows[part])], dtype=np.float64) for part in PARTS
    }
    own = _Parts(name, task, labels, rows, x, {part: y[rows[part]].astype(np.float64) for part in PARTS})
    kind = setting.arm(name).arm.features
    readouts = _of_encoder(setting, own, given) if kind is None else _of_features(setting, own, kind)
    records = setting.corpus.index["record"].gather(rows["test"]).to_list()
    counts = {part: len(rows[part]) for part in PARTS}
    return {"labels": list(labels), "n": counts, "records": records, "readouts": readouts}


def _of_features(setting: Setting, own: _Parts, kind: Any) -> dict[str, Readout]:
    names = setting.measured.names
    probability, facts = read_features(kind, names, own.x, own.y, own.name.seed)
    found = {"probe" if kind == "linear" else kind: _scored(own, probability) | facts}
    if kind == "linear" and setting.recipe.fractions:
        found |= _fractions(setting, own, standardised(names, own.x))
    return found


def _of_encoder(setting: Setting, own: _Parts, given: Given) -> dict[str, Readout]:
    recipe = setting.recipe
    x, y = own.x, own.y
    fitted = fit_probe(x["train"], y["train"], x["validation"], y["validation"])
    facts: dict[str, Any] = {"strength": fitted.strength, "chosen_by": fitted.chosen_by}
    found = {"probe": _scored(own, fitted.predict(x["test"])) | facts}
    if given.chance is not None:
        found["head"] = _scored(own, _columns(own, given.rows, given.chance, given.head))
    if "knn" in recipe.readouts:
        probability, facts = nearest.read_nearest(x, y)
        found["knn"] = _scored(own, probability) | facts
    if "stacked" in recipe.readouts:
        probability, facts = _stacked(setting, own)
        found["stacked"] = _scored(own, probability) | facts
    if given.tuned is not None and given.tuned.chance is not None:
        tuned = _columns(own, given.tuned.rows, given.tuned.chance, given.tuned_head)
        found["finetune"] = _scored(own, tuned) | given.tuned_facts
    found |= _fractions(setting, own, x)
    for name, changed in given.changed.items():
        found[f"probe:{name}"] = _changed(own, fitted, changed)
    return found


def _columns(
    own: _Parts, rows: NDArray[np.int64], chance: NDArray[np.float32], head: tuple[str, ...]
) -> NDArray[np.float32]:
    """A head's probabilities of the task's labels for its test records."""
    columns = [head.index(f"{own.task}/{label}") for label in own.labels]
    return chance[np.searchsorted(rows, own.rows["test"])][:, columns]


def _changed(own: _Parts, fitted: Probe, changed: Embedded) -> Readout:
    """A record of which no lead is left counts as the mean of the training part: it says nothing for or against."""
    x = np.asarray(changed.x[np.searchsorted(changed.rows, own.rows["test"])], dtype=np.float64)
    lost = np.isnan(x).any(axis=1)
    x[lost] = own.x["train"].mean(axis=0)
    return _scored(own, fitted.predict(x)) | {"without_leads": int(lost.sum())}


def _fractions(setting: Setting, own: _Parts, x: Mapping[str, Array]) -> dict[str, Readout]:
    recipe = setting.recipe
    patients = patients_of(setting.corpus.index)[own.rows["train"]]
    found = {}
    for share in recipe.fractions:
        seed = [recipe.split.seed, own.name.fold, zlib.crc32(own.task.encode()), round(1e6 * share)]
        found[f"probe@{share:g}"] = fractions.read_fraction(x, own.y, patients, share, recipe.draws, seed)
    return found


def _stacked(setting: Setting, own: _Parts) -> tuple[Array, dict[str, Any]]:
    patients = patients_of(setting.corpus.index)[own.rows["train"]]
    fold = stacking.inner_folds(own.y["train"], patients)
    embedding = stacking.embedding_logits(own.x, own.y, fold)
    return stacking.stack(embedding, _trees(setting, own, fold), own.y["train"])


def _trees(setting: Setting, own: _Parts, fold: NDArray[np.int64]) -> stacking.SideLogits:
    """The features' side of a stack: the same for all arms and seeds, so it is grown once and kept in the work folder."""
    measured = setting.measured
    given = [fold, *own.rows.values(), own.y["train"], own.y["validation"]]
    sums = [hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest() for one in given]
    digest = digest_json([measured.digest, setting.corpus.digest, sums, settings_of("trees")])
    folder = setting.work / f"stack-{own.task}-f{own.name.fold}-{digest[:12]}"
    logits, about = folder / "logits.npz", folder / "about.json"
    with alone(folder):
        if not about.is_file():
            x = {part: measured.values[np.searchsorted(measured.rows, own.rows[part])] for part in PARTS}
            grown = stacking.tree_logits(x, own.y, fold, seed=0)
            np.savez(logits, train=grown.train, test=grown.test)
            write_json(about, grown.facts)  # last: with it the folder is complete
        with np.load(logits) as file:
            return stacking.SideLogits(
                file["train"], file["test"], json.loads(about.read_text(encoding="utf-8"))
            )


def read_retrieval(setting: Setting, parts: Mapping[str, list[str]], given: Given) -> dict[str, Any]:
    """What the embedding knows of physiology, over the labelled records of all tasks.

    Raises
    ------
    ColumnMissing
        No feature belongs to a block of physiology.
    """
    measured = setting.measured
    x, features, records = {}, {}, {}
    for part in PARTS:
        rows = np.intersect1d(np.asarray(setting.corpus.rows(parts[part]), dtype=np.int64), given.rows)
        x[part] = given.x[np.searchsorted(given.rows, rows)]
        features[part] = measured.values[np.searchsorted(measured.rows, rows)]
        records[part] = setting.corpus.index["record"].gather(rows).to_list()
    return retrieval.retrieve(x, features, measured.names, records["train"])


def _scored(own: _Parts, probability: NDArray[np.floating]) -> Readout:
    """Scores of five significant digits, label by label, and the AUROC of just these rounded scores."""
    if not np.isfinite(probability).all():
        raise CorpusError("scores: expected finite probabilities, got NaN or infinity")
    scores = rounded(probability)
    return {
        "auroc": [None if np.isnan(a) else round(float(a), 12) for a in auroc(own.y["test"], scores)],
        "scores": [column.tolist() for column in scores.T],
    }


def rounded(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """To five significant digits, as they are stored."""
    flat = [float(f"{value:.5g}") for value in np.asarray(values, dtype=np.float64).ravel()]
    return np.array(flat, dtype=np.float64).reshape(np.shape(values))
