"""Small sources for tests of the corpus: one in memory, one on disk that other processes can read too."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ecgprior.corpus.sources.base import CatalogRow, PublishedFolds, Source
from ecgprior.errors import FormatBroken
from ecgprior.record.record import LEADS, Annotations, Record


def noise(seed: int, n: int, n_leads: int = 12, fs: float = 500.0) -> np.ndarray:
    """Smooth noise of about 1 mV, another for every seed: float32 (n_leads, n)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    width = max(int(fs / 25), 1)
    white = rng.standard_normal((n_leads, n + width))
    smooth = np.apply_along_axis(np.convolve, 1, white, np.hanning(width + 2)[1:-1], "valid")[:, :n]
    return (smooth / smooth.std()).astype(np.float32)


class Memory(Source):
    """Records from a dict: name → Record or an error to raise."""

    title, licence, url, layout = "In memory", "none", "", "anything"

    def __init__(self, records, rows=None, name="memory", priority=50, folds=None):
        super().__init__(Path("."))
        self.records, self.given, self.called = records, rows or {}, name
        self.priority, self.folds = priority, folds
        self.loaded: list[str] = []

    @property
    def name(self) -> str:
        return self.called

    def found(self) -> bool:
        return True

    def rows(self) -> Iterator[CatalogRow]:
        for record in self.records:
            values = {"patient": None, "age": None, "sex": None, "labels": {}} | self.given.get(record, {})
            yield CatalogRow(record=record, source=self.name, path=record, **values)

    def read(self, path: Path) -> Record:
        self.loaded.append(path.name)
        value = self.records[path.name]
        if isinstance(value, Exception):
            raise value
        return value


@pytest.fixture
def make_source() -> Callable[..., Memory]:
    """A source in memory."""
    return Memory


@pytest.fixture
def ecg() -> Callable[..., Record]:
    """A record of smooth noise: ``ecg(seed, seconds=10, fs=500, leads=LEADS)``."""

    def make(seed: int, seconds: float = 10.0, fs: float = 500.0, leads=LEADS, **more) -> Record:
        return Record(signal=noise(seed, round(seconds * fs), len(leads), fs), fs=fs, leads=leads, **more)

    return make


@pytest.fixture
def mixed(ecg) -> Memory:
    """Records of 7.3 s, 12 s and 60 s, of 2 and 12 leads, of other rates, and some that cannot be used."""
    marks = Annotations(np.array([10, 400]), ("N", "+"), (None, "II"), ("", "(AFIB"))
    records = {
        "short": ecg(1, 7.3, 400),
        "long": ecg(2, 60, 200, ("I", "II"), annotations=marks),
        "usual": ecg(3, 12, 100),
        "broken": FormatBroken("the file ends early"),
        "odd": ValueError("what no reader foresaw"),
        "elsewhere": ecg(4, 10, 500, ("MLII", "V9")),
        "silent": Record(signal=np.full((12, 500), np.nan), fs=500),
        "holes": ecg(5, 10, 500),
    }
    gaps = records["holes"].signal.copy()
    gaps[3] = np.nan
    gaps[7, 100:200] = np.nan
    gaps[2, 50] = np.inf
    records["holes"] = records["holes"].with_(signal=gaps)
    return Memory(records, {"long": {"patient": "p1", "labels": {"brugada": ()}}})


@pytest.fixture
def on_disk(tmp_path) -> Callable[[int], Path]:
    """A folder of `n` WFDB records of 10 s with a table, for the source ``folder``."""
    from ecgprior.record.formats.wfdb import write

    def make(n: int, seconds: float = 10.0) -> Path:
        folder = tmp_path / "published"
        folder.mkdir()
        lines = ["path,patient,labels"]
        for i in range(n):
            write(
                Record(signal=noise(i, round(seconds * 100), fs=100), fs=100, name=f"r{i}"), folder / f"r{i}"
            )
            lines.append(f"r{i},p{i // 2},{'A;B' if i % 3 else ''}")
        (folder / "records.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return make


PUBLISHED = PublishedFolds(train=(1, 2), validation=(3,), test=(4,))
