"""Label efficiency: the same probe, fitted on a part of the training labels, many times.

A draw takes patients with all their records. Patients are sorted by the labels they have, the rarest label first, in
random order among equals, and every (1 / fraction)-th is taken from a random start: so the draw holds each label in its
share, give or take one patient for the rare ones, and as many patients as the fraction says. Where a label then has fewer
than three positives (or negatives) in the draw, patients that have it are added until it has three or there are no more:
at small fractions a draw is larger than its name says, so its number of records is kept.

Draws are not nested: each fraction draws afresh. They depend on the fold, the task and their own number, not on arm or
training seed, so arms are compared on the same draws. The strength of the probe is chosen on the whole validation part, at
every fraction and for every arm alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metrics import Array, auroc
from .probe import fit_probe

LEAST = 3
"""Positives, and negatives, of each label in a draw, where the training part has as many."""

TOLERANCE = 1e-3
"""Of the draws' regressions: weak strengths on few records are stopped early, which costs nothing in AUROC."""


def read_fraction(
    x: Mapping[str, NDArray[np.floating]],
    y: Mapping[str, NDArray[np.floating]],
    patients: ArrayLike,
    fraction: float,
    draws: int,
    seed: Sequence[int],
) -> dict[str, Any]:
    """AUROC of probes fitted on draws of the training part, as JSON values.

    Parameters
    ----------
    x : mapping of "train", "validation", "test" to ndarray, float, (N, D)
    y : mapping of the same to ndarray, float, (N, C)
        0, 1 or NaN = not labelled.
    patients : array_like of str, (N,)
        Of the training part's records.
    fraction : float
        Of the training part's patients, between 0 and 1.
    draws : int
    seed : sequence of int
        What the draws depend on besides their number.

    Returns
    -------
    dict
        ``fraction``; ``draws``: AUROC by label of each draw, None where the test part has one class; ``records``: of each
        draw.
    """
    known = np.asarray(y["train"], dtype=np.float64)
    areas, sizes = [], []
    for number in range(draws):
        rows = draw(known, patients, fraction, np.random.default_rng([*seed, number]))
        probe = fit_probe(
            x["train"][rows], known[rows], x["validation"], y["validation"], tolerance=TOLERANCE
        )
        area = auroc(y["test"], probe.predict(x["test"]))
        areas.append([None if np.isnan(a) else round(float(a), 6) for a in area])
        sizes.append(len(rows))
    return {"fraction": fraction, "draws": areas, "records": sizes}


def draw(
    y: Array, patients: ArrayLike, fraction: float, rng: np.random.Generator, least: int = LEAST
) -> NDArray[np.int64]:
    """Rows of one draw, rising.

    Parameters
    ----------
    y : ndarray, float64, (N, C)
    patients : array_like of str, (N,)
    fraction : float
    rng : numpy.random.Generator
    least : int

    Examples
    --------
    >>> y = np.array([[1.0], [0.0]] * 20)
    >>> rows = draw(y, [f"p{i}" for i in range(40)], 0.5, np.random.default_rng(0))
    >>> len(rows), int(y[rows].sum())
    (20, 10)
    """
    _, owner = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    counts = _counts(y, owner)
    order = by_labels(counts[:, : y.shape[1]] > 0, rng)
    reached = np.floor(np.arange(len(order) + 1) * fraction + rng.random())
    taken = np.zeros(len(order), dtype=bool)
    taken[order[np.diff(reached) > 0]] = True
    for column in np.argsort((counts > 0).sum(axis=0), kind="stable"):
        lacking = min(least, counts[:, column].sum()) - counts[taken, column].sum()
        others = rng.permutation(np.flatnonzero(~taken & (counts[:, column] > 0)))
        if lacking > 0:
            enough = np.searchsorted(np.cumsum(counts[others, column]), lacking) + 1
            taken[others[:enough]] = True
    return np.flatnonzero(taken[owner])


def by_labels(has: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of patients sorted by the labels they have (P, C), the rarest label first, by chance among equals."""
    common_first = np.argsort(-has.sum(axis=0), kind="stable")
    return np.lexsort([rng.random(len(has)), *has[:, common_first].T])  # the last key leads


def _counts(y: Array, owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positive, then negative records of each label by patient: int64 (P, 2 C)."""
    marks = np.hstack([y == 1, y == 0])
    counts = np.zeros((owner.max() + 1, marks.shape[1]), dtype=np.int64)
    np.add.at(counts, owner, marks)
    return counts
