"""The side table ``features`` by window: of a record that was measured in several, each cut takes the nearest.

A corpus whose records were measured as a whole has one row a record, and this is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from ..corpus.shards import Corpus
from .windows import WindowStore


class FeatureCuts:
    """Features of the windows of the records of a store.

    Parameters
    ----------
    corpus : Corpus
        With that table.
    store : WindowStore
    name : str
        Of the table: ``features``, or another of its form.
    """

    def __init__(self, corpus: Corpus, store: WindowStore, name: str = "features") -> None:
        table = corpus.side(name)
        assert table is not None
        place = pl.DataFrame(
            {"record": corpus.index["record"].gather(store.rows), "place": np.arange(len(store))}
        )
        rows = table.join(place, on="record", how="inner").sort("place", "start")
        factor = store.fs / corpus.fs
        self._values = _floats(rows.select(feature_columns(table)))
        self._window = rows.select("start", "stop").to_numpy() * factor
        self._edges = np.searchsorted(rows["place"].to_numpy(), np.arange(len(store) + 1))
        self._ids = (rows["record"] + "@" + rows["start"].cast(pl.String)).to_list()

    def cut(
        self, positions: NDArray[np.int64], starts: NDArray[np.int64], samples: int
    ) -> Mapping[str, Tensor]:
        """``features`` float32 (B, F) of the measured window that overlaps most; all NaN where none does."""
        out = np.full((len(positions), self._values.shape[1]), np.nan, np.float32)
        for row, position, start in zip(out, positions.tolist(), starts.tolist()):
            a, b = self._edges[position], self._edges[position + 1]
            begin, end = self._window[a:b].T
            overlap = np.minimum(end, start + samples) - np.maximum(begin, start)
            if len(overlap) and overlap.max() > 0:
                row[:] = self._values[a + overlap.argmax()]
        return {"features": from_numpy(out)}

    def of(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """All measured windows of these records: float32 (windows, F), and a name for each."""
        rows = np.concatenate([np.arange(self._edges[p], self._edges[p + 1]) for p in positions.tolist()])
        return self._values[rows], tuple(self._ids[row] for row in rows.tolist())


def feature_columns(table: pl.DataFrame) -> tuple[str, ...]:
    """Names of the numbers in a table of one row a window."""
    return tuple(c for c, kind in table.schema.items() if kind.is_numeric() and c not in {"start", "stop"})


def several_windows(corpus: Corpus, name: str = "features") -> bool:
    """Whether any record has more than one row of the table."""
    table = corpus.side(name)
    return table is not None and bool(table["record"].is_duplicated().any())


def _floats(frame: pl.DataFrame) -> NDArray[np.float32]:
    return frame.select(pl.all().cast(pl.Float32).fill_null(np.nan)).to_numpy().astype(np.float32)
