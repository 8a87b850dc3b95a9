"""Which wave each sample of each lead belongs to: maps made once from a corpus' marks, cut with its windows.

A record's map comes from its published marks of waves, ``(`` ``p`` ``)``, ``(`` ``N`` ``)``, ``(`` ``t`` ``)`` with
the name of their lead, as LUDB has them; where it has none, from the side table ``fiducials``. Only what lies between
two neighbouring marks that explain each other is known: onset and peak, or peak and offset, of one wave, and what is
between an offset and the next onset. So a lead is unknown before its first and after its last mark, around a mark
whose partner is absent, and as a whole when it has none. Of ``fiducials`` the whole window that was measured is known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from ..corpus.shards import Corpus
from ..errors import ColumnMissing
from ..provenance import sha256
from .windows import WindowStore

NONE, UNKNOWN = 0, -1
WAVE_OF = {"p": 1, "N": 2, "t": 3}
"""Class of a peak's symbol; 0 = no wave, −1 = unknown."""

_PEAK = {"P": "p", "QRS": "N", "T": "t"}
_SIMULATED = "simulated"


class WaveMaps:
    """The maps of the records of a store, at its rate.

    Parameters
    ----------
    corpus : Corpus
    store : WindowStore

    Attributes
    ----------
    simulated : ndarray, bool, (N,)
        The record is of the source ``simulated``: its boundaries are the simulator's, not a person's.

    Raises
    ------
    ColumnMissing
        The corpus has neither marks of waves nor fiducials.
    """

    def __init__(self, corpus: Corpus, store: WindowStore) -> None:
        marks = wave_marks(corpus)
        if marks is None:
            raise ColumnMissing(absent(corpus))
        names = corpus.index["record"].gather(store.rows)
        self.simulated = (corpus.index["source"].gather(store.rows) == _SIMULATED).to_numpy()
        self._maps = [np.full((len(store.leads), int(n)), UNKNOWN, np.int8) for n in store.n_samples.tolist()]
        place = {name: i for i, name in enumerate(names)}
        lead_of = {name: i for i, name in enumerate(store.leads)}
        wanted = marks.filter(pl.col("record").is_in(list(place)) & pl.col("lead").is_in(list(lead_of)))
        for record, lead, first, last, wave in stretches(wanted, store.fs / corpus.fs).iter_rows():
            self._maps[place[record]][lead_of[lead], max(first, 0) : last + 1] = wave

    def map(self, position: int) -> NDArray[np.int8]:
        """The whole map of one record of the store, (L, its samples)."""
        return self._maps[position]

    def known(self, positions: NDArray[np.int64]) -> bool:
        """Whether any sample of these records is known."""
        return any((self._maps[position] != UNKNOWN).any() for position in positions.tolist())

    def cut(
        self, positions: NDArray[np.int64], starts: NDArray[np.int64], samples: int
    ) -> Mapping[str, Tensor]:
        """The columns of a batch of windows of `samples` from `starts`.

        Returns
        -------
        dict of str to Tensor
            ``waves`` int8 (B, L, samples): 0 none, 1 P, 2 QRS, 3 T, −1 unknown or after the record's end;
            ``simulated`` bool (B,).
        """
        waves = np.full((len(positions), len(self._maps[0]), samples), UNKNOWN, np.int8)
        for out, position, start in zip(waves, positions.tolist(), starts.tolist()):
            piece = self._maps[position][:, start : start + samples]
            out[:, : piece.shape[1]] = piece
        return {"waves": from_numpy(waves), "simulated": from_numpy(self.simulated[positions])}


