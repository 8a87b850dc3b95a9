"""Delineations as rows of the side table ``fiducials``, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CorpusError, where
from ..record.beats import FIDUCIALS, WAVES, Delineation
from .tables import KINDS, crop, rescale

_STEP = 64
"""Fiducials are kept to 1/64 of a sample: finer than any delineator, and half the bytes on disk."""
_SAME_P_S = 0.12
"""A lone P wave of a lead belongs to the global one whose peak is at most so far away."""

Window = tuple[str, int, int]
"""Record, first sample, one past the last."""


def fiducial_rows(windows: Sequence[Window], found: Sequence[Delineation]) -> pl.DataFrame:
    """Rows of the table: of each window, lead after lead and the global ones last, each in the order of time.

    Parameters
    ----------
    windows : sequence of (record, start, stop)
    found : sequence of Delineation
        Of each window, its samples counted from the window's start.
    """
    if not windows:
        return pl.DataFrame(schema=KINDS["fiducials"].columns)
    pieces = [_rows_of(delineation) for delineation in found]
    at = np.repeat(np.arange(len(windows)), [len(piece[0]) for piece in pieces])
    lead, beat, wave, marks = (np.concatenate(part) for part in zip(*pieces))
    names = pl.Series([lead_name for d in found for lead_name in (*d.leads, None)], dtype=pl.String)
    first_name = np.concatenate([[0], np.cumsum([len(d.leads) + 1 for d in found])])[:-1]
    start = np.array([w[1] for w in windows], np.int64)
    marks = np.round(marks * _STEP) / _STEP + start[at][:, None]
    columns = {
        "record": pl.Series([w[0] for w in windows], dtype=pl.String).gather(at),
        "start": start[at],
        "stop": np.array([w[2] for w in windows], np.int64)[at],
        "lead": names.gather(first_name[at] + lead),
        "beat": beat.astype(np.int32),
        "wave": pl.Series(WAVES).gather(wave),
        **{name: marks[:, column] for column, name in enumerate(FIDUCIALS)},
    }
    frame = pl.DataFrame(columns, schema=KINDS["fiducials"].columns)
    return frame.with_columns(pl.when(pl.col("beat") >= 0).then(pl.col("beat")).alias("beat"))


def _rows_of(
    found: Delineation,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Lead, beat (−1 = lone P), wave and marks of every wave that is there."""
    stacked = np.concatenate([found.points, found.global_[None]])
    lead, beat, wave = np.nonzero(np.isfinite(stacked).any(axis=-1))
    alone, which = np.nonzero(np.isfinite(found.lone_p).any(axis=-1))
    marks = np.concatenate([stacked[lead, beat, wave], found.lone_p[alone, which]])
    lead = np.concatenate([lead, alone])
    order = np.lexsort((np.fmin.reduce(marks, axis=1, initial=np.inf), lead))
    beat = np.concatenate([beat, np.full(len(alone), -1)])
    wave = np.concatenate([wave, np.zeros(len(alone), np.int64)])
    return lead[order], beat[order], wave[order], marks[order]


class Given:
    """Fiducials that somebody else found, in a Parquet file.

    Two forms are read: that of the side table ``fiducials``, and rows of :meth:`Delineation.table` with a column
    ``record``. Records may be named as in the corpus (``ludb/10``) or without their source (``10``).

    Parameters
    ----------
    path : Path
    fs : float
        Rate of its samples in Hz.
    corpus_fs : float

    Raises
    ------
    CorpusError
        It cannot be read, is not such a table, or has no global fiducials (lead null or ``global``).
    """

    def __init__(self, path: Path, fs: float, corpus_fs: float) -> None:
        self.path, self.fs, self.corpus_fs = path, fs, corpus_fs
        with where(f"fiducials '{path}'"):
            try:
                schema = pl.scan_parquet(path, glob=False).collect_schema()
                self._table = _normal(pl.scan_parquet(path, glob=False), schema)
                found = self._table.select(
                    pl.col("record").unique().implode(), over_all=pl.col("lead").is_null().any()
                ).collect()
            except (OSError, pl.exceptions.PolarsError) as error:
                raise CorpusError(f"expected a Parquet file, got {error}") from None
            if not found["over_all"][0]:
                raise CorpusError(
                    "expected global fiducials (lead null), from which intervals come, got none"
                )
        self.records = frozenset(found["record"][0])

    def held(self, names: pl.Series) -> list[str]:
        """Which of these records the file holds; a row whose `wave` is null holds its record, and says: no wave.

        Raises
        ------
        CorpusError
            It holds none; or, named without their source, records of several sources.
        """
        known = [name for name in names.to_list() if self._name(name) in self.records]
        if not known:
            raise CorpusError(
                f"fiducials '{self.path}': expected records of the corpus, as {names[0]!r}, got "
                f"{sorted(self.records)[:3]}"
            )
        bare = [name for name in known if name not in self.records]
        sources = sorted({name.partition("/")[0] for name in bare})
        if len(sources) > 1:  # the 10 of one source is not the 10 of another
            example = next(name for name in bare if name.partition("/")[0] == sources[0])
            raise CorpusError(
                f"fiducials '{self.path}': names such as '{self._name(example)}' are those of records of "
                f"{', '.join(sources)}: expected names with the source, as '{example}'"
            )
        return known

    def of(self, windows: Sequence[Window], leads: tuple[str, ...]) -> list[Delineation | None]:
        """The delineation of each window, counted from its start; None where the file has nothing for the record."""
        called = {name: self._name(name) for name, _, _ in windows}
        table = self._table.filter(pl.col("record").is_in(list(set(called.values())))).collect()
        if self.fs != self.corpus_fs:
            table = rescale(table, "fiducials", self.fs, self.corpus_fs)
        parts = {key[0]: part for key, part in table.partition_by("record", as_dict=True).items()}
        return [
            _delineation(_of_window(parts[called[name]], start, stop), leads, self.corpus_fs)
            if called[name] in parts
            else None
            for name, start, stop in windows
        ]

    def _name(self, record: str) -> str:
        return record if record in self.records else record.partition("/")[2]


