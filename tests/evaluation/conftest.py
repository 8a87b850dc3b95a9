"""A corpus of three made-up sources, and a benchmark of three arms on it that takes seconds."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.base import CatalogRow, Source
from ecgprior.evaluation.benchmark import benchmark
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.record.record import LEADS, Record

FS = 100


class MadeUp(Source):
    """Records of two patients' worth each; label "slow" adds 1 Hz, "fast" adds 8 Hz."""

    title, licence, url, layout = "made up", "none", "none", "nothing"

    def __init__(self, root, name, n, vocabulary=None):
        super().__init__(root)
        self.made_up_name, self.n, self.vocabulary = name, n, vocabulary

    @property
    def name(self):
        return self.made_up_name

    def found(self):
        return True

    def codes(self, i):
        return tuple(c for c, there in (("slow", i % 3 == 0), ("fast", i % 4 < 2)) if there)

    def rows(self):
        for i in range(self.n):
            labels = {self.vocabulary: self.codes(i)} if self.vocabulary and i % 15 != 14 else {}
            patient = f"p{i // 2}" if i % 7 else None
            yield CatalogRow(f"r{i:03d}", self.name, f"r{i:03d}", patient, 50.0, None, labels)

    def read(self, path):
        i = int(path.name[1:])
        rng = np.random.default_rng([len(self.name), self.n, i])
        time = np.arange(150) / FS
        signal = 0.3 * rng.normal(size=(12, len(time)))
        for code, hz in (("slow", 1.0), ("fast", 8.0)):
            if code in self.codes(i):
                signal += np.sin(2 * np.pi * hz * time + rng.uniform(0, 6))
        return Record(signal=signal, fs=FS, leads=LEADS)


@pytest.fixture(scope="session")
def make_corpus(tmp_path_factory):
    """A function that prepares a corpus of its own: alpha (36), beta (30), gamma (6, unlabelled), and what it is told."""

    def make(*more):
        root = tmp_path_factory.mktemp("source")
        sources = [MadeUp(root, "alpha", 36, "v"), MadeUp(root, "beta", 30, "w"), MadeUp(root, "gamma", 6)]
        sources += [MadeUp(root, *one) for one in more]
        with ThreadPoolExecutor(1) as executor:
            return prepare(
                sources, tmp_path_factory.mktemp("c") / "corpus", fs=FS, seconds=1.5, executor=executor
            )

    return make


@pytest.fixture(scope="session")
def corpus(make_corpus):
    """One such corpus; tests leave it as it is."""
    return make_corpus()


ENCODER = """steps = 2
batch = 8
seconds = 1.5
save_every = 1000
[preprocessing]
fs = 100.0
[encoder]
name = "xresnet1d"
size = "0.3m"
[objective]
name = "{}"
"""


@pytest.fixture(scope="session")
def values(tmp_path_factory):
    """A function that gives the values of a benchmark recipe: three arms, two tasks, three folds, one seed."""
    folder = tmp_path_factory.mktemp("recipes")
    for name in ("simclr", "supervised"):
        (folder / f"{name}.toml").write_text(ENCODER.format(name))

    def made(**changes):
        return {
            "title": "Made up",
            "seeds": [0],
            "replicates": 40,
            "unlabelled_sources": ["gamma", "absent"],
            "also_without": ["second"],
            "split": {"kind": "cv", "folds": 3},
            "arms": [
                {"name": "supervised", "pretrain": str(folder / "supervised.toml")},
                {"name": "simclr", "pretrain": str(folder / "simclr.toml")},
            ],
            "tasks": [
                {
                    "name": "first",
                    "vocabulary": "v",
                    "sources": ["alpha"],
                    "labels": ["slow", "fast"],
                    "min_positives": 4,
                },
                {
                    "name": "second",
                    "vocabulary": "w",
                    "sources": ["beta"],
                    "groups": {"any": ["slow", "fast"]},
                    "min_positives": 4,
                },
            ],
            **changes,
        }

    return made


@pytest.fixture(scope="session")
def finished(corpus, values, tmp_path_factory):
    """A finished benchmark: its recipe's values and its result folder, to be copied before it is changed."""
    to = tmp_path_factory.mktemp("result") / "finished"
    said = []
    result = benchmark(BenchmarkRecipe.of(values()), corpus, to, say=said.append)
    return {"values": values(), "to": to, "result": result, "said": said}
