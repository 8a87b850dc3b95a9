"""What version 1 of a checkpoint was is still read, and gives the same numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecgprior.corpus.shards import Corpus
from ecgprior.encoders._load import load

GOLDEN = Path(__file__).parents[1] / "golden"
V1 = GOLDEN / "checkpoint" / "v1"


@pytest.fixture(scope="module")
def checkpoint():
    return load(V1 / "checkpoint")


def test_it_says_what_it_is(checkpoint):
    assert (checkpoint.fs, checkpoint.leads, checkpoint.seconds) == (100.0, ("II", "V1", "V5"), 2.5)
    assert (
        checkpoint.dim == 128
        and checkpoint.labels[:3] == ("NORM", "AF", "PVC")
        and len(checkpoint.labels) == 15
    )
    assert checkpoint.preprocessing.baseline_hz == 0.5 and checkpoint.preprocessing.clip_mv == 4.0
    assert checkpoint.fingerprints.shape == (8, 64)


def test_it_embeds_and_predicts_as_it_did(checkpoint):
    expected = json.loads((V1 / "expected.json").read_text(encoding="utf-8"))
    corpus = Corpus(GOLDEN / "corpus" / "v1" / "corpus")
    records = [corpus.record(row) for row in corpus.rows(expected["record"])]
    np.testing.assert_allclose(checkpoint.embed(records), expected["embedding"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(checkpoint.predict(records), expected["probability"], rtol=1e-3, atol=1e-5)
