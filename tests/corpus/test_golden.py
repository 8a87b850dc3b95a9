"""What version 1 wrote is still read, and says what a reader of FORMAT.md alone finds in it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.shards import Corpus, corpus_digest
from ecgprior.corpus.splits import Split

V1 = Path(__file__).parents[1] / "golden" / "corpus" / "v1"


@pytest.fixture
def corpus():
    return Corpus(V1 / "corpus")


def test_samples_are_integers_times_scale(corpus):
    index = pl.read_parquet(V1 / "corpus/index.parquet")
    stored = np.fromfile(V1 / "corpus/shards/00000.i16", "<i2")
    assert len(corpus) == index.height == 8 and (corpus.fs, corpus.leads) == (100.0, ("II", "V1", "V5"))
    for row, entry in enumerate(index.iter_rows(named=True)):
        first, n = entry["offset"] // 2, entry["n_samples"]
        whole = stored[first : first + 3 * n].reshape(3, n) * np.array(entry["scale"])[:, None]
        assert entry["leads"] == ["II", "V1", "V5"] and n == 600 and entry["seconds"] == 6.0
        np.testing.assert_allclose(corpus.signal(row), whole, rtol=1e-6)
        assert 0.3 < np.abs(whole).max() < 5


def test_nothing_in_it_is_broken(corpus):
    assert corpus.broken() == []
    assert corpus_digest(corpus.index, corpus.fs, corpus.leads) == corpus.digest
    assert corpus.digest == json.loads((V1 / "corpus/manifest.json").read_text(encoding="utf-8"))["digest"]
    marks = corpus.record(0).annotations
    assert marks is not None and len(marks.sample) == corpus.side("annotations")["record"].to_list().count(
        "simulated/sim000000"
    )


def test_its_folds_are_read():
    split = Split.load(V1 / "folds.csv")
    assert split.cv_parts(0) == {
        "test": ["simulated/sim000006", "simulated/sim000007"],
        "validation": ["simulated/sim000002", "simulated/sim000003", "simulated/sim000004"],
        "train": ["simulated/sim000000", "simulated/sim000001", "simulated/sim000005"],
    }
    assert split.manifest["inputs"]["corpus"] == Corpus(V1 / "corpus").digest
