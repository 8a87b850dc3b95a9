"""Pairs of true and found times: as many as the tolerance allows, and among those the closest."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError

_SLACK = 1e-6  # 50 ms written as samples of 360 Hz and back is 50 ms


def match(truth: ArrayLike, found: ArrayLike, tolerance: float) -> NDArray[np.intp]:
    """A one-to-one, order-preserving maximum matching of two lists of times.

    Parameters
    ----------
    truth, found : array_like, float64, (N,) and (M,)
        Not decreasing, no NaN, any one unit.
    tolerance : float
        Two times may be a pair when they differ by at most this.

    Returns
    -------
    ndarray, intp, (pairs, 2)
        Indices into `truth` and `found`, both increasing. No matching has more pairs; among those with as many, none
        has a smaller sum of absolute differences.

    Raises
    ------
    ShapeError
        Not one-dimensional, or decreasing.

    Notes
    -----
    On a line, uncrossing two pairs neither breaks the tolerance nor lengthens them, so keeping the order costs
    nothing: this is also a maximum matching among all. Runs of times whose neighbours lie closer than the tolerance
    are independent of each other; nearly all hold one of each kind, and the others are solved by dynamic programming
    over (pairs, −sum of differences), O(n m) of the run.

    Examples
    --------
    >>> match([100, 140], [60, 130], tolerance=40).tolist()
    [[0, 0], [1, 1]]
    """
    a, b = np.asarray(truth, dtype=np.float64), np.asarray(found, dtype=np.float64)
    for times in (a, b):
        if times.ndim != 1 or np.any(np.diff(times) < 0) or np.isnan(times).any():
            raise ShapeError(
                f"match: expected one-dimensional times that do not decrease, got shape {times.shape}"
            )
    if not len(a) or not len(b):
        return np.empty((0, 2), dtype=np.intp)
    tolerance = tolerance + _SLACK
    merged = np.concatenate([a, b])
    order = np.argsort(merged, kind="stable")
    run = np.empty(len(merged), dtype=np.intp)
    run[order] = np.concatenate([[0], np.cumsum(np.diff(merged[order]) > tolerance)])
    n_runs = int(run.max()) + 1
    in_a, in_b = np.bincount(run[: len(a)], minlength=n_runs), np.bincount(run[len(a) :], minlength=n_runs)
    first_a, first_b = np.cumsum(in_a) - in_a, np.cumsum(in_b) - in_b
    alone = (in_a == 1) & (in_b == 1)
    pairs = [np.stack([first_a[alone], first_b[alone]], axis=1)]
    for k in np.flatnonzero((in_a > 0) & (in_b > 0) & ~alone):
        i, j = first_a[k], first_b[k]
        pairs.append(_best(a[i : i + in_a[k]], b[j : j + in_b[k]], tolerance) + [i, j])
    together = np.concatenate(pairs)
    return together[np.argsort(together[:, 0])]


def _best(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float) -> NDArray[np.intp]:
    n, m = len(a), len(b)
    apart = np.abs(a[:, None] - b[None, :]).tolist()
    best = [
        [(0, 0.0)] * (m + 1) for _ in range(n + 1)
    ]  # of the first i and j times: pairs, −sum of differences
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            here = max(best[i - 1][j], best[i][j - 1])
            if apart[i - 1][j - 1] <= tolerance:
                count, cost = best[i - 1][j - 1]
                here = max(here, (count + 1, cost - apart[i - 1][j - 1]))
            best[i][j] = here
    pairs = []
    i, j = n, m
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return np.array(pairs[::-1], dtype=np.intp).reshape(-1, 2)
