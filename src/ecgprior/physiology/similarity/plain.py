"""PhysioCLR's similarity: the cosine of standardised features on their first 50 principal components.

**Source**: PhysioCLR (arXiv 2509.08116) and its release. Changed: features in mV, ms and bpm before any normalisation,
robust units, what is missing kept, δ as a quantile of the training pairs and not the paper's 0.25, which on other
features than the paper's lets 14–24 % of all pairs pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .components import Components
from .space import Coordinates, Space, pair_quantiles, random_pairs, some_rows, training_digest
from .standardise import Standardiser, check_features

_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class PlainSpace(Space):
    """All features in one space; similarity = cosine, in [−1, 1]."""

    kind: ClassVar[str] = "plain"

    @classmethod
    def fit(
        cls,
        matrix: ArrayLike,
        names: Sequence[str],
        *,
        ids: Sequence[str],
        components: int = 50,
        min_measured: float = 0.5,
        column_measured: float = 0.2,
        limit: float = 4.0,
        max_rows: int = 100_000,
        n_pairs: int = 500_000,
        seed: int = 0,
    ) -> PlainSpace:
        """Fit on a training part.

        Parameters
        ----------
        matrix : array_like, float, (N, C), each column in its own unit
            NaN = not measured.
        names : sequence of str, (C,)
        ids : sequence of str, (N,)
            Names of the rows; only their digest is kept.
        components : int
            At most so many.
        min_measured : float
            A row in which a smaller share of the features is measured is compared with nothing.
        column_measured, limit : float
            See :meth:`Standardiser.fit`.
        max_rows, n_pairs, seed : int
            More rows than `max_rows` are drawn from at random; as are the pairs for δ.

        Raises
        ------
        ShapeError, ColumnMissing
        """
        rows, rng = check_features(matrix, names), np.random.default_rng(seed)
        training = training_digest(ids, len(rows))
        rows = rows[some_rows(len(rows), max_rows, rng)]
        standardiser = Standardiser.fit(rows, names, min_measured=column_measured, limit=limit)
        part = Components.fit(
            "all",
            np.arange(len(standardiser.names)),
            *standardiser.transform(rows),
            most=components,
            min_measured=min_measured,
            limit=limit,
        )
        settings = {
            "components": components,
            "min_measured": min_measured,
            "column_measured": column_measured,
            "max_rows": max_rows,
            "n_pairs": n_pairs,
            "seed": seed,
        }
        space = cls(standardiser, (part,), np.zeros(0, np.float32), training, settings)
        here = space.coordinates(rows)
        first, second = random_pairs(len(rows), n_pairs, rng)
        unit = _unit(here)
        return replace(space, quantiles=pair_quantiles(np.einsum("nd,nd->n", unit[first], unit[second])))

    def _prepared_queries(self, a: Coordinates) -> NDArray[np.float32]:
        return _unit(a)

    def _prepared(self, b: Coordinates) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        unit = _unit(b)
        return lambda queries: queries @ unit.T


def _unit(rows: Coordinates) -> NDArray[np.float32]:
    """Rows of length 1; NaN where a row cannot be compared."""
    length = np.linalg.norm(rows.values, axis=1, keepdims=True)
    unit = rows.values / np.maximum(length, _SMALLEST)
    unit[~rows.measurable[:, 0]] = np.nan
    return unit
