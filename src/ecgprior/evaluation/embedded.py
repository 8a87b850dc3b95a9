"""Embeddings of records of a corpus, as they are or changed, kept in a cell's work folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EcgpriorError, LeadMissing, ShapeError
from ..provenance import digest_json, write_json
from .changed import Change

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..encoders._load import Checkpoint
    from ..record.record import Record

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Embedded:
    """What an encoder says of some records.

    Attributes
    ----------
    rows : ndarray, int64, (N,)
        Of the corpus, rising.
    x : ndarray, float, (N, D)
        NaN for a changed record that has no lead left.
    chance : ndarray, float32, (N, C), or None
        Probabilities of a head.
    """

    rows: NDArray[np.int64]
    x: NDArray[np.floating]
    chance: NDArray[np.float32] | None = None


def embed_cached(
    model: Checkpoint,
    corpus: Corpus,
    rows: NDArray[np.int64],
    folder: Path,
    *,
    name: str = "",
    change: Change | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Embed records, or take what lies in `folder`: it belongs to the checkpoint's files, the rows and the change.

    Parameters
    ----------
    model : Checkpoint
    corpus : Corpus
    rows : ndarray, int64, (N,)
    folder : Path
    name : str
        Of the files; what they belong to is written last.
    change : Change, optional
    progress : callable, optional

    Raises
    ------
    ShapeError
        An embedding is not finite; names the record.
    """
    owned: list[Any] = [model.config["files"], rows.tolist(), corpus.digest]
    owner = digest_json(
        owned if change is None else [*owned, change.model_dump(mode="json", exclude_none=True)]
    )
    suffix = f"-{name}" if name else ""
    embedding, probability, about = (
        folder / f"{kind}{suffix}.{ending}"
        for kind, ending in (("embedding", "npy"), ("probability", "npy"), ("embedding", "json"))
    )
    if about.is_file() and about.read_text(encoding="utf-8").strip() == f'"{owner}"':
        return Embedded(rows, np.load(embedding), np.load(probability) if model.labels else None)
    x, chance = _embed(model, corpus, rows, change, progress)
    about.unlink(missing_ok=True)  # killed from here on, neither file is taken for the old ones
    np.save(embedding, x)
    if chance is not None:
        np.save(probability, chance)
    write_json(about, owner)
    return Embedded(rows, x, chance)


def _embed(
    model: Checkpoint,
    corpus: Corpus,
    rows: NDArray[np.int64],
    change: Change | None,
    progress: Progress | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    def records() -> Iterator[Record]:
        for done, row in enumerate(rows):
            if progress and done % 32 == 0:
                progress(done, len(rows), "embed" if change is None else f"embed {change.name}")
            record = corpus.record(int(row))
            yield record if change is None else change.apply(record)

    def no_lead_left(number: int, error: EcgpriorError) -> None:
        if not isinstance(error, LeadMissing):
            raise error

    x = np.full((len(rows), model.dim), np.nan, np.float32)
    chance = np.full((len(rows), len(model.labels)), np.nan, np.float32) if model.labels else None
    # A corpus is in mV, whatever its amplitudes.
    skip = None if change is None else no_lead_left
    for one in model.stream(records(), check_unit=False, on_error=skip):
        if not np.isfinite(one.embedding).all():
            name = corpus.index["record"][int(rows[one.number])]
            how = "" if change is None else f", changed as '{change.name}' says,"
            raise ShapeError(
                f"embedding of record '{name}'{how}: expected finite numbers, got NaN or infinity"
            )
        x[one.number] = one.embedding
        if chance is not None:
            chance[one.number] = one.probabilities
    return x, chance
