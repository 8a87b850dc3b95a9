"""A small real corpus for the training room: made of random waves, prepared once a session."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ecgprior.corpus.labels import label_matrix
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.folder import Folder

FS = 100
CODES = ("a", "b")


def waves(rng, code, n):
    """Noise, and for code "a" a slow wave, for code "b" a fast one: something that can be learnt."""
    time = np.arange(n) / FS
    signal = 0.2 * rng.normal(size=(12, n))
    if "a" in code:
        signal += 0.5 * np.sin(2 * np.pi * 1.0 * time + rng.uniform(0, 6))
    if "b" in code:
        signal += 0.5 * np.sin(2 * np.pi * 5.0 * time + rng.uniform(0, 6))
    return signal.astype(np.float32)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """24 records of 12 patients, 2 to 6 s at 100 Hz; record 3 is not labelled; record 5 lacks V1."""
    root, to = tmp_path_factory.mktemp("records"), tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    lines = ["path,patient,labels,fs"]
    for i in range(24):
        code = ("-", "a", "b", "a;b")[i % 4] if i != 3 else ""
        signal = waves(rng, code, int(rng.integers(200, 600)))
        if i == 5:
            signal[6] = np.nan
        np.save(root / f"r{i:02d}.npy", signal)
        lines.append(f"r{i:02d}.npy,p{i // 2},{code},{FS}")
    (root / "records.csv").write_text("\n".join(lines) + "\n")
    with ThreadPoolExecutor(1) as executor:
        return prepare([Folder(root)], to / "corpus", fs=FS, seconds=2.0, executor=executor)


@pytest.fixture(scope="session")
def names(corpus):
    """Names of all records, in order."""
    return corpus.index["record"].to_list()


@pytest.fixture(scope="session")
def labels(corpus):
    """(codes, matrix) of the corpus' own vocabulary."""
    return CODES, label_matrix(corpus.index, "folder", CODES)


@pytest.fixture
def recipe():
    """Values of a recipe that takes about a second: change what a test is about."""

    def made(objective=None, **changes):
        return {
            "steps": 6,
            "batch": 8,
            "seconds": 2.0,
            "log_every": 1,
            "preprocessing": {"fs": FS},
            "encoder": {"name": "xresnet1d", "size": "0.3m"},
            "objective": objective or {"name": "simclr"},
            **changes,
        }

    return made
