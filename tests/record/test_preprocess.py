"""Preprocessing: the order of its steps, its mask, and what it refuses."""

import numpy as np
import pytest

from ecgprior.errors import RecipeError
from ecgprior.recipe import to_plain
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS, Record


def ecg(n_leads=12, n=5000, seed=0):
    rng = np.random.default_rng(seed)
    return Record(signal=rng.normal(0, 0.3, (n_leads, n)), fs=500, leads=LEADS[:n_leads])


def test_shape_type_and_mask():
    signal, mask = Preprocessing(fs=100).apply(ecg(2))
    assert signal.shape == (12, 1000) and signal.dtype == np.float32 and signal.flags.c_contiguous
    assert mask.dtype == bool and mask.tolist() == [True] * 6 + [False] * 6
    assert (signal[6:] == 0).all()


def test_without_completion_only_what_was_recorded():
    _, mask = Preprocessing(fs=500, complete=False).apply(ecg(2))
    assert mask.sum() == 2


def test_plain_keeps_millivolts():
    record = ecg()
    signal, mask = Preprocessing(fs=500, leads=("V1", "I")).apply(record)
    np.testing.assert_array_equal(signal, record.pick(("V1", "I")).signal)
    assert mask.all()


def test_nan_becomes_zero_and_an_all_nan_lead_is_absent():
    record = ecg()
    values = record.signal.copy()
    values[7, 100:200] = np.nan
    values[8] = np.nan
    signal, mask = Preprocessing(fs=500, normalise="lead").apply(record.with_(signal=values))
    assert np.isfinite(signal).all()
    assert (signal[7, 100:200] == 0).all() and (signal[8] == 0).all()
    assert mask.tolist() == [True] * 8 + [False] + [True] * 3


def test_normalised_by_lead_over_what_is_there():
    record = ecg()
    values = record.signal.copy() + 2
    values[0, :1000] = np.nan
    values[1] = 5.0  # flat
    signal, mask = Preprocessing(fs=500, normalise="lead", complete=False).apply(record.with_(signal=values))
    assert mask.all() and (signal[1] == 0).all()
    np.testing.assert_allclose(signal[0, 1000:].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(signal[0, 1000:].std(), 1, atol=1e-4)


def test_normalised_by_record_keeps_proportions():
    record = ecg()
    values = record.signal * np.arange(1, 13, dtype=np.float32)[:, None]
    signal, _ = Preprocessing(fs=500, normalise="record").apply(record.with_(signal=values))
    np.testing.assert_allclose(signal[11].std() / signal[5].std(), values[11].std() / values[5].std(), rtol=1e-4)
    np.testing.assert_allclose(np.sqrt((signal**2).mean()), 1, rtol=1e-4)


def test_quiet_leads_are_not_blown_up():
    quiet = ecg().with_(signal=ecg().signal * 1e-4)
    signal, _ = Preprocessing(fs=500, normalise="lead").apply(quiet)
    assert np.abs(signal).max() < 0.05


def test_clip_comes_after_the_filters():
    values = np.full((12, 5000), 50.0)
    values[:, 2500] = 60.0
    signal, _ = Preprocessing(fs=500, baseline_hz=0.5, clip_mv=5).apply(Record(signal=values, fs=500))
    assert signal.max() == 5 and abs(float(np.median(signal))) < 0.1


def test_same_twice_and_input_untouched():
    record = ecg()
    before = record.signal.copy()
    plan = Preprocessing(fs=250, baseline_hz=0.5, mains_hz=50, clip_mv=2, normalise="lead")
    first, second = plan.apply(record), plan.apply(record)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(record.signal, before)


def test_explain_has_a_sentence_a_step():
    short = Preprocessing(fs=500).explain()
    long = Preprocessing(fs=500, baseline_hz=0.5, mains_hz=50, clip_mv=5, normalise="record").explain()
    assert len(long) == len(short) + 4
    assert all(line.endswith(".") for line in long) and "0.5 Hz" in " ".join(long)


def test_goes_through_json():
    plan = Preprocessing(fs=100, leads=("I", "avl"), clip_mv=5)
    assert plan.leads == ("I", "aVL")
    assert Preprocessing.check(to_plain(plan)) == plan


@pytest.mark.parametrize(
    "values",
    [{"fs": 0}, {"fs": float("nan")}, {"fs": 500, "leads": []}, {"fs": 500, "leads": ["I", "i"]},
     {"fs": 100, "mains_hz": 50}, {"fs": 100, "baseline_hz": -1}, {"fs": 100, "clip_mv": 0},
     {"fs": 100, "normalise": "batch"}, {"fs": 100, "baselin_hz": 1}],
)  # fmt: skip
def test_impossible_values(values):
    with pytest.raises(RecipeError):
        Preprocessing.check(values)
