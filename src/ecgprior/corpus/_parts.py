"""Train, validation and test: by the publisher's folds as far as there are any, else patients dealt out 8 : 1 : 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .. import lookup
from ..errors import CorpusError
from ._stratify import stratify
from .sources.base import PublishedFolds, Source

PARTS = ("train", "validation", "test")
_SHARE = (0.8, 0.1, 0.1)


def published_rules(
    table: pl.DataFrame, given: Mapping[str, PublishedFolds] | None
) -> dict[str, PublishedFolds]:
    """The rules of the sources that have folds here."""
    present = table.filter(pl.col("fold").is_not_null())["source"].unique(maintain_order=True).to_list()
    if given is not None:
        return {name: given[name] for name in present if name in given}
    known = lookup.names("corpus.sources")
    classes: dict[str, Any] = {n: lookup.method("corpus.sources", n, Source) for n in present if n in known}
    folds = {name: source.folds for name, source in classes.items()}
    return {name: rule for name, rule in folds.items() if rule is not None}


def parted(
    table: pl.DataFrame,
    groups: NDArray[np.int64],
    counts: csr_array,
    published: dict[str, PublishedFolds],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], dict[str, dict[str, list[int]]], Literal["published", "random", "mixed"]]:
    """Folds and rules where the publisher's parts are used as far as there are any."""
    source = table["source"].to_numpy()
    fold = np.zeros(table.height, np.int64)
    part = np.full(int(groups.max()) + 1, -1, np.int64)  # of groups with a published record
    rules = {}
    for name, rule in published.items():
        rows = np.flatnonzero(source == name)
        values = table["fold"].gather(rows)
        rules[name] = {key: list(getattr(rule, key)) for key in PARTS}
        _check_published(name, values, rules[name], table["record"].gather(rows))
        fold[rows] = values.to_numpy()
        for number, key in enumerate(PARTS):
            part[groups[rows[np.isin(fold[rows], rules[name][key])]]] = number
    free = np.flatnonzero(~np.isin(source, list(published)))
    if not len(free):
        return fold, rules, "published"
    open_groups = np.setdiff1d(groups[free], np.flatnonzero(part >= 0))
    if len(open_groups) < len(PARTS) and not published:
        raise CorpusError(f"split: expected at least {len(PARTS)} patients, got {len(open_groups)}")
    if len(open_groups):
        part[open_groups] = stratify(csr_array(counts[open_groups]), np.array(_SHARE), rng)
    fold[free] = part[groups[free]]
    for name in sorted(set(source[free])):
        rules[name] = {key: [number] for number, key in enumerate(PARTS)}
    return fold, rules, "mixed" if published else "random"


def _check_published(name: str, values: pl.Series, rule: dict[str, list[int]], records: pl.Series) -> None:
    here = set(values.drop_nulls().unique())
    stray = here - {fold for folds in rule.values() for fold in folds}
    if values.null_count() or stray:
        bad = records.filter(values.is_null() | values.is_in(list(stray)))[0]
        raise CorpusError(
            f"record '{bad}' has no published fold that '{name}' knows: expected one of "
            f"{sorted(f for folds in rule.values() for f in folds)} – split by patients with --cv 5"
        )
    for part in PARTS:
        if not here & set(rule[part]):
            folds = ", ".join(map(str, rule[part]))
            raise CorpusError(
                f"the published {part} fold of '{name}' ({folds}) is empty here: expected records in it, got only "
                f"fold {', '.join(map(str, sorted(here)))} – split by patients with --cv 5"
            )
