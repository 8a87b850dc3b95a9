"""LUDB's maps are its marks: every wave that has both its boundaries, in every lead, to the sample; the rest unknown."""

import re

import numpy as np
import pytest

from ecgprior.corpus.prepare import prepare
from ecgprior.record.preprocess import Preprocessing
from ecgprior.training.waves import WAVE_OF, WaveMaps
from ecgprior.training.windows import WindowStore


@pytest.fixture(scope="module")
def corpus(real_data, tmp_path_factory):
    return prepare(
        {"ludb": real_data / "ludb"}, tmp_path_factory.mktemp("ludb") / "corpus", fs=500, workers=1
    )


def of_marks(marks, lead):
    """Samples and symbols of a lead."""
    own = [i for i, name in enumerate(marks.lead) if name == lead]
    return marks.sample[own], "".join(marks.symbol[i] for i in own)


def runs(lane):
    edge = np.flatnonzero(np.diff(np.r_[-9, lane, -9]))
    return {(int(lane[a]), int(a), int(b) - 1) for a, b in zip(edge[:-1], edge[1:]) if lane[a] > 0}


@pytest.mark.slow
@pytest.mark.parametrize("fs", [500, 250])
def test_maps_equal_the_marks(corpus, fs):
    rows = range(len(corpus))
    store = WindowStore(corpus, Preprocessing(fs=fs), rows)
    maps, n = WaveMaps(corpus, store), 0
    for row in rows:
        marks = corpus.record(row).annotations
        for lead, lane in zip(store.leads, maps.map(row), strict=True):
            sample, text = of_marks(marks, lead)
            at = sample * fs / 500
            whole = [m.start() for m in re.finditer(r"\([pNt]\)", text)]
            expected = {(WAVE_OF[text[i + 1]], int(np.ceil(at[i])), int(np.floor(at[i + 2]))) for i in whole}
            assert expected <= runs(lane), (row, lead)
            assert (lane[: int(np.ceil(at[0]))] == -1).all() and (lane[int(at[-1]) + 1 :] == -1).all()
            n += len(expected)
    assert n > 34_000 and not maps.simulated.any()
