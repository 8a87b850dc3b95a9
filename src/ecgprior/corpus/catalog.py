"""The catalog: one table of every record of every source, before any signal is read.

Columns: ``record`` (``source/name``), ``source``, ``path`` (below the source's folder), ``patient``
(``source/id`` or null; sources that share people share the prefix), ``age`` (years), ``sex`` (``female``, ``male`` or null), ``fold`` (the publisher's
recommendation), and one list column ``labels.<vocabulary>`` a vocabulary: null = not labelled in it, an empty list =
labelled, and none of its codes applies.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from .. import lookup
from ..errors import CorpusError, where
from ._write import lists
from .sources.base import Source

LABELS = "labels."
"""What the names of label columns begin with."""

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "record": pl.String,
    "source": pl.String,
    "path": pl.String,
    "patient": pl.String,
    "age": pl.Float32,
    "sex": pl.String,
    "fold": pl.Int32,
}


def open_source(name: str, root: Path | str) -> Source:
    """The source called `name` at a folder.

    Raises
    ------
    UnknownName
        No source bears the name.
    CorpusError
        The folder does not look like it; the expected layout is named.
    """
    source = source_class(name)(root)
    source.require()
    return source


def source_class(name: str) -> type[Source]:
    """The class of the source called `name`.

    Raises
    ------
    UnknownName
        No source bears the name.
    """
    return lookup.method("corpus.sources", name, Source)


def credits(names: Iterable[str]) -> list[dict[str, str | int]]:
    """What must be said of the sources of some records, given the source's name of each.

    Returns
    -------
    list of dict
        ``name``, ``n_records`` and, of a source of ours, ``title``, ``licence``, ``url`` and ``attribution``; by name.
    """
    known = lookup.names("corpus.sources")
    counts = Counter(names)
    said: list[dict[str, str | int]] = []
    for name in sorted(counts):
        about: dict[str, str | int] = {"name": name, "n_records": counts[name]}
        if name in known:
            about |= {
                key: getattr(source_class(name), key) for key in ("title", "licence", "url", "attribution")
            }
        said.append(about)
    return said


def find_sources(folder: Path | str) -> list[tuple[Source, int]]:
    """What a folder holds: every source that it looks like, with its number of records, the likeliest first.

    The likeliest lists the most records; among equals, the one with the lowest priority number. ``folder`` (any
    folder at all) is named only where nothing else is found.

    Returns
    -------
    list of (Source, int)
        Empty when nothing here looks like a source; 0 records: its tables without its recordings.
    """
    found = []
    for name in lookup.names("corpus.sources"):
        source = source_class(name)(folder)
        if name != "folder" and source.found():
            with where(f"source '{name}' at '{folder}'"):
                found.append((source, sum(1 for _ in source.rows())))
    if not found and (source := source_class("folder")(folder)).found():
        found = [(source, sum(1 for _ in source.rows()))]
    return sorted(found, key=lambda item: (-item[1], item[0].priority))


def survey(folder: Path | str) -> list[Source]:
    """One source a set, in a folder that is one or holds several side by side.

    A folder whose own folders look like different sources is several; else it is the likeliest one of
    :func:`find_sources`. Of a folder's folders only those count that look like more than any folder.
    """
    inside = [entry for entry in sorted(Path(folder).iterdir()) if entry.is_dir()]
    deeper = [first for entry in inside for first, _ in find_sources(entry)[:1] if first.name != "folder"]
    if len({source.name for source in deeper}) > 1:
        return deeper
    return [source for source, _ in find_sources(folder)[:1]]


def catalog(sources: Iterable[Source]) -> pl.DataFrame:
    """The table of every record of `sources`; see the module for its columns.

    Raises
    ------
    CorpusError
        A source has no record, or two records of the same name.
    """
    tables = [_table(source) for source in sources]
    if not tables:
        raise CorpusError("catalog: expected at least one source, got none.")
    table = pl.concat(tables, how="diagonal")
    labels = sorted(name for name in table.columns if name.startswith(LABELS))
    table = table.select(*COLUMNS, *labels)
    double = table.filter(table["record"].is_duplicated())["record"]
    if len(double):
        raise CorpusError(f"record '{double[0]}' occurs twice in the catalog: expected every name once.")
    return table


def vocabularies(table: pl.DataFrame) -> list[str]:
    """The vocabularies in which at least one record of a catalog is labelled."""
    names = [name for name in table.columns if name.startswith(LABELS)]
    return [name.removeprefix(LABELS) for name in names if table[name].null_count() < table.height]


def _table(source: Source) -> pl.DataFrame:
    columns: dict[str, list] = {name: [] for name in COLUMNS}
    labels: dict[str, list[tuple[str, ...] | None]] = {}
    count = 0
    people = source.people or source.name
    with where(f"source '{source.name}' at '{source.root}'"):
        for row in source.rows():
            columns["record"].append(f"{row.source}/{row.record}")
            columns["source"].append(row.source)
            columns["path"].append(row.path)
            columns["patient"].append(None if row.patient is None else f"{people}/{row.patient}")
            columns["age"].append(None if row.age is None or not math.isfinite(row.age) else row.age)
            columns["sex"].append(row.sex)
            columns["fold"].append(row.fold)
            for vocabulary in row.labels.keys() - labels.keys():
                labels[vocabulary] = [None] * count
            for vocabulary, values in labels.items():
                codes = row.labels.get(vocabulary)
                values.append(None if codes is None else tuple(codes))
            count += 1
        if not count:
            raise CorpusError(f"source '{source.name}' has no record: expected {source.layout.strip()}")
    series = [pl.Series(name, columns[name], dtype) for name, dtype in COLUMNS.items()]
    series += [lists(LABELS + name, values) for name, values in labels.items()]
    return pl.DataFrame(series)
