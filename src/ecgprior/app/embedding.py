"""From paths on a command line to a table of embeddings and a list of what could not be embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..corpus.shards import Corpus
from ..encoders._load import Checkpoint
from ..errors import ReadError, describe
from ..provenance import atomic_open, check_target
from ..record.formats.csv import column_names
from ..record.record import LEADS, Record, canonical_lead
from .progress import progress_bar

_SUFFIXES = (".hea", ".mat", ".csv", ".npy", ".h5", ".hdf5")


class Counts(NamedTuple):
    """How many were embedded and rejected, and the names of tables that are no ECGs."""

    done: int
    rejected: int
    tables: list[str]


class _Item(NamedTuple):
    name: str
    source: str | tuple[Corpus, int]


def embed_to_parquet(checkpoint: Checkpoint, inputs: Sequence[str], to: Path, **options: Any) -> Counts:
    """Embed everything that `inputs` name.

    Parameters
    ----------
    checkpoint : Checkpoint
    inputs : sequence of str
        Records, folders of them, corpora, or ``@LIST``.
    to : Path
        Parquet: ``record`` (text), ``embedding`` (D float32). Beside it ``<stem>.rejected.csv`` (record, reason)
        when something could not be embedded.
    **options
        Of :meth:`Checkpoint.stream`.

    Returns
    -------
    Counts

    Raises
    ------
    ReadError
        There is nothing at all to embed, or nothing that could be; `to` is a folder.
    OSError
        `to` cannot be written; before the work.

    Notes
    -----
    A CSV that is come upon in a folder, has named columns and none named as a lead, is a table of labels or the
    like: it is passed over, and told, not listed as a rejected ECG. One that `inputs` name is read or rejected.
    """
    found, tables = _found(inputs, {*LEADS, *checkpoint.leads} if not options.get("leads") else None)
    if not found:
        raise ReadError(f"no record was found in {', '.join(inputs)}: expected files {', '.join(_SUFFIXES)}")
    if to.is_dir():
        raise ReadError(f"'{to}' is a folder: expected the name of the Parquet file to write")
    check_target(to)
    to.parent.mkdir(parents=True, exist_ok=True)
    rejected: list[tuple[str, str]] = []
    refuse = lambda number, error: rejected.append((found[number].name, describe(error)))  # noqa: E731
    with progress_bar("embed") as progress:
        move = lambda done, _total, text: progress(done, len(found), text)  # noqa: E731
        rows = list(checkpoint.stream(_open(found), progress=move, on_error=refuse, **options))
    _write_rejected(to.with_name(f"{to.stem}.rejected.csv"), rejected)
    if not rows:
        raise ReadError(f"none of {len(found)} records could be embedded; the first: {rejected[0][1]}")
    table = pl.DataFrame(
        {"record": [found[row.number].name for row in rows], "embedding": [row.embedding for row in rows]},
        schema={"record": pl.String, "embedding": pl.Array(pl.Float32, checkpoint.dim)},
    )
    with atomic_open(to, "wb") as file:
        table.write_parquet(file)
    return Counts(len(rows), len(rejected), tables)


def _found(inputs: Sequence[str], leads: set[str] | None) -> tuple[list[_Item], list[str]]:
    """What there is to embed, and the tables of something else that lie in the folders among it."""
    items: list[_Item] = []
    tables: list[_Item] = []
    for item, in_folder in _expand(inputs):
        is_table = in_folder and leads is not None and _is_table(str(item.source), leads)
        (tables if is_table else items).append(item)
    return items, [item.name for item in tables]


def _is_table(path: str, leads: set[str]) -> bool:
    """Whether this is a CSV whose columns have names, none of them a lead's: labels, not an ECG."""
    names = column_names(path) if path.casefold().endswith(".csv") else None
    return names is not None and leads.isdisjoint(map(canonical_lead, names))


def _expand(inputs: Sequence[str], lists: tuple[Path, ...] = ()) -> Iterator[tuple[_Item, bool]]:
    """Each item, and whether it was come upon in a folder; `lists` are the lists that are being read."""
    for text in inputs:
        if not text.strip():
            raise ReadError("input '': expected a record, a folder, a corpus or @LIST, got nothing")
        if text.startswith("@"):
            path = Path(text[1:]).resolve()
            if path in lists:
                raise ReadError(f"list '{text[1:]}' names itself: expected paths of recordings")
            yield from _expand(_listed(Path(text[1:])), (*lists, path))
        elif (Path(text) / "manifest.json").is_file():
            corpus = Corpus(text)
            yield from (
                (_Item(name, (corpus, row)), False) for row, name in enumerate(corpus.index["record"])
            )
        elif Path(text).is_dir():
            prefix = "" if len(inputs) == 1 else f"{text.rstrip('/')}/"
            yield from ((item, True) for item in _in_folder(Path(text), prefix))
        else:
            yield _Item(text.removesuffix(".hea"), text), False


def _listed(path: Path) -> list[str]:
    """The lines of a list; relative paths are relative to where the command runs."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"list '{path}' cannot be read: {error}") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _in_folder(folder: Path, prefix: str) -> Iterator[_Item]:
    """Every record below a folder by its path in it; a ``.mat`` with a header beside it is one record."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix.casefold() in _SUFFIXES and p.is_file()):
        if path.suffix == ".mat" and path.with_suffix(".hea").is_file():
            continue
        yield _Item(prefix + path.relative_to(folder).as_posix().removesuffix(".hea"), str(path))


def _open(found: Sequence[_Item]) -> Iterator[Record | str]:
    for item in found:
        yield item.source if isinstance(item.source, str) else item.source[0].record(item.source[1])


def _write_rejected(path: Path, rejected: Sequence[tuple[str, str]]) -> None:
    if not rejected:
        path.unlink(missing_ok=True)
        return
    table = pl.DataFrame(rejected, schema={"record": pl.String, "reason": pl.String}, orient="row")
    with atomic_open(path, "wb") as file:
        table.write_csv(file)
