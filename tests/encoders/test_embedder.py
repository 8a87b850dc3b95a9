"""The scikit-learn face of a checkpoint: cloned, searched, pickled, and used in a pipeline."""

import pickle
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecgprior import Embedder, Record, load
from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import save_checkpoint
from ecgprior.errors import BadSamplingRate, BadUnit, CheckpointError, LeadMissing, ShapeError
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS

FS = 100


@pytest.fixture(scope="module")
def signals():
    """Forty recordings of two kinds, one with a wave that the other has not."""
    rng = np.random.default_rng(0)
    time = np.arange(300) / FS
    y = np.arange(40) % 2
    wave = np.sin(2 * np.pi * 6 * time) * y[:, None]
    return (0.2 * rng.normal(size=(40, 12, 300)) + wave[:, None]).astype(np.float32), y


def classifier(checkpoint):
    return make_pipeline(Embedder(checkpoint, fs=FS), StandardScaler(), LogisticRegression())


def test_gives_what_the_checkpoint_gives(checkpoint, signals):
    x = signals[0][:5].copy()
    x[0, 3] = np.nan
    expected = load(checkpoint).embed(x, fs=FS)
    embedder = Embedder(checkpoint, fs=FS)
    assert np.array_equal(embedder.transform(x), expected)
    assert np.array_equal(embedder.fit_transform(x, np.arange(5)), expected)
    records = [Record(signal=one, fs=FS, leads=LEADS) for one in x]
    for value in (records, tuple(records), np.array(records, dtype=object)):
        assert np.array_equal(Embedder(checkpoint).transform(value), expected)
    assert np.allclose(Embedder(checkpoint, fs=FS, unit="uV").transform(x * 1000), expected, atol=1e-5)
    turned = Embedder(checkpoint, fs=FS, leads=LEADS[::-1]).transform(x[:, ::-1])
    assert np.allclose(turned, expected, atol=1e-6)


def test_a_clone_has_the_parameters_and_nothing_else(checkpoint):
    embedder = Embedder(checkpoint, fs=FS, leads=["I", "II"], unit="uV")
    embedder.fit(None)
    other = clone(embedder)
    assert other.get_params() == embedder.get_params()
    assert list(embedder.get_params()) == ["checkpoint", "fs", "leads", "unit"]
    assert "_held" in vars(embedder) and "_held" not in vars(other)
    assert "Embedder(checkpoint=" in repr(embedder)


def test_another_checkpoint_takes_effect(checkpoint, tmp_path, signals):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, FS, seed=9)
    second = save_checkpoint(tmp_path / "second", encoder, Preprocessing(fs=FS), seconds=5.0)
    embedder = Embedder(checkpoint, fs=FS)
    before = embedder.transform(signals[0][:2])
    after = embedder.set_params(checkpoint=second).transform(signals[0][:2])
    assert np.array_equal(after, Embedder(second, fs=FS).transform(signals[0][:2]))
    assert not np.allclose(before, after)


def test_works_in_a_pipeline_and_in_cross_validation(checkpoint, signals):
    x, y = signals
    assert classifier(checkpoint).fit(x, y).score(x, y) == 1.0
    scores = cross_val_score(classifier(checkpoint), x, y, cv=4)
    assert scores.shape == (4,) and scores.min() > 0.8
    records = [Record(signal=one, fs=FS, leads=LEADS) for one in x]
    pipeline = make_pipeline(Embedder(checkpoint), StandardScaler(), LogisticRegression())
    assert np.array_equal(cross_val_score(pipeline, records, y, cv=4), scores)
    found = GridSearchCV(classifier(checkpoint), {"embedder__unit": ["mV", "uV"]}, cv=2, error_score=0.0)
    with pytest.warns(Warning, match="fits failed"):  # amplitudes cannot be in µV
        assert found.fit(x, y).best_params_ == {"embedder__unit": "mV"}


def test_names_of_columns_and_tables(checkpoint, signals):
    embedder = Embedder(checkpoint, fs=FS)
    names = embedder.get_feature_names_out()
    dim = load(checkpoint).dim
    assert names.tolist() == [f"embedding{i}" for i in range(dim)]
    table = embedder.set_output(transform="polars").fit_transform(signals[0][:3])
    assert isinstance(table, pl.DataFrame) and table.columns == names.tolist() and table.height == 3
    pipeline = make_pipeline(Embedder(checkpoint, fs=FS), StandardScaler()).fit(signals[0][:3])
    assert pipeline.get_feature_names_out().tolist() == names.tolist()


def test_pickles_by_its_parameters(checkpoint, signals):
    embedder = Embedder(checkpoint, fs=FS)
    expected = embedder.transform(signals[0][:2])
    data = pickle.dumps(embedder)
    assert len(data) < 2000
    again = pickle.loads(data)
    assert again.get_params() == embedder.get_params() and np.array_equal(
        again.transform(signals[0][:2]), expected
    )


def test_runs_without_pytorch(checkpoint, signals, monkeypatch):
    expected = Embedder(checkpoint, fs=FS).transform(signals[0][:2])
    monkeypatch.setitem(sys.modules, "torch", None)
    embedder = Embedder(checkpoint, fs=FS)
    np.testing.assert_allclose(embedder.transform(signals[0][:2]), expected, atol=1e-4)
    assert embedder._held[1].encoder is None


def test_refuses_what_it_cannot_embed(checkpoint, signals, tmp_path):
    x = signals[0]
    record = Record(signal=x[0], fs=FS, leads=LEADS)
    with pytest.raises(BadSamplingRate, match="pass fs="):
        Embedder(checkpoint).transform(x)
    with pytest.raises(BadSamplingRate, match="the record has 100 Hz, the call says 250"):
        Embedder(checkpoint, fs=250).transform([record])
    with pytest.raises(BadUnit, match="contradict mV"):
        Embedder(checkpoint, fs=FS).transform(x * 1000)
    with pytest.raises(ShapeError, match="put it into a list"):
        Embedder(checkpoint).transform(record)
    for one in (x[0], x[0, 0]):
        with pytest.raises(ShapeError, match=r"\(N, lead, time\), got shape"):
            Embedder(checkpoint, fs=FS).transform(one)
    with pytest.raises(LeadMissing):
        Embedder(checkpoint, fs=FS).transform(x[:, :5])
    with pytest.raises(CheckpointError, match="expected a folder"):
        Embedder(tmp_path / "absent").fit(x)
    with pytest.raises(CheckpointError, match="expected the path of its folder, got Checkpoint"):
        Embedder(load(checkpoint)).fit(x)


def test_nothing_in_gives_nothing_out(checkpoint):
    assert Embedder(checkpoint).transform([]).shape == (0, load(checkpoint).dim)
