"""From a corpus to batches: every record preprocessed once, windows cut where seed and step say.

``corpus/`` knows no PyTorch; this is where its arrays become a :class:`~ecgprior.batch.Batch`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batch import Batch, BatchRandom
from ..corpus.shards import Corpus
from ..encoders._windows import cut
from ..errors import CorpusError, where
from ..record.preprocess import Preprocessing

Progress = Callable[[int, int, str], None]


class WindowStore:
    """Preprocessed records, side by side in memory or in one memory-mapped file.

    Parameters
    ----------
    corpus : Corpus
    preprocessing : Preprocessing
        Applied to each whole record, once.
    rows : sequence of int
        Rows of the corpus' index; order does not matter.
    memory : int, default 4 GiB
        Up to this many bytes are kept in memory as float32; more goes as float16 into a file of `folder`,
        which has no name, so that nothing is left when the process ends.
    folder : Path or None
        Where that file lies; None = the system's folder for temporary files.
    progress : callable or None
        ``(done, total, text)``.

    Attributes
    ----------
    rows : ndarray, int64, (N,)
        Sorted, unique.
    n_samples : ndarray, int64, (N,)
        Length of each preprocessed record at `fs`.
    lead_mask : ndarray, bool, (N, L)
    patient : ndarray, int64, (N,)
        A number a patient; a record of an unknown patient has its own.
    """

    def __init__(
        self,
        corpus: Corpus,
        preprocessing: Preprocessing,
        rows: Iterable[int],
        *,
        memory: int = 4 << 30,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.preprocessing, self.fs, self.leads = preprocessing, preprocessing.fs, tuple(preprocessing.leads)
        self.rows = np.unique(np.fromiter(rows, np.int64))
        if not len(self.rows):
            raise CorpusError("windows: expected at least one record, got none")
        self.patient = _patients(corpus)[self.rows]
        self.lead_mask = np.zeros((len(self.rows), len(self.leads)), bool)
        self.n_samples = np.zeros(len(self.rows), np.int64)
        expected = _expected_bytes(corpus, self.rows, len(self.leads), self.fs)
        self._parts: list[NDArray[Any]] = []
        self._offset = np.zeros(len(self.rows), np.int64)
        names = corpus.index["record"]
        with tempfile.TemporaryFile(dir=folder) as file:
            for i, row in enumerate(self.rows.tolist()):
                with where(f"record '{names[row]}'"):
                    signal, self.lead_mask[i] = preprocessing.apply(corpus.record(row))
                self.n_samples[i] = signal.shape[1]
                if expected > memory:
                    self._offset[i] = file.tell() // 2
                    file.write(signal.astype(np.float16).tobytes())
                else:
                    self._parts.append(signal)
                if progress is not None:
                    progress(i + 1, len(self.rows), "preprocess")
            file.flush()
            self._file = np.memmap(file, np.float16, "r") if expected > memory else None

    def __len__(self) -> int:
        return len(self.rows)

    def positions(self, rows: Iterable[int]) -> NDArray[np.int64]:
        """Where `rows` of the corpus lie in this store.

        Raises
        ------
        CorpusError
            A row that was not stored.
        """
        wanted = np.fromiter(rows, np.int64)
        found = np.searchsorted(self.rows, wanted).clip(max=len(self.rows) - 1)
        if not np.array_equal(self.rows[found], wanted):
            missing = wanted[self.rows[found] != wanted][0]
            raise CorpusError(f"windows: row {missing} of the corpus was not stored")
        return found

    def signal(self, position: int) -> NDArray[Any]:
        """One whole preprocessed record, (L, its samples)."""
        if self._file is None:
            return self._parts[position]
        n, offset = int(self.n_samples[position]), int(self._offset[position])
        return self._file[offset : offset + n * len(self.leads)].reshape(len(self.leads), n)

    def cut(
        self, positions: NDArray[np.int64], starts: NDArray[np.int64], samples: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Windows of `samples` from `starts`; what lies after a record's end is 0.

        Returns
        -------
        signal : ndarray, float32, (B, L, samples)
        valid : ndarray, bool, (B, samples)
        """
        signal = np.empty((len(positions), len(self.leads), samples), np.float32)
        for out, position, start in zip(signal, positions.tolist(), starts.tolist()):
            piece = self.signal(position)[:, start : start + samples]
            out[:, : piece.shape[1]] = piece
            out[:, piece.shape[1] :] = 0
        left = self.n_samples[positions] - starts
        return signal, np.arange(samples) < left[:, None]


