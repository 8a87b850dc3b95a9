"""Contrasts: the default arm against every other, with one that was named beforehand and the rest adjusted for their number.

A benchmark of fifteen arms makes fourteen comparisons, and one of them looks good by luck. So the recipe names one
contrast before anything is computed (``primary = ["default", "rival"]``): its p stands as it is. All others are
exploratory: their p is adjusted by Holm's step-down rule over the contrasts of the same scope, which holds the chance of
any false claim within that scope below the level, whatever the dependence between them.

The replicates are those of :mod:`.results`: patients and seeds drawn with replacement, the same draws for every arm. Over
one seed an interval knows of patients only, and three seeds drawn from three vary less than seeds do: p is then too small.
The two-sided p is twice the share of replicates on the far side of zero, which is below 0.05 when the 95 % percentile
interval excludes zero. One is added to count and total, so that p is never 0: with R replicates nothing below
2 / (1 + R) can be seen.

**Source** A. C. Davison, D. V. Hinkley, *Bootstrap Methods and their Application*, Cambridge 1997, sections 4.2 and 5.4 (the
added one; p by inverting the interval); S. Holm, *A simple sequentially rejective multiple test procedure*,
Scand. J. Statist. 6 (1979) 65–70.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from .bootstrap import interval

ALL = "all tasks"
"""The scope of the mean over tasks."""

SCHEMA: dict[str, Any] = dict.fromkeys(("arm", "readout", "against", "against_readout", "scope"), pl.String) | {
    "difference": pl.Float64, "low": pl.Float64, "high": pl.Float64, "p": pl.Float64, "p_holm": pl.Float64,
    "family": pl.Int64, "seeds": pl.Int64, "primary": pl.Boolean,
}  # fmt: skip


class System(Protocol):
    """One arm read out one way."""

    @property
    def seeds(self) -> Sequence[int]:
        """Those of which all folds are there."""

    def scopes(self, seeds: Sequence[int] | None = None) -> dict[str, NDArray[np.float64]]:
        """Scope → AUROC in every replicate, (1 + R,), the first on the data as they are; over `seeds` alone."""


def two_sided_p(replicates: ArrayLike) -> float:
    """The two-sided p of a difference whose replicates (R,) are given; NaN ones are left out.

    NaN without any replicate.

    >>> two_sided_p([0.2, 0.1, 0.3, -0.1])  # 2 × (1 + 1) / (1 + 4)
    0.8
    >>> two_sided_p([0.2] * 999)
    0.002
    """
    known = np.asarray(replicates, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not known.size:
        return float("nan")
    count = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (1 + count) / (1 + known.size))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p of a family: float64 (M,) in the order given; a NaN stays NaN and does not count.

    >>> holm([0.01, 0.04, 0.03, 0.005]).round(3).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def contrasts(
    primary: tuple[str, str] | None,
    systems: Mapping[tuple[str, str], System],
    level: float = 0.95,
) -> pl.DataFrame:
    """Every contrast of the default arm, scope by scope: the primary one first, then the others in the order of `systems`.

    Encoders are compared by their probe, arms on measured features by their own readout; the default arm read out
    together with the measured features (``stacked``) is set against the arms on the features too. A contrast is taken over the
    seeds that both arms have.

    Parameters
    ----------
    primary : (str, str) or None
        The default arm and its rival; None = no contrasts.
    systems : mapping of (arm, readout) to System
    level : float
        Of the intervals.

    Returns
    -------
    polars.DataFrame
        arm, readout, against, against_readout, scope, difference, low, high, p, p_holm (null for the primary contrast, which
        is not adjusted), family (how many contrasts p_holm is adjusted for), seeds (in common), primary (True in one row: the
        mean over tasks, or the only task there is).
    """
    found: list[dict[str, Any]] = []
    if primary is not None:
        for one, other in _pairs(primary[0], systems):
            found += _rows(one, other, systems, level)
    scopes = list(dict.fromkeys(row["scope"] for row in found))
    head = ALL if ALL in scopes else next(iter(scopes), None)
    for row in found:
        rival = (row["arm"], row["against"]) == primary and row["readout"] == "probe"
        row["primary"] = rival and row["scope"] == head
    for scope in scopes:
        family = [row for row in found if row["scope"] == scope and not row["primary"]]
        for row, adjusted in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"], row["family"] = float(adjusted), sum(row["p"] == row["p"] for row in family)
    order = [ALL, *(scope for scope in scopes if scope != ALL)]
    found.sort(key=lambda row: (not row["primary"], order.index(row["scope"])))
    return pl.DataFrame([{key: row.get(key) for key in SCHEMA} for row in found], schema=SCHEMA)


def _pairs(
    default: str, systems: Mapping[tuple[str, str], System]
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """What is compared with what: systems of the default arm, each with a system of another arm."""
    by_arm: dict[str, set[str]] = {}
    for arm, readout in systems:
        by_arm.setdefault(arm, set()).add(readout)
    mine = by_arm.get(default, set())
    pairs = []
    for arm, readouts in by_arm.items():
        own = "probe" if "probe" in readouts else "trees" if "trees" in readouts else None
        if arm != default and own is not None and "probe" in mine:
            pairs.append(((default, "probe"), (arm, own)))
    if "stacked" in mine:
        features = [arm for arm, readouts in by_arm.items() if "trees" in readouts and arm != default]
        pairs += [((default, "stacked"), (arm, "trees")) for arm in features]
    return pairs


def _rows(
    one: tuple[str, str], other: tuple[str, str], systems: Mapping[tuple[str, str], System], level: float
) -> list[dict[str, Any]]:
    seeds = [seed for seed in systems[one].seeds if seed in systems[other].seeds]
    if not seeds:
        return []
    mine, its = systems[one].scopes(seeds), systems[other].scopes(seeds)
    rows = []
    for scope, values in mine.items():
        gap = values - its[scope]
        found = interval(float(gap[0]), gap[1:], level)
        names = {
            "arm": one[0],
            "readout": one[1],
            "against": other[0],
            "against_readout": other[1],
            "scope": scope,
        }
        figures = {"difference": found.value, "low": found.low, "high": found.high, "p": two_sided_p(gap[1:])}
        rows.append(names | figures | {"seeds": len(seeds)})
    return rows
