"""Beats of several records in one row, and the same as a table with a line for each record.

Records of equal rate, leads and length are measured together, so that every step is done once for all their beats
instead of once a record: an array of beats has them one record after the other along its last axis, (…, K); what is
counted by record (a median, a number) needs them as (…, N, most beats), the shorter lines filled up.
"""

from __future__ import annotations

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
    """

    def __init__(self, of: NDArray[np.int64], n_records: int) -> None:
        self.of, self.n_records = of, n_records
        self.count: NDArray[np.int64] = np.bincount(of, minlength=n_records)
        self._width = int(self.count.max(initial=0))
        starts = np.cumsum(self.count) - self.count
        self._place = np.arange(len(of)) + (self._width * np.arange(n_records) - starts)[of]

    def some(self, chosen: NDArray[np.bool_]) -> Ragged:
        """Of some beats only: `chosen` is bool, (K,)."""
        return Ragged(self.of[chosen], self.n_records)

    def table(self, values: NDArray[Any], fill: float = np.nan) -> NDArray[Any]:
        """(…, K) → (…, N, most beats); beyond a record's last beat `fill`."""
        if self.n_records == 1:
            return values[..., None, :]
        out = np.full((*values.shape[:-1], self.n_records * self._width), fill, values.dtype)
        out[..., self._place] = values
        return out.reshape(*values.shape[:-1], self.n_records, self._width)
