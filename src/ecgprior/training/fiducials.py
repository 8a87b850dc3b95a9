"""The global fiducials of each window, from the side table ``fiducials``, cut like the signal.

Global means: over all leads (``lead`` null). A record that was measured in several windows has the beats of all of
them. A P wave that no QRS follows is a slot of its own, after the beats.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from ..corpus.shards import Corpus
from ..errors import ColumnMissing
from ..record.beats import FIDUCIALS, WAVES
from .windows import WindowStore


class FiducialCuts:
    """Global fiducials of the records of a store, at its rate.

    Parameters
    ----------
    corpus : Corpus
    store : WindowStore

    Raises
    ------
    ColumnMissing
        The corpus has no fiducials.
    """

    def __init__(self, corpus: Corpus, store: WindowStore) -> None:
        table = global_fiducials(corpus)
        if table is None:
            raise ColumnMissing(f"this corpus has no fiducials: run `ecgprior features {corpus.path}`")
        place = pl.DataFrame(
            {"record": corpus.index["record"].gather(store.rows), "place": np.arange(len(store))}
        )
        rows = table.join(place, on="record", how="inner", maintain_order="left")
        marks = rows.select(FIDUCIALS).to_numpy().astype(np.float64) * (store.fs / corpus.fs)
        wave = rows["wave"].replace_strict(list(WAVES), list(range(len(WAVES))), default=-1).to_numpy()
        slot, first = _slots(rows)
        self._marks = np.full((len(first), len(WAVES), len(FIDUCIALS)), np.nan, np.float32)
        known = wave >= 0
        self._marks[slot[known], wave[known]] = marks[known]
        self._edges = np.searchsorted(rows["place"].to_numpy()[first], np.arange(len(store) + 1))

    def cut(
        self, positions: NDArray[np.int64], starts: NDArray[np.int64], samples: int
    ) -> Mapping[str, Tensor]:
        """The column of a batch of windows of `samples` from `starts`.

        Returns
        -------
        dict of str to Tensor
            ``fiducials`` float32 (B, K, 3, 3): of each beat P, QRS, T × onset, peak, offset in samples of the window,
            NaN = absent or outside; K = the most beats of a window, at least 1, padded with NaN.
        """
        found = []
        for position, start in zip(positions.tolist(), starts.tolist()):
            marks = self._marks[self._edges[position] : self._edges[position + 1]] - np.float32(start)
            with np.errstate(invalid="ignore"):
                marks[~((marks >= 0) & (marks <= samples - 1))] = np.nan
            found.append(marks[np.isfinite(marks).any(axis=(1, 2))])
        out = np.full(
            (len(found), max([1, *map(len, found)]), len(WAVES), len(FIDUCIALS)), np.nan, np.float32
        )
        for row, marks in zip(out, found):
            row[: len(marks)] = marks
        return {"fiducials": from_numpy(out)}


def global_fiducials(corpus: Corpus) -> pl.DataFrame | None:
    """The rows of the side table that speak of all leads together; None when the corpus has no such table."""
    table = corpus.side("fiducials")
    if table is None:
        return None
    return table.filter(pl.col("lead").is_null() | (pl.col("lead") == "global"))


def _slots(rows: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The slot of each row – counted through all records, in the order of time – and one row of each slot."""
    lone = rows["beat"].is_null().to_numpy()
    beat = np.where(lone, np.arange(rows.height), rows["beat"].fill_null(0).to_numpy())
    keys = (beat, rows["start"].to_numpy(), lone, rows["place"].to_numpy())
    order = np.lexsort(keys)
    new = np.ones(len(order), bool)
    new[1:] = np.any([np.diff(key[order].astype(np.int64)) != 0 for key in keys], axis=0)
    slot = np.empty(len(order), np.int64)
    slot[order] = np.cumsum(new) - 1
    return slot, order[new]
