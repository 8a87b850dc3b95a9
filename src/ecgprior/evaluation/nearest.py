"""Weighted k-nearest neighbours: is what lies near in the embedding of the same diagnosis?

Nothing is fitted but one number. Embeddings are standardised with the training part's mean and deviation, as the
probe's are, and compared by their cosine. The k nearest training records that are labelled vote with weights
exp(cosine / temperature); k is chosen for all labels of a task by the validation part's macro AUROC.

**Source** weights and temperature: Wu et al. 2018, arXiv 1805.01978, equation 7 and section 4. The standardisation and the
choice of k are ours: pooled embeddings are mostly their own mean, and then every cosine is near 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..physiology.similarity.search import Neighbours, search
from .metrics import Array
from .probe import validation_scores

KS = (1, 3, 5, 10, 20, 50, 100, 200)
"""Numbers of neighbours of which the validation part chooses one; of equal ones the largest."""

TEMPERATURE = 0.07

_QUERIES = 1024  # at a time: their neighbours' labels are in memory


@dataclass(frozen=True, eq=False)
class Directions:
    """Standardises embeddings and gives them length 1: products are cosines.

    Attributes
    ----------
    mean, deviation : ndarray, float64, (D,)
        Of the training part; a constant column has an infinite deviation and takes no part.
    """

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, train: ArrayLike) -> Directions:
        """Fit on embeddings (N, D)."""
        x = np.asarray(train, dtype=np.float64)
        mean, deviation = x.mean(axis=0), x.std(axis=0)
        return cls(mean, np.where(deviation > 1e-6 * (1e-6 + np.abs(mean)), deviation, np.inf))

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """Float32 (N, D), each row of length 1, or 0 where it is the training mean."""
        flat = (np.asarray(x, dtype=np.float64) - self.mean) / self.deviation
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0).astype(np.float32)


def nearest(queries: NDArray[np.float32], among: NDArray[np.float32], k: int) -> Neighbours:
    """The `k` rows of `among` (N, D) with the largest product for each query (Q, D)."""
    prepare: Callable[[Any], Any] = lambda rows: lambda asked: asked @ rows.T  # noqa: E731
    return search(lambda asked: asked, prepare, queries, among, k)


def read_nearest(
    x: Mapping[str, NDArray[np.floating]], y: Mapping[str, NDArray[np.floating]]
) -> tuple[Array, dict[str, Any]]:
    """Probabilities of the test part, and which k the validation part chose.

    Parameters
    ----------
    x : mapping of "train", "validation", "test" to ndarray, float, (N, D)
        Embeddings.
    y : mapping of the same to ndarray, float, (N, C)
        0, 1 or NaN = not labelled; that of the test part is not looked at.

    Returns
    -------
    probability : ndarray, float64, (N, C)
        0.5 for a label that no training record has.
    facts : dict
        ``k``, ``chosen_by``.
    """
    direct = Directions.of(x["train"])
    train, known = direct(x["train"]), np.asarray(y["train"], dtype=np.float64)
    looks = votes(train, known, direct(x["validation"]))
    truth = np.asarray(y["validation"], dtype=np.float64)
    scores, chosen_by = validation_scores([_logit(look).T for look in looks], truth)
    best = max(range(len(KS)), key=lambda i: (round(scores[i], 9), KS[i]))
    return votes(train, known, direct(x["test"]), KS[best : best + 1])[0], {
        "k": KS[best],
        "chosen_by": chosen_by,
    }


def votes(
    train: NDArray[np.float32], y: Array, queries: NDArray[np.float32], ks: tuple[int, ...] = KS
) -> Array:
    """Share of each label among the neighbours of each query, by number of neighbours: float64 (len(ks), Q, C).

    Where fewer than k training records carry the label, all of them vote.
    """
    found = np.full((len(ks), len(queries), y.shape[1]), 0.5)
    _, first, pattern = np.unique(~np.isnan(y), axis=1, return_index=True, return_inverse=True)
    for number, column in enumerate(first):  # labels known in the same records share the search
        rows = np.flatnonzero(~np.isnan(y[:, column]))
        labels = np.flatnonzero(pattern.ravel() == number)
        if len(rows):
            for start in range(0, len(queries), _QUERIES):
                part = slice(start, start + _QUERIES)
                found[:, part, labels] = _votes(train[rows], y[np.ix_(rows, labels)], queries[part], ks)
    return found


def _votes(train: NDArray[np.float32], y: Array, queries: NDArray[np.float32], ks: tuple[int, ...]) -> Array:
    near = nearest(queries, train, min(max(ks), len(train)))
    weight = np.exp((near.similarity.astype(np.float64) - 1.0) / TEMPERATURE)
    voted = np.cumsum(weight[:, :, None] * y[near.row], axis=1)
    total = np.cumsum(weight, axis=1)[:, :, None]
    last = [min(k, len(train)) - 1 for k in ks]
    return np.moveaxis(voted[:, last] / total[:, last], 1, 0)


def _logit(probability: Array) -> Array:
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(inside) - np.log1p(-inside)
