"""What a split deals out: groups of records that must stay together, and what each of them holds."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components

from . import duplicates
from .catalog import LABELS


def groups_of(table: pl.DataFrame) -> NDArray[np.int64]:
    """A number a record, equal where records must stay together: one patient, or one recording under two names."""
    n = table.height
    patient = table.select(pl.col("patient").rank("dense")).to_series().to_numpy()
    alone = np.isnan(patient.astype(np.float64))
    links = [np.stack([np.flatnonzero(~alone), n + patient[~alone].astype(np.int64)])]
    if "fingerprint" in table.columns:
        twin = duplicates.groups(table["fingerprint"].to_numpy())
        links.append(np.stack([np.arange(n), twin]))
    a, b = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(a), bool), (a, b)), shape=(2 * n + 1, 2 * n + 1))
    _, component = connected_components(graph, directed=False)
    _, first, number = np.unique(component[:n], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number.reshape(-1)]


def counts_of(table: pl.DataFrame, groups: NDArray[np.int64], vocabularies: list[str]) -> csr_array:
    """Records of each group by label, by source, and (last column) in all."""
    row = np.arange(table.height)
    columns = [_one_hot(row, table["source"].to_list())]
    for name in vocabularies:
        long = pl.DataFrame({"row": row, "code": table[LABELS + name]}).explode("code").drop_nulls().unique()
        long = long.sort("row", "code")
        columns.append(_one_hot(long["row"].to_numpy(), long["code"].to_list(), table.height))
    columns.append(csr_array(np.ones((table.height, 1))))
    member = csr_array((np.ones(table.height), (groups, row)), shape=(int(groups.max()) + 1, table.height))
    return csr_array(member @ hstack(columns, format="csr"))


def _one_hot(row: NDArray[np.int64], names: list[str], n: int | None = None) -> csr_array:
    code = {name: number for number, name in enumerate(sorted(set(names)))}
    at = np.array([code[name] for name in names], np.int64)
    return csr_array((np.ones(len(at)), (row, at)), shape=(n or len(row), len(code)))
