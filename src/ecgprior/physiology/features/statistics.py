"""Median, mean, SD and IQR of rows with gaps: one sort for all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class RowStatistics(NamedTuple):
    """Statistics over the last axis, each of the remaining shape; NaN where they have no meaning; n = values counted."""

    median: Array
    mean: Array
    sd: Array
    iqr: Array
    n: NDArray[np.int64]


def row_statistics(values: Array) -> RowStatistics:
    """Statistics of the finite values of each row.

    Parameters
    ----------
    values : ndarray, float64, (..., K)
        NaN = not measured.

    Returns
    -------
    RowStatistics
        ``median`` and ``mean`` need one value; ``sd`` (divisor n − 1) and ``iqr`` (quartiles by linear
        interpolation) two.

    Examples
    --------
    >>> s = row_statistics(np.array([[1.0, 2.0, np.nan, 6.0]]))
    >>> s.median, s.mean, s.iqr
    (array([2.]), array([3.]), array([2.5]))
    """
    if values.shape[-1] == 0:
        empty = np.full(values.shape[:-1], np.nan)
        return RowStatistics(empty, empty, empty, empty, np.zeros(values.shape[:-1], np.int64))
    ordered = np.sort(values, axis=-1)  # NaN comes last
    count = np.asarray((ordered == ordered).sum(axis=-1))
    some, two = np.maximum(count, 1), np.maximum(count - 1, 1)
    filled = np.where(ordered == ordered, ordered, 0.0)
    mean = filled.sum(-1) / some
    centred = np.where(ordered == ordered, filled - mean[..., None], 0.0)
    sd = np.sqrt(np.square(centred).sum(-1) / two)
    low, middle, high = (_quantile(filled, count, q) for q in (0.25, 0.5, 0.75))
    none, single = count < 1, count < 2
    return RowStatistics(
        np.where(none, np.nan, middle),
        np.where(none, np.nan, mean),
        np.where(single, np.nan, sd),
        np.where(single, np.nan, high - low),
        count,
    )


def row_median(values: NDArray[Any]) -> NDArray[Any]:
    """Median of the finite values over the last axis; NaN where there are none."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan, values.dtype)
    ordered = np.sort(values, axis=-1)  # NaN comes last
    n, last = ordered.shape[-1], ordered[..., -1]
    if (last == last).all():  # no gap
        low = ordered[..., (n - 1) // 2]
        return np.asarray(low + 0.5 * (ordered[..., n // 2] - low))
    count = np.asarray((ordered == ordered).sum(axis=-1))
    return np.where(count < 1, np.nan, _quantile(ordered, count, 0.5))


def row_sd(values: Array) -> Array:
    """Standard deviation (divisor n) of the finite values over the last axis; NaN where there are none."""
    known = np.isfinite(values)
    n = known.sum(axis=-1)
    some = np.maximum(n, 1)
    mean = np.where(known, values, 0.0).sum(axis=-1) / some
    centred = np.where(known, values - mean[..., None], 0.0)
    return np.where(n > 0, np.sqrt(np.square(centred).sum(axis=-1) / some), np.nan)


def _quantile(ordered: Array, count: NDArray[np.int64], q: float) -> Array:
    n = ordered.shape[-1]
    if count.min(initial=n) == n:  # no gap: the same place in every row
        place = q * (n - 1)
        below = int(place)
        low, high = ordered[..., below], ordered[..., min(below + 1, n - 1)]
        return low + (place - below) * (high - low)
    places = q * np.maximum(count - 1, 0)
    lower = places.astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(count - 1, 0))
    starts = np.arange(0, ordered.size, n).reshape(count.shape)
    take = lambda at: ordered.take(starts + at)  # noqa: E731
    first = take(lower)
    return first + (places - lower).astype(ordered.dtype) * (take(upper) - first)
