"""How well scores fit labels: AUROC, AUPRC, F-max, Brier, calibration – per label, macro, micro, and reweighted.

The area under the receiver operating characteristic is the Mann–Whitney statistic. For one label the
negatives are sorted once; a positive then finds, by two binary searches, how many negatives lie below it and
how many tie with it. A bootstrap replicate only gives each record another whole-number weight, so all
replicates of a label cost one cumulative sum over the sorted negatives' weights and one weighted sum over the
positives: O(records) a replicate, without sorting again.

Everywhere `y` is (N, C) with 0, 1 and NaN = not labelled, `score` is (N, C), higher = more likely. A label
whose labelled records are all of one class has no AUROC: NaN, never 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError

Array = NDArray[np.float64]
_CHUNK_BYTES = 32 << 20


def auroc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Area under the ROC curve of every label, of every replicate when there are weights.

    Parameters
    ----------
    y : array_like, (N, C) or (N,), 0, 1 or NaN
    score : array_like, float, same shape
        Ties count one half.
    weight : array_like, (R, N), >= 0, optional
        Weight of each record in each of R replicates; whole numbers stay exact.

    Returns
    -------
    ndarray, float64, (C,) or (R, C)
        NaN where a label, or a replicate of it, has one class only. One-dimensional input counts as C = 1.

    Source
    ------
    Hanley & McNeil (1982), Radiology 143:29–36: the area equals the Mann–Whitney probability.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    array([0.875])
    """
    y, score = _check(y, score)
    weights = _weights(weight, len(y))
    area = np.full((len(weights), y.shape[1]), np.nan)
    for c in range(y.shape[1]):
        positive, negative = np.flatnonzero(y[:, c] == 1), np.flatnonzero(y[:, c] == 0)
        if len(positive) and len(negative):
            area[:, c] = _mann_whitney(score[:, c], positive, negative, weights)
    return area[0] if weight is None else area


