"""Beats of several records in one row, and the same as a table with a line for each record.

Records of equal rate, leads and length are measured together, so that every step is done once for all their beats
instead of once a record: an array of beats has them one record after the other along its last axis, (…, K); what is
counted by record (a median, a number) needs them as (…, N, most beats), the shorter lines filled up.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Ragged:
    """Which beat belongs to which record.

    Parameters
    ----------
    of : ndarray, int64, (K,)
        The record, from 0, of each beat; in the order of the records.
    n_records : int

    Attributes
    ----------
    count : ndarray, int64, (N,)
        Beats of each record.
    place : ndarray, int64, (K,)
        Of each beat in its record, from 0.
    """

    def __init__(self, of: NDArray[np.int64], n_records: int) -> None:
        self.of, self.n_records = of, n_records
        self.count: NDArray[np.int64] = np.bincount(of, minlength=n_records)
        self._width = int(self.count.max(initial=0))

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Of each beat in its record, from 0."""
        starts = np.cumsum(self.count) - self.count
        return np.arange(len(self.of)) - starts[self.of]

    @cached_property
    def _at(self) -> NDArray[np.int64]:
        """Of each beat in a table whose lines are put one after another."""
        return self.place + self._width * self.of

    def some(self, chosen: slice | NDArray[Any]) -> Ragged:
        """Of some beats only: a slice, a mask or places in order."""
        return Ragged(self.of[chosen], self.n_records)

    def thinned(self, most: int) -> NDArray[np.int64]:
        """Beats, at most so many a record and these evenly spread: int64, (chosen,)."""
        if self._width <= most:
            return np.arange(len(self.of))
        n, starts = np.minimum(self.count, most), np.cumsum(self.count) - self.count
        spread = [np.linspace(0, have - 1, few).round() for have, few in zip(self.count, n)]
        return np.concatenate(spread).astype(np.int64) + np.repeat(starts, n)

    def table(self, values: NDArray[Any], fill: float = np.nan) -> NDArray[Any]:
        """(…, K) → (…, N, most beats); beyond a record's last beat `fill`."""
        if self.n_records == 1:
            return values[..., None, :]
        out = np.full((*values.shape[:-1], self.n_records * self._width), fill, values.dtype)
        out[..., self._at] = values
        return out.reshape(*values.shape[:-1], self.n_records, self._width)

    def lines(self, values: NDArray[Any], fill: float = np.nan) -> NDArray[Any]:
        """(K, W) → (N, most beats, W), as :meth:`table`."""
        if self.n_records == 1:
            return values[None]
        out = np.full((self.n_records * self._width, values.shape[1]), fill, values.dtype)
        out[self._at] = values
        return out.reshape(self.n_records, self._width, -1)

    def flat(self, lines: NDArray[Any]) -> NDArray[Any]:
        """Back from :meth:`lines`: (N, most beats, W) → (K, W)."""
        return lines[0] if self.n_records == 1 else lines.reshape(-1, lines.shape[2])[self._at]
