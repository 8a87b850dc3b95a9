"""Fiducials of windows against a loop over the rows of the table."""

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.tables import KINDS
from ecgprior.errors import ColumnMissing
from ecgprior.record.preprocess import Preprocessing
from ecgprior.training.fiducials import FiducialCuts
from ecgprior.training.windows import Windows, WindowStore

nan = float("nan")


@pytest.fixture(scope="module")
def store(corpus):
    """Half the corpus' rate."""
    return WindowStore(corpus, Preprocessing(fs=50), [1, 2, 5])


@pytest.fixture
def marked(corpus, names, monkeypatch):
    """Two measured windows of record 2 and one of record 1; record 5 has none, record 7 is not in the store."""
    rows = [
        (names[2], 100, 200, None, 0, "QRS", 110.0, 115.0, 121.0),
        (names[2], 0, 100, None, 0, "P", 20.0, 24.0, nan),
        (names[2], 0, 100, None, 0, "QRS", 30.0, 35.5, 41.0),
        (names[2], 0, 100, "I", 0, "QRS", 29.0, 34.0, 40.0),
        (names[2], 0, 100, None, 1, "T", 80.0, 90.0, 99.0),
        (names[2], 0, 100, None, None, "P", 60.0, 62.0, 66.0),
        (names[1], 0, 200, None, 0, "QRS", 10.0, 12.0, 14.0),
        (names[7], 0, 200, None, 0, "QRS", 1.0, 2.0, 3.0),
    ]
    frame = pl.DataFrame(rows, schema=KINDS["fiducials"].columns, orient="row")
    monkeypatch.setattr(type(corpus), "side", lambda self, name: frame if name == "fiducials" else None)
    return corpus


def test_beats_of_all_windows_in_order_and_lone_p_waves_last(marked, store):
    beats = FiducialCuts(marked, store).cut(np.array([1]), np.array([0]), 100)["fiducials"].numpy()[0]
    assert beats.dtype == np.float32 and beats.shape == (4, 3, 3)
    np.testing.assert_array_equal(beats[0], [[10, 12, nan], [15, 17.75, 20.5], [nan] * 3])
    np.testing.assert_array_equal(beats[1], [[nan] * 3, [nan] * 3, [40, 45, 49.5]])
    np.testing.assert_array_equal(beats[2, 1], [55, 57.5, 60.5])
    np.testing.assert_array_equal(beats[3], [[30, 31, 33], [nan] * 3, [nan] * 3])


def test_what_lies_outside_the_window_is_absent_and_short_rows_are_padded(marked, store):
    cuts = FiducialCuts(marked, store)
    found = cuts.cut(np.array([0, 1, 2]), np.array([0, 17, 0]), 30)["fiducials"].numpy()
    assert found.shape == (3, 3, 3, 3)
    np.testing.assert_array_equal(found[0, 0, 1], [5, 6, 7])
    assert np.isnan(found[0, 1:]).all() and np.isnan(found[2]).all()
    np.testing.assert_array_equal(found[1, 0, 1], [nan, 0.75, 3.5])
    np.testing.assert_array_equal(found[1, 1, 2], [23, 28, nan])
    np.testing.assert_array_equal(found[1, 2, 0], [13, 14, 16])


def test_they_are_cut_like_the_signal_and_go_to_both_windows(marked, store):
    windows = Windows(store, np.array([1]), 40, two=True, cuts=(FiducialCuts(marked, store),))
    batch = windows.at(np.array([1]), np.array([5]))
    assert batch.columns["fiducials"][0, 0, 1].tolist() == [10, 12.75, 15.5]
    assert batch.next is not None and batch.next.columns["fiducials"][0, 1, 1].tolist() == [10, 12.5, 15.5]


def test_a_corpus_without_fiducials_names_the_command(corpus, store):
    with pytest.raises(ColumnMissing, match="run `ecgprior features"):
        FiducialCuts(corpus, store)
