"""Features of a record that was measured in several windows: the one that overlaps most."""

import numpy as np
import polars as pl
import pytest

from ecgprior.record.preprocess import Preprocessing
from ecgprior.training.features import FeatureCuts, feature_columns, several_windows
from ecgprior.training.windows import WindowStore


@pytest.fixture
def measured(corpus, names, monkeypatch):
    frame = pl.DataFrame(
        {
            "record": [names[2], names[2], names[1]],
            "start": [100, 0, 0],
            "stop": [200, 100, 150],
            "rr_ms": [2.0, 1.0, None],
        }
    )
    monkeypatch.setattr(type(corpus), "side", lambda self, name: frame if name == "features" else None)
    return corpus


def test_a_cut_takes_the_window_that_overlaps_most(measured):
    store = WindowStore(measured, Preprocessing(fs=50), [1, 2, 5])
    cuts = FeatureCuts(measured, store)
    positions, starts = np.array([1, 1, 1, 0, 2]), np.array([0, 24, 26, 0, 0])
    values = cuts.cut(positions, starts, 50)["features"].numpy()[:, 0]
    np.testing.assert_array_equal(values, [1, 1, 2, np.nan, np.nan])
    assert np.isnan(cuts.cut(np.array([1]), np.array([100]), 50)["features"].numpy()).all()


def test_the_training_part_is_every_window_of_it(measured, names):
    store = WindowStore(measured, Preprocessing(fs=50), [1, 2, 5])
    values, ids = FeatureCuts(measured, store).of(np.array([1, 2]))
    assert values.tolist() == [[1.0], [2.0]] and ids == (f"{names[2]}@0", f"{names[2]}@100")


def test_which_tables_have_several(measured, corpus, monkeypatch):
    assert several_windows(measured) and feature_columns(measured.side("features")) == ("rr_ms",)
    single = measured.side("features").head(1)
    monkeypatch.setattr(type(corpus), "side", lambda self, name: single)
    assert not several_windows(corpus)
