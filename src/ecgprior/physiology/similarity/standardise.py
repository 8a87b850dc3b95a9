"""Robust standardisation that knows what is missing.

Each feature is measured against the training part's median, in units of its interquartile range / 1.349 (a standard
deviation, for a normal distribution); where more than half of the values are equal – a flag, a share – that is 0 and
the standard deviation stands in. Angles (``…_deg``) are differences on the circle. No feature's unit is finer than its measurement: 1 ms, 5 µV and the like are the
floors. Values are cut at ±4 (winsorised), so one wild measurement cannot own a component. What was not measured is 0
after that, the training median, and is never mistaken for it: the share that is missing goes along.

**Source**: after PhysioCLR (arXiv 2509.08116) and its release, with the release's faults removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ColumnMissing, ShapeError

FLOORS = {"ms": 1.0, "mv": 0.005, "bpm": 0.5, "deg": 1.0, "hz": 0.1}
"""Smallest unit of a feature by the suffix of its name (``"ms"`` of ``qrs_ms`` and of ``qrs_ms.V1``): about what a repeated measurement differs by."""

_NORMAL_IQR = 1.349
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Centre and unit of each feature, fitted on a training part.

    Attributes
    ----------
    columns : tuple of str, (C,)
        The features that it was fitted on, in their order.
    names : tuple of str, (F,)
        Those that are kept, in the same order.
    centre, scale : ndarray, float64, (F,)
        In the feature's own unit; `scale` is above 0.
    dropped : mapping of str to str
        Name → why: constant, or measured in too few of the training rows.
    limit : float
        Standardised values are cut at ± this.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    dropped: Mapping[str, str]
    limit: float

    @classmethod
    def fit(
        cls,
        matrix: ArrayLike,
        names: Sequence[str],
        *,
        min_measured: float = 0.2,
        limit: float = 4.0,
    ) -> Standardiser:
        """Fit on the training rows.

        Parameters
        ----------
        matrix : array_like, float, (N, C), each column in its own unit
            NaN or infinite = not measured.
        names : sequence of str, (C,)
        min_measured : float
            A column that is measured in a smaller share of the rows is dropped.
        limit : float

        Raises
        ------
        ShapeError
            Not (N, C) with C names, or a name twice.
        ColumnMissing
            No column can be kept.
        """
        names = tuple(names)
        values = check_features(matrix, names)
        fits = {name: _column(values[:, i], name, min_measured) for i, name in enumerate(names)}
        kept = {name: fit for name, fit in fits.items() if not isinstance(fit, str)}
        if not kept:
            raise ColumnMissing(_none_kept(values, min_measured))
        centre, scale = np.array(list(kept.values()), np.float64).T
        dropped = {name: fit for name, fit in fits.items() if isinstance(fit, str)}
        return cls(names, tuple(kept), centre, scale, dropped, float(limit))

    @property
    def at_floor(self) -> float:
        """Share of the features with a floor whose training rows vary by no more than it; 0 without such a feature."""
        floors = np.array([FLOORS.get(_unit(name), 0.0) for name in self.names])
        return float((self.scale[floors > 0] <= floors[floors > 0]).mean()) if floors.any() else 0.0

    def transform(
        self, matrix: ArrayLike, names: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Standardised values, and which of them were measured.

        Parameters
        ----------
        matrix : array_like, float, (N, C)
            NaN or infinite = not measured.
        names : sequence of str, optional
            Of the columns: they are found by name, and what is absent is not measured. By default :attr:`columns`.

        Returns
        -------
        values : ndarray, float32, (N, F)
            Within ± :attr:`limit`; 0 where not measured.
        measured : ndarray, bool, (N, F)

        Raises
        ------
        ShapeError
        """
        given = self.columns if names is None else tuple(names)
        raw = check_features(matrix, given)
        place = {name: column for column, name in enumerate(given)}
        taken = [(i, place[name]) for i, name in enumerate(self.names) if name in place]
        to, origin = (list(part) for part in zip(*taken)) if taken else ([], [])
        standard = np.full((len(raw), len(self.names)), np.nan)
        standard[:, to] = raw[:, origin]
        standard -= self.centre
        for i, name in enumerate(self.names):
            if _unit(name) == "deg":
                standard[:, i] = _wrap(standard[:, i])
        standard /= self.scale
        measured = np.isfinite(standard)
        np.clip(standard, -self.limit, self.limit, out=standard)
        standard[~measured] = 0.0
        return standard.astype(np.float32), measured


def check_features(matrix: ArrayLike, names: Sequence[str]) -> NDArray[np.floating]:
    """The matrix as an array, (N, C) with C names.

    Raises
    ------
    ShapeError
        Not numbers, another shape, or a name twice.
    """
    values = np.asarray(matrix)
    if values.dtype.kind not in "fiub":
        raise ShapeError(f"features: expected real numbers, got dtype {values.dtype}")
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ShapeError(
            f"features: expected (N, {len(names)}) values for {len(names)} names, got {values.shape}"
        )
    if len(set(names)) != len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise ShapeError(f"feature '{double}' occurs twice: expected every name once")
    return values


def _column(values: NDArray[np.floating], name: str, min_measured: float) -> tuple[float, float] | str:
    """Centre and scale of one column, or why it is dropped."""
    known = values[np.isfinite(values)].astype(np.float64)
    share = len(known) / max(1, len(values))
    if not len(known) or share < min_measured:
        return f"measured in {share:.1%} of the training rows, expected at least {min_measured:.0%}"
    unit, zero = _unit(name), 0.0
    if unit == "deg":
        zero = float(np.degrees(np.angle(np.exp(1j * np.radians(known)).mean())))
        known = _wrap(known - zero)
    low, centre, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = float(np.ptp(known))
    if spread <= _SMALLEST * max(1.0, abs(float(centre))):
        return f"the same value ({zero + centre:g}) in all training rows"
    scale = (high - low) / _NORMAL_IQR
    if scale <= _SMALLEST * max(1.0, abs(float(centre))):
        scale = known.std()
    return zero + float(centre), float(max(scale, FLOORS.get(unit, 0.0)))


def _none_kept(values: NDArray[np.floating], min_measured: float) -> str:
    """What is wrong with columns of which none can be kept: how many of each kind, never their values."""
    n_rows, n_columns = values.shape
    measured = np.isfinite(values).sum(axis=0)
    never, few = int((measured == 0).sum()), int((measured / max(1, n_rows) < min_measured).sum())
    kinds = {
        "the same value in every row": n_columns - max(never, few),
        f"measured in less than {min_measured:.0%} of the rows": max(few - never, 0),
        "never measured": never,
    }
    counts = ", ".join(f"{what}: {n}" for what, n in kinds.items() if n) or "there are no columns"
    return (
        f"features: expected at least one that varies and is measured, got none of {n_columns} in {n_rows} rows "
        f"({counts}); give more recordings, which differ from each other"
    )


def _unit(name: str) -> str:
    """``"ms"`` of ``qrs_ms`` and of ``qrs_ms.V1``."""
    return name.partition(".")[0].rpartition("_")[2].casefold()


def _wrap(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angles within ±180°."""
    with np.errstate(invalid="ignore"):
        return np.remainder(degrees + 180.0, 360.0) - 180.0
