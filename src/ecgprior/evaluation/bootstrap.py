"""Intervals by resampling patients: what would another sample of people have given?

Records of one patient rise and fall together, so patients are drawn with replacement, never records. A draw
is a whole number a record – how often its patient was drawn – and every metric takes those as weights. The
same draws are used for everything that is compared, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError
from .metrics import auroc


@dataclass(frozen=True)
class Interval:
    """A number and where it may lie.

    Attributes
    ----------
    value : float
        On the data as they are.
    low, high : float
        Percentile interval of the replicates.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def interval(value: float, replicates: ArrayLike, level: float = 0.95) -> Interval:
    """The percentile interval of `replicates` around `value`.

    Parameters
    ----------
    value : float
        On the data as they are.
    replicates : array_like, float, (R,)
        NaN = not defined, left out.
    level : float
        Share of the replicates that lie within, 0 to 1.

    Returns
    -------
    Interval
        Its ends are NaN without a replicate.
    """
    known = np.asarray(replicates, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not known.size:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def patient_draws(patients: Sequence[str], replicates: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """How often each record's patient was drawn.

    Parameters
    ----------
    patients : sequence of str, (N,)
        The patient of each record; a record without a known one must come with a name of its own.
    replicates : int
        R.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, int32, (R, N)

    Raises
    ------
    ShapeError
        There is no patient.
    """
    names, of_record = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    n = len(names)
    if n == 0:
        raise ShapeError("patients: expected at least one, got none")
    drawn = rng.integers(0, n, size=(replicates, n)) + np.arange(replicates)[:, None] * n
    counts = np.bincount(drawn.ravel(), minlength=replicates * n).reshape(replicates, n)
    return counts.astype(np.int32)[:, of_record]


def macro_auroc(y: ArrayLike, score: ArrayLike, weight: NDArray | None = None) -> NDArray[np.float64]:
    """Mean AUROC over the labels that have both classes.

    Parameters
    ----------
    y : array_like, (N, C) or (N,), 0, 1 or NaN
        NaN = not labelled.
    score : array_like, float, same shape
        Higher = more likely; finite wherever there is a label.
    weight : array_like, (R, N), >= 0, optional
        Weight of each record in each of R replicates, as :func:`patient_draws` gives them.

    Returns
    -------
    ndarray, float64, () or, with weights, (R,)
        NaN where no label, or none of the replicate, has both classes.

    Raises
    ------
    ShapeError
        The arrays do not fit each other, or hold what they may not.
    """
    area = np.atleast_2d(auroc(y, score, weight))
    known = ~np.isnan(area)
    count = known.sum(axis=1)
    total = np.where(known, area, 0.0).sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(area), np.nan), where=count > 0)
    return mean[0] if weight is None else mean


def auroc_interval(
    y: ArrayLike,
    score: ArrayLike,
    patients: Sequence[str],
    *,
    replicates: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Macro AUROC with its patient-level bootstrap interval.

    Parameters
    ----------
    y : array_like, (N, C) or (N,), 0, 1 or NaN
        NaN = not labelled.
    score : array_like, float, same shape
        Higher = more likely; finite wherever there is a label.
    patients : sequence of str, (N,)
        As for :func:`patient_draws`.
    replicates : int
        Draws of patients.
    level : float
        Share of the replicates that lie in the interval, 0 to 1.
    seed : int
        Of the draws.

    Returns
    -------
    Interval
        NaN where no label has both classes.

    Raises
    ------
    ShapeError
        The arrays do not fit each other, or hold what they may not; there is no patient.

    Examples
    --------
    >>> y, score = [[0.0], [0.0], [1.0], [1.0]], [[0.1], [0.2], [0.7], [0.9]]
    >>> auroc_interval(y, score, ["a", "b", "c", "d"], replicates=50).value
    1.0
    """
    draws = patient_draws(patients, replicates, np.random.default_rng(seed))
    return interval(float(macro_auroc(y, score)), macro_auroc(y, score, draws), level)


def auroc_difference(
    y: ArrayLike,
    score: ArrayLike,
    other: ArrayLike,
    patients: Sequence[str],
    *,
    replicates: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Macro AUROC of `score` less that of `other`, both on the same draws of patients.

    Parameters
    ----------
    y : array_like, (N, C) or (N,), 0, 1 or NaN
        NaN = not labelled.
    score, other : array_like, float, same shape
        Higher = more likely; finite wherever there is a label.
    patients, replicates, level, seed
        As for :func:`auroc_interval`.

    Returns
    -------
    Interval
        NaN where no label has both classes.

    Raises
    ------
    ShapeError
        The arrays do not fit each other, or hold what they may not; there is no patient.
    """
    draws = patient_draws(patients, replicates, np.random.default_rng(seed))
    value = float(macro_auroc(y, score) - macro_auroc(y, other))
    return interval(value, macro_auroc(y, score, draws) - macro_auroc(y, other, draws), level)
