"""From paths on a command line to a table of embeddings and a list of what could not be embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..corpus.shards import Corpus
from ..encoders._load import Checkpoint
from ..errors import ReadError, describe
from ..provenance import atomic_open
from ..record.record import Record
from .progress import progress_bar

_SUFFIXES = (".hea", ".mat", ".csv", ".npy", ".h5", ".hdf5")


class _Item(NamedTuple):
    name: str
    source: str | tuple[Corpus, int]


def embed_to_parquet(checkpoint: Checkpoint, inputs: Sequence[str], to: Path, **options: Any) -> tuple[int, int]:
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
    done, rejected : int

    Raises
    ------
    ReadError
        There is nothing at all to embed, or nothing that could be.
    """
    found = list(_expand(inputs))
    if not found:
        raise ReadError(f"no record was found in {', '.join(inputs)}: expected files {', '.join(_SUFFIXES)}")
    rejected: list[tuple[str, str]] = []
    refuse = lambda number, error: rejected.append((found[number].name, describe(error)))  # noqa: E731
    with progress_bar("embed") as progress:
        move = lambda done, _total, text: progress(done, len(found), text)  # noqa: E731
        rows = list(checkpoint.stream(_open(found), progress=move, on_error=refuse, **options))
    to.parent.mkdir(parents=True, exist_ok=True)
    _write_rejected(to.with_name(f"{to.stem}.rejected.csv"), rejected)
    if not rows:
        raise ReadError(f"none of {len(found)} records could be embedded; the first: {rejected[0][1]}")
    table = pl.DataFrame(
        {"record": [found[row.number].name for row in rows], "embedding": [row.embedding for row in rows]},
        schema={"record": pl.String, "embedding": pl.Array(pl.Float32, checkpoint.dim)},
    )
    with atomic_open(to, "wb") as file:
        table.write_parquet(file)
    return len(rows), len(rejected)


def _expand(inputs: Sequence[str]) -> Iterator[_Item]:
    for text in inputs:
        if text.startswith("@"):
            yield from _expand(_listed(Path(text[1:])))
        elif (Path(text) / "manifest.json").is_file():
            corpus = Corpus(text)
            yield from (_Item(name, (corpus, row)) for row, name in enumerate(corpus.index["record"]))
        elif Path(text).is_dir():
            yield from _in_folder(Path(text), "" if len(inputs) == 1 else f"{text.rstrip('/')}/")
        else:
            yield _Item(text.removesuffix(".hea"), text)


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