def _normal(table: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
    """Either form with the columns of the side table; rows without a window have the empty one at 0."""
    wanted = KINDS["fiducials"].columns
    numbers = {"beat", "start", "stop", *FIDUCIALS}
    wrong = [
        name
        for name in wanted
        if name not in {"start", "stop", *schema}
        or (
            name in schema
            and not (schema[name].is_numeric() if name in numbers else schema[name] == pl.String)
        )
    ]
    if wrong:
        raise CorpusError(
            f"expected the columns of a table 'fiducials' ({', '.join(wanted)}), got none or another {', '.join(wrong)}"
        )
    there = {name: pl.col(name) if name in schema else pl.lit(0) for name in wanted}
    there["lead"] = pl.when(pl.col("lead") != "global").then(pl.col("lead"))
    cast = [there[name].cast(kind).alias(name) for name, kind in wanted.items()]
    return table.select(cast).with_columns(pl.col(FIDUCIALS).fill_null(float("nan")))


def _of_window(table: pl.DataFrame, start: int, stop: int) -> pl.DataFrame:
    """Rows of exactly this window if there are any, else what of the others lies inside it; from its start."""
    exact = table.filter((pl.col("start") == start) & (pl.col("stop") == stop))
    if exact.height:
        table = exact
    return crop(table, "fiducials", start, stop)


def _delineation(table: pl.DataFrame, leads: tuple[str, ...], fs: float) -> Delineation:
    place = {name: number for number, name in enumerate(leads)} | {None: len(leads)}
    lead = np.array([place.get(name, -1) for name in table["lead"]], np.int64)
    wave = np.array([WAVES.index(name) if name in WAVES else -1 for name in table["wave"]], np.int64)
    beat = table["beat"].fill_null(-1).to_numpy()
    marks = table.select(FIDUCIALS).to_numpy()
    mine = (lead >= 0) & (wave >= 0)
    of_beat = mine & (beat >= 0)
    kept = np.unique(beat[of_beat & (wave == 1) & (lead == len(leads))])  # a slot is a QRS over all leads
    of_beat &= np.isin(beat, kept)
    points = np.full((len(leads) + 1, len(kept), 3, 3), np.nan)
    points[lead[of_beat], np.searchsorted(kept, beat[of_beat]), wave[of_beat]] = marks[of_beat]
    alone = mine & (beat < 0) & (wave == 0)
    return Delineation(leads, points[:-1], points[-1], _lone(lead[alone], marks[alone], len(leads), fs))


def _lone(
    lead: NDArray[np.int64], marks: NDArray[np.float64], n_leads: int, fs: float
) -> NDArray[np.float64]:
    over_all = marks[(lead == n_leads) & np.isfinite(marks[:, 1])]
    lone = np.full((n_leads + 1, len(over_all), 3), np.nan)
    lone[-1] = over_all
    if not len(over_all):
        return lone
    for number, mark in zip(lead, marks):
        if number < n_leads and np.isfinite(mark[1]):
            away = np.abs(over_all[:, 1] - mark[1])
            if away.min() <= _SAME_P_S * fs:
                lone[number, away.argmin()] = mark
    return lone
