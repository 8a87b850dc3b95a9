"""Multi-label stratification of groups of records (patients) into folds.

Iterative stratification deals out the rarest label first: each group that has it goes to the fold that still wants
most of it; ties go to the fold that still wants most of everything the group has, then to the emptiest, then to
chance. What we changed: groups with several records are dealt out whole, larger ones first, and afterwards single
groups move while that makes the folds more alike, a label that a fold lacks weighing most. Cost: 4 s for
100,000 groups with 71 labels in 20 folds.

**Source** Sechidis, Tsoumakas & Vlahavas (2011), "On the stratification of multi-label data", ECML PKDD, algorithm 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_MOVES, _WORK = 400, 2e9
_LACK = 1e6  # what a fold without a label weighs, against squared deviations of about 1


def stratify(counts: csr_array, share: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A fold a group.

    Parameters
    ----------
    counts : sparse array, float64, (N, C)
        Records of each group that have each label; the last column counts all its records.
    share : ndarray, float64, (K,)
        What part of all records each fold wants; sums to 1.
    rng : numpy.random.Generator
        Decides ties.

    Returns
    -------
    ndarray, int64, (N,)
        Fold of each group, 0 to K − 1.
    """
    fold = _deal(counts, share, rng)
    return _settle(counts, share, fold)


def _deal(counts: csr_array, share: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    n, n_labels = counts.shape
    by_label = counts.tocsc()
    size = counts[:, [n_labels - 1]].toarray()[:, 0]
    order = np.lexsort((rng.permutation(n), -size))
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    wanted = share[:, None] * np.asarray(counts.sum(axis=0)).reshape(1, -1)
    whole = np.maximum(wanted, 1e-12).copy()
    left = np.diff(by_label.indptr).astype(np.int64)
    fold = np.full(n, -1, np.int64)
    while True:
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        if left[label] <= 0:
            return fold
        members = by_label.indices[by_label.indptr[label] : by_label.indptr[label + 1]]
        members = members[fold[members] < 0]
        for group in members[np.argsort(rank[members])]:
            span = slice(counts.indptr[group], counts.indptr[group + 1])
            mine, amount = counts.indices[span], counts.data[span]
            best = _most(wanted[:, label])
            if len(best) > 1:
                best = best[_most((wanted[np.ix_(best, mine)] / whole[np.ix_(best, mine)]).sum(axis=1))]
            if len(best) > 1:
                best = best[_most(wanted[best, -1])]
            chosen = best[0] if len(best) == 1 else best[rng.integers(len(best))]
            fold[group] = chosen
            wanted[chosen, mine] -= amount
            left[mine] -= 1


def _most(values: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.flatnonzero(values >= values.max() - 1e-9)


def _settle(counts: csr_array, share: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move single groups while the sum over folds and labels of squared deviation / wish falls."""
    n, k = counts.shape[0], len(share)
    if k < 2:
        return fold
    has = counts.copy()
    has.data = np.ones_like(has.data)
    total = np.asarray(counts.sum(axis=0)).reshape(-1)
    spread = np.asarray(has.sum(axis=0)).reshape(-1) >= k  # labels that every fold could have
    weight = 1 / np.maximum(total, 1)
    square = np.asarray(counts.multiply(counts) @ weight).reshape(-1)
    to_fold = csr_array((np.ones(n), (fold, np.arange(n))), shape=(k, n))
    amount, holders = (to_fold @ counts).toarray(), (to_fold @ has).toarray()
    rows = np.arange(n)
    for _ in range(int(np.clip(_WORK / counts.nnz / k, 20, _MOVES))):
        over = (amount - share[:, None] * total) * weight / np.maximum(share, 1e-12)[:, None]
        pull = counts @ over.T  # (N, K): how much too much of what the group has lies in each fold
        gain = pull - pull[rows, fold][:, None] + square[:, None] * _half(share, fold)
        lacks = has @ ((holders == 0) & spread).T.astype(np.float64)
        leaves = (has @ ((holders == 1) & spread).T.astype(np.float64))[rows, fold]
        cost = gain + _LACK * (leaves[:, None] - lacks)
        cost[rows, fold] = 0
        at = int(np.argmin(cost))
        group, new = divmod(at, k)
        if cost[group, new] > -1e-9:
            break
        span = slice(counts.indptr[group], counts.indptr[group + 1])
        mine, value = counts.indices[span], counts.data[span]
        amount[fold[group], mine] -= value
        amount[new, mine] += value
        holders[fold[group], mine] -= 1
        holders[new, mine] += 1
        fold[group] = new
    return fold


def _half(share: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    inverse = 1 / np.maximum(share, 1e-12)
    return 0.5 * (inverse[None, :] + inverse[fold][:, None])
