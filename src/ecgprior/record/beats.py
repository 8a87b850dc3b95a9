"""Beats and fiducials of one ECG: what the simulator knows, what a delineator finds, what a publisher marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError

WAVES = ("P", "QRS", "T")
"""Second-last axis of :class:`Delineation`."""

FIDUCIALS = ("onset", "peak", "offset")
"""Last axis of :class:`Delineation`."""


@dataclass(frozen=True, eq=False, slots=True)
class Beats:
    """The beats of a record in the order of time.

    Parameters
    ----------
    sample : array_like, int64, (K,)
        Sample of each beat's main QRS deflection, from 0, at the record's own rate; increasing.
    kind : sequence of str, (K,)
        One code a beat: ``"N"`` conducted as usual in this record (bundle-branch block included),
        ``"V"`` premature ventricular. Codes of MIT-BIH annotations; others are allowed.

    Raises
    ------
    ShapeError
        Not one-dimensional, not increasing, or another number of kinds than of samples.
    """

    sample: NDArray[np.int64]
    kind: tuple[str, ...]

    def __post_init__(self) -> None:
        sample = np.array(self.sample, dtype=np.int64)
        kind = tuple(str(k) for k in self.kind)
        if sample.ndim != 1 or len(kind) != len(sample):
            raise ShapeError(f"beats: expected (K,) samples and K kinds, got {sample.shape} and {len(kind)}")
        if np.any(np.diff(sample) <= 0):
            raise ShapeError("beats: expected increasing samples, got one that does not increase")
        sample.flags.writeable = False
        object.__setattr__(self, "sample", sample)
        object.__setattr__(self, "kind", kind)

    def __len__(self) -> int:
        return len(self.sample)


@dataclass(frozen=True, eq=False, slots=True)
class Delineation:
    """Onset, peak and offset of every P, QRS and T, in each lead and over all leads.

    Parameters
    ----------
    leads : sequence of str, (L,)
    points : array_like, float64, (lead, beat, wave, fiducial) = (L, K, 3, 3), samples from 0
        Waves in the order :data:`WAVES`, fiducials in the order :data:`FIDUCIALS`; fractions of a
        sample are allowed; NaN = the wave is absent, or too small in this lead to be seen.
    global_ : array_like, float64, (beat, wave, fiducial) = (K, 3, 3), samples from 0
        The wave over all leads: its earliest onset, main peak, latest offset; NaN = absent.

    Raises
    ------
    ShapeError
        The arrays do not have these shapes.

    Examples
    --------
    >>> one = Delineation(["II"], np.full((1, 1, 3, 3), np.nan), [[[np.nan] * 3, [90, 100, 110], [160, 200, 240]]])
    >>> one.interval("QRS", "onset", "T", "offset")
    array([150.])
    """

    leads: tuple[str, ...]
    points: NDArray[np.float64]
    global_: NDArray[np.float64]

    def __post_init__(self) -> None:
        leads = tuple(self.leads)
        points, over_all = _frozen(self.points), _frozen(self.global_)
        if over_all.ndim != 3 or over_all.shape[1:] != (3, 3):
            raise ShapeError(f"delineation: expected global_ of shape (K, 3, 3), got {over_all.shape}")
        if points.shape != (len(leads), *over_all.shape):
            expected = (len(leads), *over_all.shape)
            raise ShapeError(f"delineation: expected points of shape {expected}, got {points.shape}")
        object.__setattr__(self, "leads", leads)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "global_", over_all)

    def __len__(self) -> int:
        return len(self.global_)

    def interval(self, wave: str, fiducial: str, to_wave: str, to_fiducial: str) -> NDArray[np.float64]:
        """Samples from one global fiducial to another in each beat: float64, (K,); NaN where one is absent."""
        at = lambda w, f: self.global_[:, WAVES.index(w), FIDUCIALS.index(f)]  # noqa: E731
        return at(to_wave, to_fiducial) - at(wave, fiducial)

    def table(self) -> pl.DataFrame:
        """One row a lead, wave and beat.

        Returns
        -------
        polars.DataFrame
            ``lead`` str (a lead's name, or ``"global"``), ``wave`` str (P, QRS, T), ``beat`` int64 from 0,
            ``onset``, ``peak``, ``offset`` float64 samples; null = absent.
        """
        stacked = np.concatenate([self.points, self.global_[None]])
        n_leads, n_beats = stacked.shape[:2]
        lead, beat, wave = np.indices((n_leads, n_beats, 3)).reshape(3, -1)
        flat = stacked.reshape(-1, 3)
        frame = pl.DataFrame(
            {
                "lead": np.array([*self.leads, "global"])[lead].tolist(),
                "wave": np.array(WAVES)[wave].tolist(),
                "beat": beat.astype(np.int64),
                **{name: flat[:, column] for column, name in enumerate(FIDUCIALS)},
            },
            schema_overrides={"lead": pl.String, "wave": pl.String},
        )
        return frame.with_columns(pl.col(FIDUCIALS).fill_nan(None))


def _frozen(values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