class SampleColumns(Protocol):
    """What can be cut at the same places as the signal: maps of waves, fiducials, features of windows."""

    def cut(
        self, positions: NDArray[np.int64], starts: NDArray[np.int64], samples: int
    ) -> Mapping[str, Tensor]:
        """Columns of a batch of windows."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Batches of windows of some records of a store: the same for the same seed and step, in any process.

    Attributes
    ----------
    store : WindowStore
    positions : ndarray, int64, (N,)
        Records of the store to draw from, each once an epoch.
    samples : int
        T, length of a window.
    seed : int
    labels : ndarray, float32, (len(store), C), or None
        NaN = not labelled.
    columns : dict of str to ndarray, float32, (len(store), …)
        What else the objective needs.
    two : bool
        Also give the window right after (``Batch.next``); every record must then hold two.
    cuts : tuple of SampleColumns
        Columns that depend on where a window lies; they stand over those of the same name in `columns`.
    """

    store: WindowStore
    positions: NDArray[np.int64]
    samples: int
    seed: int = 0
    labels: NDArray[np.float32] | None = None
    columns: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    two: bool = False
    cuts: tuple[SampleColumns, ...] = ()

    @property
    def n_records(self) -> int:
        """Records that are drawn from."""
        return len(self.positions)

    def draw(self, step: int, batch: int) -> NDArray[np.int64]:
        """The records of a step, `batch` ≤ N: a new order every epoch, no record twice in a step.

        The last records of an epoch that do not fill a step are left out of it (of this epoch only).
        """
        epoch, within = divmod(step, len(self.positions) // batch)
        return self._order(epoch)[within * batch : (within + 1) * batch]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.seed, epoch]).permutation(self.positions)

    def batch(self, step: int, positions: NDArray[np.int64]) -> Batch:
        """Windows at random places of these records; keyed by seed, step and record."""
        row = torch.from_numpy(self.store.rows[positions])
        room = self.store.n_samples[positions] - self.samples * (2 if self.two else 1)
        share = BatchRandom(self.seed, step, row).uniform("window").numpy()
        starts = np.floor(share * (room.clip(min=0) + 1)).astype(np.int64)
        return self.at(positions, np.minimum(starts, room.clip(min=0)))

    def at(self, positions: NDArray[np.int64], starts: NDArray[np.int64]) -> Batch:
        """Windows that begin at `starts`."""
        first = self._collate(positions, starts)
        return first.with_(next=self._collate(positions, starts + self.samples)) if self.two else first

    def _collate(self, positions: NDArray[np.int64], starts: NDArray[np.int64]) -> Batch:
        signal, valid = self.store.cut(positions, starts, self.samples)
        columns = {name: torch.from_numpy(column[positions]) for name, column in self.columns.items()}
        for other in self.cuts:
            columns |= other.cut(positions, starts, self.samples)
        return Batch(
            signal=torch.from_numpy(signal),
            lead_mask=torch.from_numpy(self.store.lead_mask[positions]),
            valid=torch.from_numpy(valid),
            row=torch.from_numpy(self.store.rows[positions]),
            start=torch.from_numpy(starts),
            patient=torch.from_numpy(self.store.patient[positions]),
            labels=None if self.labels is None else torch.from_numpy(self.labels[positions]),
            columns=columns,
            fs=self.store.fs,
            leads=self.store.leads,
        )

    def whole(self, batch: int) -> Iterable[tuple[NDArray[np.int64], Batch]]:
        """Every record in windows side by side, as a checkpoint cuts it: (index into `positions`, batch).

        A rest of at least half a window is kept, padded; a record shorter than that is one padded window.
        """
        places = [
            (i, start)
            for i, n in enumerate(self.store.n_samples[self.positions].tolist())
            for start, _ in cut(n, self.samples)
        ]
        for begin in range(0, len(places), batch):
            index, starts = np.array(places[begin : begin + batch], np.int64).T
            yield index, self.at(self.positions[index], starts)


def _patients(corpus: Corpus) -> NDArray[np.int64]:
    """A number a row: equal for rows of one patient; rows without a patient count on from there."""
    ids: Sequence[str | None] = corpus.index["patient"].to_list()
    numbers: dict[str | tuple[int], int] = {}
    keys = [(row,) if name is None else name for row, name in enumerate(ids)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _expected_bytes(corpus: Corpus, rows: NDArray[np.int64], n_leads: int, fs: float) -> int:
    seconds = corpus.index["n_samples"].to_numpy()[rows].sum() / corpus.fs
    return int(seconds * fs * n_leads * 4)
