"""Retrieval: are the ECGs that lie near in the embedding physiologically similar?

For every test record the k nearest training records by embedding (cosine, as :mod:`.nearest` has it) are looked up among the
5 % of training records that are physiologically most similar to it, by the measured features
(:class:`~ecgprior.physiology.similarity.BlockSpace`, fitted on the training part). And a ridge regression says how much of
each feature can be read off the embedding: the median, over features, of R² on the test records, of features as robust
z-scores cut at ±4. Its strength is chosen by the same median on the validation part. Nothing is a label here.

Of more than 20,000 training or 2,000 test records so many are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..physiology.features.registry import FEATURES
from ..physiology.similarity import BlockSpace, Standardiser
from .metrics import Array
from .nearest import Directions, nearest

K = 10
SIMILAR = 0.05
STRENGTHS = tuple(float(s) for s in np.logspace(-4, 2, 7))
"""Of the ridge: strength · ‖w‖² beside the mean squared error, on standardised embeddings."""

MOST = {"train": 20_000, "validation": 2_000, "test": 2_000}
_FEWEST = 10  # measured test records without which a feature has no R²


def retrieve(
    x: Mapping[str, NDArray[np.floating]],
    features: Mapping[str, NDArray[np.floating]],
    names: Sequence[str],
    records: Sequence[str],
) -> dict[str, Any]:
    """Precision of retrieval and R² of the features, as JSON values.

    Parameters
    ----------
    x : mapping of "train", "validation", "test" to ndarray, float, (N, D)
        Embeddings.
    features : mapping of the same to ndarray, float, (N, F), each column in its own unit
        NaN = not measured.
    names : sequence of str, (F,)
    records : sequence of str, (N,)
        Of the training part.

    Returns
    -------
    dict
        ``k``; ``precision``, ``chance`` (what random neighbours would give), ``queries`` (test records of which enough is
        measured), ``among``; ``r2_median``, ``r2_low``, ``r2_high`` (quartiles), ``features``, ``strength``. None = not
        defined.

    Raises
    ------
    ColumnMissing
        No feature belongs to a block of physiology.
    """
    drawn = {part: _some(len(values), MOST[part]) for part, values in x.items()}
    given = {part: np.asarray(values[drawn[part]], dtype=np.float64) for part, values in x.items()}
    measured = {part: np.asarray(values[drawn[part]], dtype=np.float64) for part, values in features.items()}
    ids = [records[row] for row in drawn["train"]]
    return {**_precision(given, measured, names, ids), **_readable(given, measured, names)}


def _some(n: int, most: int) -> NDArray[np.int64]:
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(n).choice(n, most, replace=False))


def _precision(
    x: Mapping[str, Array], features: Mapping[str, Array], names: Sequence[str], ids: Sequence[str]
) -> dict[str, Any]:
    blocks = {name: feature.block for name, feature in FEATURES.items()}
    space = BlockSpace.fit(features["train"], names, blocks, ids=ids)
    alike = space.similarity(space.coordinates(features["test"]), space.coordinates(features["train"]))
    direct = Directions.of(x["train"])
    near = nearest(direct(x["test"]), direct(x["train"]), min(K, len(ids))).row
    hits, chances = [], []
    for row, similarity in zip(near, alike, strict=True):
        similar = _most_similar(similarity)
        if similar.any():
            hits.append(similar[row].mean())
            chances.append(similar.mean())
    mean = lambda values: round(float(np.mean(values)), 6) if values else None  # noqa: E731
    return {"k": K, "precision": mean(hits), "chance": mean(chances), "queries": len(hits), "among": len(ids)}


def _most_similar(similarity: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The 5 % most similar of the rows that can be compared, less those that are not similar at all."""
    known = np.flatnonzero(~np.isnan(similarity))
    count = int(np.ceil(SIMILAR * len(known)))
    order = known[np.argsort(-similarity[known], kind="stable")[:count]]
    found = np.zeros(len(similarity), dtype=bool)
    found[order[similarity[order] > 0]] = True
    return found


