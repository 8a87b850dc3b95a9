"""Stacking: does an embedding know anything that the measured features do not?

Put beside a thousand features, the columns of an embedding drown. So each side is first read out by what suits it – a
linear probe on the embedding, boosted trees on the features – and only their two logits are combined. For the records of
the training part these logits come from models that did not see them (five patient-wise folds within the training
part), or the trees, which know their own records by heart, would get all the weight; for the test part from models of the
whole training part. Strength and number of trees are those that the validation part chose for the whole.

The combination is a logistic regression with weights that cannot be negative, first one pair of weights for all labels of
the task, then one for each label, drawn to the common one: a label with ten positives cannot tell two weights apart (on
one fold of the panel, 71 to 206 training records a task, weights of each label alone cost 0.008 of AUROC).

What it cannot see: an encoder that learnt the training labels, or the training recordings, gives better embeddings of the
training part than of new recordings, in every inner fold.

**Source** out-of-fold stacking: Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1; non-negative weights: Breiman 1996,
doi 10.1007/BF00117832. The common weights are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .feature_arms import TREES, read_features
from .fractions import by_labels
from .metrics import Array
from .probe import fit_probe

INNER_FOLDS = 5

SPREAD = 0.2
"""Standard deviation, beforehand, of a label's weights around the common ones: thousands of records overrule it."""

Predict = Callable[[NDArray[np.int64], NDArray[np.int64]], Array]


@dataclass(frozen=True)
class SideLogits:
    """One side of a stack.

    Attributes
    ----------
    train : ndarray, float64, (N, C)
        Out of fold; NaN = the other folds hold one class of the label, so nothing was learnt of it.
    test : ndarray, float64, (M, C)
        Of the model of the whole training part.
    facts : dict
        What the validation part chose.
    """

    train: Array
    test: Array
    facts: dict[str, Any]


def inner_folds(y: Array, patients: ArrayLike, n: int = INNER_FOLDS, seed: int = 0) -> NDArray[np.int64]:
    """A fold for every record: patients are dealt out in the order of their labels.

    Parameters
    ----------
    y : ndarray, float64, (N, C)
        0, 1 or NaN = not labelled.
    patients : array_like of str, (N,)
        The patient of each record.
    n : int
        Folds.
    seed : int
        Of the order among patients with the same labels.

    Returns
    -------
    ndarray, int64, (N,)
        0 to `n` − 1; the same for all records of a patient.
    """
    _, owner = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    has = np.zeros((owner.max() + 1, y.shape[1]), dtype=bool)
    np.logical_or.at(has, owner, y == 1)
    order = by_labels(has, np.random.default_rng(seed))
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % n
    return fold[owner]


