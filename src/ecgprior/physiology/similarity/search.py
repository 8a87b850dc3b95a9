"""Exact nearest neighbours among many rows: tiles of a matrix product, and of each only what beats the best so far.

A tile is a few thousand rows against a few hundred queries, so memory is bounded and the tile stays in the cache. In
almost every tile no row is better than a query's k-th best so far; the comparison that says so is all that is paid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShapeError

TILE = (256, 1024)
"""Queries and rows that are scored at a time."""


@dataclass(frozen=True, eq=False, slots=True)
class Neighbours:
    """The most similar rows for each query, the most similar first; of equals the one with the smaller number.

    Attributes
    ----------
    row : ndarray, int64, (Q, k)
        Number among the rows; −1 = there are not so many that can be compared.
    similarity : ndarray, float32, (Q, k)
        NaN where `row` is −1.
    """

    row: NDArray[np.int64]
    similarity: NDArray[np.float32]


def search(
    prepare_queries: Callable[[Any], Any],
    prepare_rows: Callable[[Any], Callable[[Any], NDArray[np.float32]]],
    queries: Any,
    among: Any,
    k: int,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
) -> Neighbours:
    """The `k` rows of `among` with the highest score for each query.

    Parameters
    ----------
    prepare_queries, prepare_rows : callable
        ``prepare_rows(rows)(prepare_queries(queries))`` gives scores, float32 (Q, N), NaN = not comparable.
    queries, among
        Anything with a length and slices.
    k : int
    groups : (array_like int (Q,), array_like int (N,)), optional
        Rows of a query's own group are left out.

    Raises
    ------
    ShapeError
    """
    if k < 1:
        raise ShapeError(f"k: expected at least 1, got {k}")
    mine, theirs = (np.asarray(g) for g in groups) if groups is not None else (None, None)
    if mine is not None and theirs is not None and (len(mine), len(theirs)) != (len(queries), len(among)):
        raise ShapeError(
            f"groups: expected {len(queries)} of queries and {len(among)} of rows, got {len(mine)} and {len(theirs)}"
        )
    best = np.full((len(queries), k), -np.inf, np.float32)
    row = np.full((len(queries), k), -1, np.int64)
    tiles = [slice(a, a + TILE[0]) for a in range(0, len(queries), TILE[0])]
    ready = [prepare_queries(queries[tile]) for tile in tiles]
    for first in range(0, len(among), TILE[1]):
        score_of = prepare_rows(among[first : first + TILE[1]])
        for tile, prepared in zip(tiles, ready):
            score = score_of(prepared)
            if mine is not None and theirs is not None:
                score[mine[tile, None] == theirs[None, first : first + TILE[1]]] = np.nan
            _keep(score, first, best[tile], row[tile])
    return Neighbours(row, np.where(row >= 0, best, np.nan).astype(np.float32))


def _keep(score: NDArray[np.float32], first: int, best: NDArray[np.float32], row: NDArray[np.int64]) -> None:
    """Put a tile's rows that beat the worst of `best` into it, in place; `best` stays sorted."""
    k = best.shape[1]
    if first == 0 and score.shape[1] > k:  # the first tile: nearly everything beats nothing
        score = np.where(np.isnan(score), -np.inf, score)
        limit = -np.partition(-score, k - 1, axis=1)[:, k - 1 : k]
        at = np.flatnonzero((score >= limit) & (score > -np.inf))
    else:
        at = np.flatnonzero(score > best[:, -1:])  # NaN beats nothing
    if not len(at):
        return
    query, column = np.divmod(at, score.shape[1])
    touched = np.unique(query)
    old = np.repeat(touched, k)
    owner = np.concatenate([old, query])
    values = np.concatenate([best[touched].ravel(), score.ravel()[at]])
    rows = np.concatenate([row[touched].ravel(), first + column])
    order = np.lexsort((rows, -values, owner))
    owner, values, rows = owner[order], values[order], rows[order]
    start = np.searchsorted(owner, touched)
    taken = start[:, None] + np.arange(k)
    best[touched], row[touched] = values[taken], rows[taken]