def _readable(x: Mapping[str, Array], features: Mapping[str, Array], names: Sequence[str]) -> dict[str, Any]:
    standardiser = Standardiser.fit(features["train"], tuple(names))
    z, there = {}, {}
    for part, values in features.items():
        standard, there[part] = standardiser.transform(values)
        z[part] = standard.astype(np.float64)
    mean, deviation = x["train"].mean(axis=0), x["train"].std(axis=0)
    deviation = np.where(deviation > 1e-6 * (1e-6 + np.abs(mean)), deviation, np.inf)
    flat = {part: (values - mean) / deviation for part, values in x.items()}
    strength = _strength(flat, z, there)
    guessed = _ridge(flat["train"], z["train"], there["train"], strength, flat["test"])
    r2 = r_squared(z["test"], guessed, there["test"])
    known = r2[~np.isnan(r2)]
    quartiles = (
        [round(float(q), 6) for q in np.quantile(known, [0.25, 0.5, 0.75])] if len(known) else [None] * 3
    )
    said = dict(zip(("r2_low", "r2_median", "r2_high"), quartiles, strict=True))
    return {**said, "features": len(known), "strength": strength}


def _strength(
    x: Mapping[str, Array], z: Mapping[str, Array], there: Mapping[str, NDArray[np.bool_]]
) -> float:
    """By the validation part; here what was not measured in training counts as the median, so one factorisation serves all."""
    centre = z["train"].mean(axis=0)
    left, size, right = np.linalg.svd(x["train"] - x["train"].mean(axis=0), full_matrices=False)
    turned, wanted = left.T @ (z["train"] - centre), (x["validation"] - x["train"].mean(axis=0)) @ right.T
    scores = {}
    for strength in STRENGTHS:
        shrunk = (size / (size**2 + strength * len(x["train"])))[:, None] * turned
        r2 = r_squared(z["validation"], wanted @ shrunk + centre, there["validation"])
        scores[strength] = float(np.median(r2[~np.isnan(r2)])) if not np.isnan(r2).all() else -np.inf
    return max(STRENGTHS, key=lambda s: (round(scores[s], 9), s))


def _ridge(x: Array, z: Array, there: NDArray[np.bool_], strength: float, wanted: Array) -> Array:
    """Ridge regressions of each column of `z` on `x`, over the rows where it was measured; predictions at `wanted`."""
    guessed = np.zeros((len(wanted), z.shape[1]))
    _, pattern = np.unique(there, axis=1, return_inverse=True)
    for number in range(int(pattern.max()) + 1):
        columns = np.flatnonzero(pattern.ravel() == number)  # measured in the same rows: one factorisation
        rows = there[:, columns[0]]
        centre, middle = x[rows].mean(axis=0), z[np.ix_(rows, columns)].mean(axis=0)
        inside = x[rows] - centre
        gram = inside.T @ inside
        gram[np.diag_indices_from(gram)] += strength * rows.sum()
        slopes = np.linalg.solve(gram, inside.T @ (z[np.ix_(rows, columns)] - middle))
        guessed[:, columns] = (wanted - centre) @ slopes + middle
    return guessed


def r_squared(truth: Array, guessed: Array, there: NDArray[np.bool_]) -> Array:
    """1 − squared error / squared deviation from the mean, by column, over the rows that are `there`: (F,).

    NaN where fewer than ten rows are, or all are equal.
    """
    n = there.sum(axis=0)
    mean = np.where(there, truth, 0.0).sum(axis=0) / np.maximum(n, 1)
    error = np.where(there, np.square(truth - guessed), 0.0).sum(axis=0)
    spread = np.where(there, np.square(truth - mean), 0.0).sum(axis=0)
    defined = (n >= _FEWEST) & (spread > 1e-9)
    return np.where(defined, 1.0 - error / np.where(defined, spread, 1.0), np.nan)