def wave_marks(corpus: Corpus) -> pl.DataFrame | None:
    """Every mark of a wave in a lead, in the order of time: published ones, and measured ones of other records.

    Returns
    -------
    polars.DataFrame or None
        ``record``, ``lead``, ``sample`` Float64 (corpus' rate), ``symbol`` (``(``, ``p``, ``N``, ``t``, ``)``);
        None when the corpus has none.
    """
    columns = ["record", "lead", "sample", "symbol"]
    published, measured = corpus.side("annotations"), corpus.side("fiducials")
    parts = []
    if published is not None:
        kept = pl.col("lead").is_not_null() & pl.col("symbol").is_in(["(", ")", *WAVE_OF])
        of_waves = published.filter(kept).with_columns(pl.col("sample").cast(pl.Float64)).select(columns)
        parts.append(of_waves.sort("record", "lead", "sample", maintain_order=True))
    if measured is not None:
        if parts:
            measured = measured.join(parts[0].select("record").unique(), on="record", how="anti")
        parts.append(_marks_of_fiducials(measured).select(columns))
    marks = pl.concat(parts) if parts else None
    return None if marks is None or not marks.height else marks


def marks_digest(corpus: Corpus, rows: list[int]) -> str:
    """SHA-256 of all marks of waves of these records, whichever table they are from."""
    marks, names = wave_marks(corpus), corpus.index["record"].gather(rows)
    if marks is None:
        return sha256(b"")
    own = marks.filter(pl.col("record").is_in(names.to_list()))
    return sha256(own.sort("record", "lead", "sample", maintain_order=True).write_csv().encode())


def _marks_of_fiducials(table: pl.DataFrame) -> pl.DataFrame:
    """Fiducials as marks; the window that was measured begins after an offset and ends before an onset."""
    table = table.filter(pl.col("lead").is_not_null() & pl.col("wave").is_in(list(_PEAK)))
    symbol = {
        "onset": pl.lit("("), "peak": pl.col("wave").replace_strict(_PEAK, return_dtype=pl.String), "offset": pl.lit(")")
    }  # fmt: skip
    parts = [table.select("record", "lead", sample=name, symbol=mark) for name, mark in symbol.items()]
    window = table.select("record", "lead", "start", "stop").unique()
    edges = {")": pl.col("start") - 1.0, "(": pl.col("stop").cast(pl.Float64)}
    parts += [window.select("record", "lead", sample=at, symbol=pl.lit(mark)) for mark, at in edges.items()]
    marks = pl.concat(parts).filter(pl.col("sample").is_finite())
    return marks.sort("record", "lead", "sample", maintain_order=True)


def stretches(marks: pl.DataFrame, factor: float) -> pl.DataFrame:
    """What is known between neighbouring marks of a lead.

    Parameters
    ----------
    marks : polars.DataFrame
        As :func:`wave_marks` gives them.
    factor : float
        Samples are multiplied by it.

    Returns
    -------
    polars.DataFrame
        ``record``, ``lead``, ``first``, ``last`` Int64 (both inside), ``wave`` Int8. A sample that stands on a
        boundary belongs to the wave; between two samples the boundary stays where it is.
    """
    lane = ["record", "lead"]
    pairs = marks.with_columns(
        pl.col("sample") * factor,
        pl.col("sample").shift(-1).over(lane).alias("until") * factor,
        pl.col("symbol").shift(-1).over(lane).alias("next"),
    ).drop_nulls("next")
    here, after = pl.col("symbol"), pl.col("next")
    rising, falling = (here == "(") & after.is_in(list(WAVE_OF)), here.is_in(list(WAVE_OF)) & (after == ")")
    between = (here == ")") & (after == "(")
    wave = (
        pl.when(rising)
        .then(after)
        .otherwise(here)
        .replace_strict(WAVE_OF, default=NONE, return_dtype=pl.Int8)
    )
    inside = [pl.col("sample").ceil(), pl.col("until").floor()]
    outside = [pl.col("sample").floor() + 1, pl.col("until").ceil() - 1]
    first, last = (pl.when(between).then(out).otherwise(own) for own, out in zip(inside, outside))
    found = pairs.filter(rising | falling | between).select(
        *lane, first=first.cast(pl.Int64), last=last.cast(pl.Int64), wave=wave
    )
    return found.filter(pl.col("first") <= pl.col("last"))


def absent(corpus: Corpus) -> str:
    """The sentence for a corpus without any wave."""
    return (
        "the objective needs 'waves', and this corpus has neither published marks of waves nor fiducials: prepare a "
        f"source that has them (`ecgprior prepare ludb=DIR --to CORPUS`), or run `ecgprior features {corpus.path}`"
    )
