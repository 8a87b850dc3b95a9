"""Principal components of one block of standardised features, with the share that is missing as a column of its own.

A value that was not measured enters as 0, the training median. So that it is never taken for a measured median, each
block has one more column: the share of its features that is missing, in standard deviations of the training part
(at least 0.1, so that it also speaks where nothing was ever missing in training).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

_FLAG_FLOOR = 0.1
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Components:
    """Components of one block.

    Attributes
    ----------
    name : str
        Of the block.
    columns : ndarray, int64, (F,)
        Its columns among the standardiser's.
    flag : ndarray, float64, (2,)
        Centre and scale of the missing share.
    limit : float
        The missing share, standardised, is cut at ± this, as every other column.
    mean : ndarray, float64, (F + 1,)
        Of the standardised columns; the last is the missing share.
    axes : ndarray, float64, (D, F + 1)
        Orthonormal rows, the widest first, times one common factor where distances have a unit.
    explained : ndarray, float64, (D,)
        Share of the block's variance that each axis has.
    reach : ndarray, float64, (1,)
        A squared distance above it is strongly discordant; infinite where that plays no part.
    min_measured : float
        A row in which a smaller share of the columns is measured is not placed.
    """

    ARRAYS: ClassVar[tuple[str, ...]] = ("columns", "flag", "mean", "axes", "explained", "reach")

    name: str
    columns: NDArray[np.int64]
    flag: NDArray[np.float64]
    limit: float
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    explained: NDArray[np.float64]
    reach: NDArray[np.float64]
    min_measured: float

    @property
    def dim(self) -> int:
        """How many components."""
        return len(self.axes)

    @classmethod
    def fit(
        cls,
        name: str,
        columns: NDArray[np.int64],
        standard: NDArray[np.float32],
        measured: NDArray[np.bool_],
        *,
        most: int,
        min_measured: float,
        limit: float,
    ) -> Components:
        """Fit on the rows in which the block is measurable.

        Parameters
        ----------
        name : str
        columns : ndarray, int64, (F,)
        standard, measured : ndarray, float32 and bool, (N, columns of the standardiser)
        most : int
            Components at most.
        min_measured, limit : float
        """
        share = 1.0 - measured[:, columns].mean(axis=1)
        rows = share <= 1.0 - min_measured
        if not rows.any():
            rows = np.ones(len(share), bool)
        flag = np.array([np.median(share[rows]), max(float(share[rows].std()), _FLAG_FLOOR)])
        bare = cls(
            name, columns, flag, limit, np.zeros(len(columns) + 1), np.eye(len(columns) + 1),
            np.ones(1), np.array([np.inf]), min_measured,
        )  # fmt: skip
        wide = bare._wide(standard[rows], share[rows])
        mean = wide.mean(axis=0)
        wide -= mean
        values, vectors = np.linalg.eigh(wide.T @ wide / len(wide))
        order = np.argsort(values)[::-1][:most]
        order = order[values[order] > _SMALLEST * max(values.max(), _SMALLEST)]
        axes = vectors[:, order].T
        peak = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), 1)
        axes = axes * np.where(peak < 0, -1.0, 1.0)  # a sign that does not depend on the machine
        explained = values[order] / max(values.sum(), _SMALLEST)
        return cls(name, columns, flag, limit, mean, axes, explained, np.array([np.inf]), min_measured)

    def place(
        self, standard: NDArray[np.float32], measured: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Coordinates of rows, 0 where the block is not measurable, and whether it is.

        Parameters
        ----------
        standard, measured : ndarray, float32 and bool, (N, columns of the standardiser)

        Returns
        -------
        values : ndarray, float32, (N, D)
        measurable : ndarray, bool, (N,)
        """
        share = 1.0 - measured[:, self.columns].mean(axis=1)
        measurable = share <= 1.0 - self.min_measured
        values = (self._wide(standard, share) - self.mean) @ self.axes.T
        values[~measurable] = 0.0
        return values.astype(np.float32), measurable

    def scaled(self, factor: float, reach: float) -> Components:
        """The same with coordinates times `factor`, and with the squared distance that is strongly discordant."""
        return replace(self, axes=self.axes * factor, reach=np.array([float(reach)]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def about(self) -> dict[str, Any]:
        """The rest, as a JSON value."""
        return {"name": self.name, "limit": self.limit, "min_measured": self.min_measured}

    @classmethod
    def of(cls, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Components:
        """Put together again."""
        return cls(**(dict(about) | dict(arrays)))

    def _wide(self, standard: NDArray[np.float32], share: NDArray[np.float64]) -> NDArray[np.float64]:
        flag = np.clip((share - self.flag[0]) / self.flag[1], -self.limit, self.limit)
        return np.column_stack([standard[:, self.columns].astype(np.float64), flag])