def _mann_whitney(
    score: Array, positive: NDArray[np.intp], negative: NDArray[np.intp], weights: Array
) -> Array:
    negative = negative[np.argsort(score[negative], kind="stable")]
    below = np.searchsorted(score[negative], score[positive], side="left")
    not_above = np.searchsorted(score[negative], score[positive], side="right")
    area = np.empty(len(weights))
    step = max(1, _CHUNK_BYTES // (weights.itemsize * (len(negative) + 1)))
    for start in range(0, len(weights), step):
        part = weights[start : start + step]
        passed = np.zeros((len(part), len(negative) + 1), dtype=weights.dtype)
        np.cumsum(np.take(part, negative, axis=1), axis=1, out=passed[:, 1:])
        mine = np.take(part, positive, axis=1)
        wins = np.take(passed, below, axis=1) + np.take(passed, not_above, axis=1)
        twice = np.einsum("rp,rp->r", mine.astype(np.float64), wins)
        pairs = 2.0 * mine.sum(axis=1, dtype=np.float64) * passed[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            area[start : start + step] = np.where(pairs > 0, twice / pairs, np.nan)
    return area


def average_precision(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Area under the precision–recall curve (AUPRC) as the step-wise sum Σ (Rₙ − Rₙ₋₁) Pₙ over distinct scores.

    Parameters and result as in :func:`auroc`; NaN where no labelled record is positive.
    """
    y, score = _check(y, score)
    weights = _weights(weight, len(y))
    area = np.full((len(weights), y.shape[1]), np.nan)
    for c in range(y.shape[1]):
        known = np.flatnonzero(~np.isnan(y[:, c]))
        if not (y[known, c] == 1).any():
            continue
        order = known[np.argsort(-score[known, c], kind="stable")]
        last = np.flatnonzero(np.diff(score[order, c], append=np.nan) != 0)  # last record of each tie
        hit = (y[order, c] == 1).astype(np.float64)
        step = max(1, _CHUNK_BYTES // (8 * len(order)))
        for start in range(0, len(weights), step):
            part = np.take(weights[start : start + step], order, axis=1).astype(np.float64)
            seen = np.cumsum(part, axis=1)[:, last]
            found = np.cumsum(part * hit, axis=1)[:, last]
            with np.errstate(invalid="ignore", divide="ignore"):
                precision = np.where(seen > 0, found / seen, 0.0)
                recall = found / found[:, -1:]
            area[start : start + step, c] = (np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1)
    return area[0] if weight is None else area


def micro(y: ArrayLike, score: ArrayLike) -> tuple[float, float]:
    """AUROC and AUPRC over all labelled (record, label) pairs thrown together."""
    y, score = _check(y, score)
    known = ~np.isnan(y)
    flat = y[known], score[known]
    return float(auroc(*flat)[0]), float(average_precision(*flat)[0])


def f_max(y: ArrayLike, probability: ArrayLike, thresholds: ArrayLike | None = None) -> float:
    """The best record-centric F1 over all thresholds.

    At each threshold precision is averaged over records with at least one predicted label and recall over
    records with at least one true label, then F1 of the two is taken; the best is returned. It looks at the
    evaluated labels to choose its threshold: an upper bound, not a working point.

    Parameters
    ----------
    y : array_like, (N, C), 0, 1 or NaN
        Unlabelled pairs are left out of both averages.
    probability : array_like, (N, C), in [0, 1]
    thresholds : array_like, optional
        Default 0.01, 0.02, … 1.00.

    Returns
    -------
    float
        NaN without a positive label.

    Source
    ------
    Strodthoff et al. (2021), IEEE J. Biomed. Health Inform. 25:1519–1528, section II.C.
    """
    y, probability = _check(y, probability)
    known = ~np.isnan(y)
    truth = known & (y == 1)
    any_true = truth.any(axis=1)
    if not any_true.any():
        return float("nan")
    best = 0.0
    for threshold in np.linspace(0.01, 1.0, 100) if thresholds is None else np.asarray(thresholds):
        predicted = known & (probability >= threshold)
        hits = (predicted & truth).sum(axis=1)
        n_predicted = predicted.sum(axis=1)
        if not n_predicted.any():
            continue
        some = n_predicted > 0
        precision = (hits[some] / n_predicted[some]).mean()
        recall = (hits[any_true] / truth[any_true].sum(axis=1)).mean()
        if precision + recall > 0:
            best = max(best, 2 * precision * recall / (precision + recall))
    return float(best)


def f1_max(y: ArrayLike, probability: ArrayLike) -> Array:
    """The best F1 of every label over its own thresholds: (C,), NaN without positives."""
    y, probability = _check(y, probability)
    best = np.full(y.shape[1], np.nan)
    for c in range(y.shape[1]):
        known = np.flatnonzero(~np.isnan(y[:, c]))
        order = known[np.argsort(-probability[known, c], kind="stable")]
        positives = y[order, c].sum()
        if positives > 0:
            last = np.flatnonzero(np.diff(probability[order, c], append=np.nan) != 0)
            hits = np.cumsum(y[order, c])[last]
            best[c] = (2 * hits / (last + 1 + positives)).max()
    return best


def brier(y: ArrayLike, probability: ArrayLike) -> Array:
    """Mean squared distance of probability and outcome, per label: (C,), NaN where nothing is labelled."""
    y, probability = _check(y, probability)
    return column_mean((probability - y) ** 2)


def calibration_error(y: ArrayLike, probability: ArrayLike, bins: int = 15) -> Array:
    """Expected calibration error per label: (C,), NaN where nothing is labelled.

    Probabilities are put in `bins` bins of equal width; the distance between mean probability and observed
    frequency is averaged over bins, weighted by their counts.

    Source
    ------
    Guo et al. (2017), ICML, equation 3.
    """
    y, probability = _check(y, probability)
    error = np.full(y.shape[1], np.nan)
    for c in range(y.shape[1]):
        known = ~np.isnan(y[:, c])
        if known.any():
            bin_ = np.minimum((probability[known, c] * bins).astype(int), bins - 1)
            gap = np.bincount(bin_, probability[known, c] - y[known, c], minlength=bins)
            error[c] = np.abs(gap).sum() / known.sum()
    return error


@dataclass(frozen=True)
class Scores:
    """Every metric of one set of predictions.

    Attributes
    ----------
    per_label : polars.DataFrame
        One row a label: label, n (labelled records), positives, auroc, auprc, f1_max, brier, ece;
        NaN = not defined (one class only).
    macro : dict of str to float
        Mean of each per-label metric over the labels that have it.
    micro : dict of str to float
        auroc, auprc over all (record, label) pairs, and the record-centric f_max.
    one_class : tuple of str
        Labels left out of macro AUROC because all their records are of one class.
    """

    per_label: pl.DataFrame
    macro: dict[str, float]
    micro: dict[str, float]
    one_class: tuple[str, ...]


def evaluate(y: ArrayLike, probability: ArrayLike, labels: tuple[str, ...]) -> Scores:
    """All metrics of probabilities `probability` (N, C) against `y` (N, C; 0, 1, NaN) for C `labels`.

    Raises
    ------
    ShapeError
        The arrays do not fit each other or the labels' number.
    """
    y, probability = _check(y, probability)
    if y.shape[1] != len(labels):
        raise ShapeError(f"labels: expected {y.shape[1]} names, one a column, got {len(labels)}")
    per_label = pl.DataFrame(
        {
            "label": list(labels),
            "n": (~np.isnan(y)).sum(axis=0),
            "positives": np.nansum(y, axis=0).astype(np.int64),
            "auroc": auroc(y, probability),
            "auprc": average_precision(y, probability),
            "f1_max": f1_max(y, probability),
            "brier": brier(y, probability),
            "ece": calibration_error(y, probability),
        }
    )
    macro = {
        name: _mean_of_known(per_label[name].to_numpy())
        for name in ("auroc", "auprc", "f1_max", "brier", "ece")
    }
    area, precision = micro(y, probability)
    one_class = tuple(per_label.filter(pl.col("auroc").is_nan())["label"].to_list())
    micro_ = {"auroc": area, "auprc": precision, "f_max": f_max(y, probability)}
    return Scores(per_label, macro, micro_, one_class)


def _mean_of_known(values: ArrayLike) -> float:
    """The mean of what is not NaN; NaN, without a warning, when nothing is left."""
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def column_mean(values: NDArray[np.floating]) -> Array:
    """The mean over the first axis of what is not NaN: (N, …) to (…), float64; NaN, without a warning, where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _check(y: ArrayLike, score: ArrayLike) -> tuple[Array, Array]:
    y, score = np.asarray(y, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if y.shape != score.shape or y.ndim not in (1, 2):
        raise ShapeError(f"scores: expected the labels' shape {y.shape} (record, label), got {score.shape}")
    if y.ndim == 1:
        y, score = y[:, None], score[:, None]
    if not np.isin(y[~np.isnan(y)], (0.0, 1.0)).all():
        raise ShapeError("labels: expected 0, 1 or NaN (not labelled), got other values")
    if not np.isfinite(score[~np.isnan(y)]).all():
        raise ShapeError("scores: expected finite numbers wherever there is a label, got NaN or infinity")
    return y, score


def _weights(weight: ArrayLike | None, n: int) -> NDArray:
    if weight is None:
        return np.ones((1, n), dtype=np.int32)
    weights = np.asarray(weight)
    if weights.ndim != 2 or weights.shape[1] != n:
        raise ShapeError(f"weight: expected (replicate, record) with {n} records, got shape {weights.shape}")
    if weights.size and weights.min() < 0:
        raise ShapeError("weight: expected numbers >= 0, got a negative one")
    if weights.dtype.kind not in "iub":
        return weights.astype(np.float64)
    largest = int(weights.sum(axis=1, dtype=np.int64).max(initial=0))
    return weights.astype(np.int32 if largest < 2**30 else np.int64, copy=False)
