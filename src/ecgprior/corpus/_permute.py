"""The rows of a table ``features``, dealt out anew among the records of each source: the control of what they say."""

from __future__ import annotations

import numpy as np
import polars as pl

from .tables import KINDS

_KEYS = tuple(KINDS["features"].columns)


def permuted(table: pl.DataFrame, index: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Every record with the rows of another record of its source.

    Parameters
    ----------
    table : polars.DataFrame
        A table ``features``; rows are returned in its order, with its windows.
    index : polars.DataFrame
        Of the corpus: ``record``, ``source``.
    seed : int

    Returns
    -------
    polars.DataFrame
        The k-th window of a record has the k-th row of the record that was drawn for it, from the first again where
        that has fewer. Drawn is one cycle through all records of the source, so that none keeps its own row; the only
        record of its source has nobody to trade with: its rows are NaN.
    """
    source = dict(index.select("record", "source").iter_rows())
    rows: dict[str, list[int]] = {}  # of each record, in the order of time
    for row, record in (
        table.select("record", "start").with_row_index().sort("record", "start")[:, :2].iter_rows()
    ):
        rows.setdefault(record, []).append(row)
    of_source: dict[str, list[str]] = {}
    for record in rows:
        of_source.setdefault(source[record], []).append(record)
    taken = np.empty(table.height, np.int64)
    alone = np.zeros(table.height, bool)
    rng = np.random.default_rng(seed)
    for name in sorted(of_source):
        records = of_source[name]
        circle = rng.permutation(len(records))
        for to, origin in zip(circle, np.roll(circle, -1)):
            mine, theirs = rows[records[to]], rows[records[origin]]
            taken[mine] = [theirs[k % len(theirs)] for k in range(len(mine))]
            alone[mine] = to == origin
    values = table.drop(_KEYS)[taken]
    blank = pl.Series(alone)
    kept = values.select(
        pl.when(~blank).then(pl.col(c)).otherwise(float("nan")).alias(c) for c in values.columns
    )
    return table.select(_KEYS).hstack(kept)
