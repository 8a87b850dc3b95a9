"""RR and NN intervals and the times of P waves, a line for each record; NaN beyond a record's last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...record.beats import Delineation
from .per_beat import BeatValues
from .ragged import Ragged
from .statistics import RowStatistics, row_median, row_statistics

Array = NDArray[np.float64]
PLAUSIBLE_RR_MS = (150.0, 10_000.0)


class Intervals:
    """What block *rhythm* is measured on.

    Parameters
    ----------
    records : Ragged
        The beats of each record.
    beats : BeatValues
    marks : ndarray, float64, (K, 3, 3), samples
        Global fiducials.
    delineations : sequence of Delineation, (N,)
    """

    def __init__(
        self, records: Ragged, beats: BeatValues, marks: Array, delineations: Sequence[Delineation]
    ) -> None:
        self._records, self._beats, self._marks, self._delineations = records, beats, marks, delineations

    @cached_property
    def rr_ms(self) -> Array:
        """Intervals between all beats: (N, beats − 1)."""
        return self._records.table(self._beats.rr_ms)[:, 1:]

    @cached_property
    def rr_median_ms(self) -> Array:
        """Median of all intervals, plausible or not: (N,)."""
        return row_median(self.rr_ms)

    @cached_property
    def plausible_rr_ms(self) -> Array:
        """Intervals between all beats, implausible ones NaN: (N, beats − 1)."""
        low, high = PLAUSIBLE_RR_MS
        return np.where((self.rr_ms >= low) & (self.rr_ms <= high), self.rr_ms, np.nan)

    @cached_property
    def rr_statistics(self) -> RowStatistics:
        """Of the RR intervals that are plausible: each (N,)."""
        return row_statistics(self.plausible_rr_ms)

    @cached_property
    def nn_ms(self) -> Array:
        """Intervals between two usual beats that follow each other, in order: (N, intervals)."""
        both = self._beats.usual & np.isfinite(self._beats.rr_ms)
        both[1:] &= self._beats.usual[:-1]
        return self._records.some(both).table(self._beats.rr_ms[both])

    @cached_property
    def lone_p(self) -> Array:
        """Samples of P waves that no QRS follows: (N, waves)."""
        at = [d.lone_p[-1, :, 1] for d in self._delineations]
        at = [a[np.isfinite(a)] for a in at]
        of = np.repeat(np.arange(len(at)), [len(a) for a in at])
        return Ragged(of, len(at)).table(np.concatenate(at))

    @cached_property
    def all_p(self) -> Array:
        """Samples of all P waves, followed by a QRS or not, in the order of time: (N, waves)."""
        at = self._records.table(self._marks[:, 0, 1])
        return np.sort(np.concatenate([at, self.lone_p], axis=1), axis=1)
