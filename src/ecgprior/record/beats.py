"""Beats and fiducials of one ECG: what the simulator knows, what a delineator finds, what a publisher marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError
from .record import tally

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

    def __repr__(self) -> str:
        return f"Beats({len(self)} beats{tally(self.kind)})"


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
    lone_p : array_like, float64, (lead + 1, lone P, fiducial) = (L + 1, M, 3), samples from 0, optional
        P waves that no QRS belongs to (blocked, or dissociated from the QRS), in the order of time: a row for each
        lead and, last, the global one. NaN = not seen in this lead. Default: none, (L + 1, 0, 3).

    Raises
    ------
    ShapeError
        The arrays do not have these shapes.

    Notes
    -----
    A slot of the beat axis is one QRS with the P before it and the T after it. One fiducial of a wave that is there
    can be NaN by itself: the wave is cut by the record's first or last sample.

    Examples
    --------
    >>> one = Delineation(["II"], np.full((1, 1, 3, 3), np.nan), [[[np.nan] * 3, [90, 100, 110], [160, 200, 240]]])
    >>> one.interval("QRS", "onset", "T", "offset")
    array([150.])
    """

    leads: tuple[str, ...]
    points: NDArray[np.float64]
    global_: NDArray[np.float64]
    lone_p: NDArray[np.float64] = None  # type: ignore[assignment]  # None is replaced on construction

    def __post_init__(self) -> None:
        leads = tuple(self.leads)
        points, over_all = _frozen(self.points), _frozen(self.global_)
        if over_all.ndim != 3 or over_all.shape[1:] != (3, 3):
            raise ShapeError(f"delineation: expected global_ of shape (K, 3, 3), got {over_all.shape}")
        if points.shape != (len(leads), *over_all.shape):
            expected = (len(leads), *over_all.shape)
            raise ShapeError(f"delineation: expected points of shape {expected}, got {points.shape}")
        lone_p = _frozen(np.empty((len(leads) + 1, 0, 3)) if self.lone_p is None else self.lone_p)
        if lone_p.ndim != 3 or lone_p.shape[::2] != (len(leads) + 1, 3):
            raise ShapeError(
                f"delineation: expected lone_p of shape ({len(leads) + 1}, M, 3), got {lone_p.shape}"
            )
        object.__setattr__(self, "leads", leads)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "global_", over_all)
        object.__setattr__(self, "lone_p", lone_p)

    def __len__(self) -> int:
        return len(self.global_)

    def interval(self, wave: str, fiducial: str, to_wave: str, to_fiducial: str) -> NDArray[np.float64]:
        """Samples from one global fiducial to another in each beat: float64, (K,); NaN where one is absent."""
        at = lambda w, f: self.global_[:, WAVES.index(w), FIDUCIALS.index(f)]  # noqa: E731
        return at(to_wave, to_fiducial) - at(wave, fiducial)

    def table(self) -> pl.DataFrame:
        """A row for each wave that is there, and none for a wave that is absent.

        Returns
        -------
        polars.DataFrame
            ``lead`` str (a lead's name, or ``"global"``, which comes last), ``wave`` str (P, QRS, T), ``beat`` int64
            from 0 (null = a P wave without a QRS), ``onset``, ``peak``, ``offset`` float64 samples (null = a single
            fiducial that is not known). Within a lead in the order of time.

        Examples
        --------
        >>> one = Delineation(["II"], [[[[np.nan] * 3, [90, 100, 110], [160, 200, 240]]]], np.full((1, 3, 3), np.nan))
        >>> one.table().rows()
        [('II', 'QRS', 0, 90.0, 100.0, 110.0), ('II', 'T', 0, 160.0, 200.0, 240.0)]
        """
        stacked = np.concatenate([self.points, self.global_[None]])
        lead, beat, wave = np.nonzero(np.isfinite(stacked).any(axis=-1))
        alone, which = np.nonzero(np.isfinite(self.lone_p).any(axis=-1))
        marks = np.concatenate([stacked[lead, beat, wave], self.lone_p[alone, which]])
        lead = np.concatenate([lead, alone])
        known = np.fmin.reduce(marks, axis=1, initial=np.inf)
        order = np.lexsort((known, lead))
        beat = np.concatenate([beat, np.full(len(alone), -1)])[order]
        wave = np.concatenate([wave, np.zeros(len(alone), np.int64)])[order]
        frame = pl.DataFrame(
            {
                "lead": np.array([*self.leads, "global"], dtype=object)[lead[order]].tolist(),
                "wave": np.array(WAVES, dtype=object)[wave].tolist(),
                "beat": beat.astype(np.int64),
                **{name: marks[order, column] for column, name in enumerate(FIDUCIALS)},
            },
            schema_overrides={"lead": pl.String, "wave": pl.String},
        )
        of_a_beat = pl.when(pl.col("beat") >= 0).then(pl.col("beat")).alias("beat")
        return frame.with_columns(of_a_beat, pl.col(FIDUCIALS).fill_nan(None))


def _frozen(values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