def out_of_fold(predict: Predict, fold: NDArray[np.int64]) -> Array:
    """Each record's prediction by a model of the other folds.

    Parameters
    ----------
    predict : callable
        Rows to fit, int64 (n,), and rows to predict, int64 (m,) → predictions, float64 (m, C).
    fold : ndarray, int64, (N,)
        Of :func:`inner_folds`.

    Returns
    -------
    ndarray, float64, (N, C)
    """
    numbers = np.unique(fold)
    parts = [predict(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in numbers]
    joined = np.empty((len(fold), parts[0].shape[1]))
    for k, part in zip(numbers, parts, strict=True):
        joined[fold == k] = part
    return joined


def embedding_logits(x: Mapping[str, Array], y: Mapping[str, Array], fold: NDArray[np.int64]) -> SideLogits:
    """Of a linear probe on the embedding.

    Parameters
    ----------
    x : mapping of "train", "validation", "test" to ndarray, float64, (N, D)
        Embeddings; each part has an N of its own.
    y : mapping of "train", "validation" to ndarray, float64, (N, C)
        0, 1 or NaN = not labelled.
    fold : ndarray, int64, (N,)
        Of the training part, by :func:`inner_folds`.

    Returns
    -------
    SideLogits

    Raises
    ------
    CorpusError
        No labelled record in the training or in the validation part, or in the training part less a fold.
    ShapeError
        Embeddings of these two are not finite, or the arrays do not fit.
    """
    whole = fit_probe(x["train"], y["train"], x["validation"], y["validation"])

    def predict(fit: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
        known = y["train"][fit]
        one = fit_probe(x["train"][fit], known, x["train"][fit], known, strengths=[whole.strength])
        found = logit(one.predict(x["train"][rows]))
        found[:, [not _both(label) for label in known.T]] = np.nan
        return found

    return SideLogits(
        out_of_fold(predict, fold), logit(whole.predict(x["test"])), {"strength": whole.strength}
    )


def tree_logits(
    x: Mapping[str, Array], y: Mapping[str, Array], fold: NDArray[np.int64], seed: int
) -> SideLogits:
    """Of boosted trees on the measured features; they do not depend on the arm.

    Parameters
    ----------
    x : mapping of "train", "validation", "test" to ndarray, float64, (N, F)
        Features; NaN = not measured. Each part has an N of its own.
    y : mapping of "train", "validation" to ndarray, float64, (N, C)
        0, 1 or NaN = not labelled.
    fold : ndarray, int64, (N,)
        Of the training part, by :func:`inner_folds`.
    seed : int
        Of the trees.

    Returns
    -------
    SideLogits

    Raises
    ------
    ColumnMissing
        No feature is measured in the training part.
    """
    test, facts = read_features("trees", (), x, y, seed)

    def predict(fit: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
        given = np.where(np.isfinite(x["train"]), x["train"], np.nan)
        given = given[:, np.isfinite(given[fit]).any(axis=0)]
        columns = [
            _grown(given[fit], label[fit], given[rows], facts["trees"], seed) for label in y["train"].T
        ]
        return np.column_stack(columns)

    return SideLogits(out_of_fold(predict, fold), logit(test), {"trees": facts["trees"]})


def _grown(x: Array, y: Array, wanted: Array, n_trees: int, seed: int) -> Array:
    from sklearn.ensemble import HistGradientBoostingClassifier

    known = ~np.isnan(y)
    if not _both(y):
        return np.full(len(wanted), np.nan)
    settings = {**TREES, "max_iter": n_trees}
    model = HistGradientBoostingClassifier(**settings, random_state=seed).fit(x[known], y[known])
    return logit(model.predict_proba(wanted)[:, 1])


def _both(y: Array) -> bool:
    """Whether a label (N,) has both classes."""
    return len(np.unique(y[~np.isnan(y)])) == 2


def stack(embedding: SideLogits, trees: SideLogits, y: Array) -> tuple[Array, dict[str, Any]]:
    """Probabilities of the test part, and the weights.

    Parameters
    ----------
    embedding, trees : SideLogits
    y : ndarray, float64, (N, C)
        Of the training part; NaN = not labelled.

    Returns
    -------
    probability : ndarray, float64, (M, C)
    facts : dict
        ``weights``: of embedding and trees, label by label; ``strength``; ``trees``.
    """
    weights, intercepts = combine(np.stack([embedding.train, trees.train], axis=2), y)
    both = np.stack([embedding.test, trees.test], axis=2)
    value = np.einsum("ncs,cs->nc", both, weights) + intercepts
    said = [[round(float(w), 4) for w in row] for row in weights]
    return 0.5 * (1.0 + np.tanh(0.5 * value)), {"weights": said, **embedding.facts, **trees.facts}


def combine(logits: Array, y: Array, spread: float = SPREAD) -> tuple[Array, Array]:
    """Non-negative weights of S sides for C labels.

    Parameters
    ----------
    logits : ndarray, float64, (N, C, S)
        NaN = no part in the fit.
    y : ndarray, float64, (N, C)
        A label of one class, or of none, keeps the common weights.
    spread : float
        See :data:`SPREAD`; infinite = each label for itself.

    Returns
    -------
    weights : ndarray, float64, (C, S)
    intercepts : ndarray, float64, (C,)
    """
    known = ~np.isnan(y) & np.isfinite(logits).all(axis=2)
    told = [c for c in range(y.shape[1]) if _both(y[known[:, c], c])]
    n_sides = logits.shape[2]
    common = np.full(n_sides, 1.0 / n_sides)
    if told:
        common = _fit([(logits[known[:, c], c], y[known[:, c], c]) for c in told], common, 0.0)[0]
    weights, intercepts = np.tile(common, (y.shape[1], 1)), np.zeros(y.shape[1])
    for c in told:
        own = logits[known[:, c], c], y[known[:, c], c]
        weights[c], intercepts[c : c + 1] = _fit([own], common, 1.0 / (spread**2 * len(own[1])))
    return weights, intercepts


def _fit(parts: list[tuple[Array, Array]], start: Array, pull: float) -> tuple[Array, Array]:
    """Weights (S,) that several labels' (logits (N, S), truth (N,)) share, and an intercept for each.

    The least mean log-loss + ½ · `pull` · ‖weights − `start`‖².
    """
    from scipy.optimize import minimize

    n_sides = len(start)

    def loss(theta: Array) -> tuple[float, Array]:
        w, total, slope = theta[:n_sides], 0.0, np.zeros_like(theta)
        for i, (z, truth) in enumerate(parts):
            value = z @ w + theta[n_sides + i]
            rest = (0.5 * (1.0 + np.tanh(0.5 * value)) - truth) / len(truth)
            total += float((np.logaddexp(0.0, value) - truth * value).mean())
            slope[:n_sides] += z.T @ rest
            slope[n_sides + i] = rest.sum()
        away = w - start
        slope[:n_sides] = slope[:n_sides] / len(parts) + pull * away
        slope[n_sides:] /= len(parts)
        return total / len(parts) + 0.5 * pull * float(away @ away), slope

    bounds = [(0.0, _LARGEST)] * n_sides + [(None, None)] * len(parts)
    first = np.concatenate([start, np.zeros(len(parts))])
    found = minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-8, "ftol": 1e-13}
    )
    return found.x[:n_sides], found.x[n_sides:]


_LARGEST = 10.0  # a weight that separable labels would drive to infinity


def logit(probability: ArrayLike) -> Array:
    """log(p / (1 − p)), of p kept within 10⁻⁶ of its ends."""
    inside = np.clip(np.asarray(probability, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.log(inside) - np.log1p(-inside)
