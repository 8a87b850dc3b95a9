"""The sketch knows a recording again after gain, rounding and resampling, and only then."""

import numpy as np
import pytest

from ecgprior.corpus.duplicates import CANDIDATE, correlation, groups, overlap, sketch, twins
from ecgprior.record.filters import resample_array
from ecgprior.record.record import LEADS


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float), b.astype(float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_sketch_never_changes():
    """Checkpoints carry sketches, so this value is part of the format: see FORMAT.md before changing anything."""
    time = np.arange(2500) / 500
    signal = np.stack([np.exp(-0.5 * (((time - 0.1 * k) % 0.8 - 0.4) / 0.02) ** 2) for k in range(12)])
    value = sketch(signal.astype(np.float32), 500.0, LEADS)
    assert value.dtype == np.int8 and value.shape == (64,)
    golden = [
        55,
        -28,
        -3,
        100,
        42,
        -85,
        -61,
        33,
        66,
        -29,
        -76,
        -33,
        -31,
        -6,
        -22,
        71,
        -70,
        -88,
        22,
        13,
        22,
        104,
        23,
        26,
        -26,
        18,
        -58,
        -24,
        57,
        -18,
        31,
        -43,
        1,
        -12,
        -19,
        -79,
        -7,
        -77,
        -4,
        45,
        -33,
        45,
        50,
        -10,
        21,
        -25,
        -73,
        75,
        -71,
        127,
        50,
        -43,
        -7,
        -11,
        -23,
        -96,
        -25,
        53,
        -47,
        54,
        20,
        -70,
        17,
        3,
    ]
    assert np.abs(value.astype(int) - np.array(golden)).max() <= 1  # one step of rounding


@pytest.mark.parametrize(
    "change",
    [
        lambda x: 5 * x,
        lambda x: 1e-4 * x,
        lambda x: x + 7,
        lambda x: np.round(x * 100) / 100,
        lambda x: x * np.linspace(0.5, 2, 12)[:, None],
        lambda x: x[:, :3000],
    ],
    ids=["gain", "tiny", "level", "rounding", "gain per lead", "cut"],
)
def test_a_changed_copy_is_known_again(ecg, change):
    signal = ecg(0).signal
    copy = change(signal).astype(np.float32)
    assert cosine(sketch(signal, 500, LEADS), sketch(copy, 500, LEADS)) > 0.97
    assert correlation(signal, 500, copy, 500) > 0.999


@pytest.mark.parametrize("fs", [100, 250, 360, 400, 257.5, 1000])
def test_another_rate_is_known_again(ecg, fs):
    signal = ecg(0).signal
    copy = resample_array(signal, 500, fs)
    assert cosine(sketch(signal, 500, LEADS), sketch(copy, fs, LEADS)) > 0.97
    assert correlation(signal, 500, copy, fs) > 0.999


def test_others_are_not(ecg):
    sketches = np.array([sketch(ecg(i).signal, 500, LEADS) for i in range(60)])
    assert len(set(groups(sketches, CANDIDATE))) == 60
    assert correlation(ecg(0).signal, 500, ecg(1).signal, 500) < 0.9


def test_the_same_beats_a_moment_later_are_another_recording():
    time = np.arange(2500) / 500
    beat = lambda shift: np.tile(np.exp(-0.5 * (((time + shift) % 0.8 - 0.4) / 0.02) ** 2), (12, 1))  # noqa: E731
    a, b = beat(0).astype(np.float32), beat(0.02).astype(np.float32)
    assert correlation(a, 500, b, 500) < 0.9
    assert not overlap(sketch(a, 500, LEADS)[None], sketch(b, 500, LEADS)[None]).any()


def test_flat_and_absent_records_are_like_no_other():
    flat, absent = np.full((12, 5000), 3, np.float32), np.full((12, 5000), np.nan, np.float32)
    sketches = np.array([sketch(flat, 500, LEADS), sketch(flat, 500, LEADS), sketch(absent, 500, LEADS)])
    assert not sketches.any()
    assert groups(sketches).tolist() == [0, 1, 2]
    assert not overlap(sketches, sketches).any()
    assert np.isnan(correlation(flat, 500, flat, 500))


def test_drifts_alone_do_not_match(ecg):
    """Two recordings under the same large drift have nothing in common but the drift."""
    drift = 20 * np.linspace(0, 1, 5000)
    a, b = (ecg(i).signal + drift.astype(np.float32) for i in (1, 2))
    assert not overlap(sketch(a, 500, LEADS)[None], sketch(b, 500, LEADS)[None]).any()


def test_a_bad_lead_does_not_hide_a_copy(ecg):
    signal = ecg(0).signal.copy()
    copy = signal.copy()
    copy[4, 1000] = 500
    copy[5] = np.nan
    assert correlation(signal, 500, copy, 500) > 0.999
    assert cosine(sketch(signal, 500, LEADS), sketch(copy, 500, LEADS)) > CANDIDATE - 0.1


def test_half_the_leads_must_be_shared(ecg):
    signal = ecg(0).signal
    few = signal.copy()
    few[3:] = np.nan
    assert np.isnan(correlation(signal, 500, few, 500))


def test_short_records(ecg):
    short = ecg(3, seconds=0.5).signal
    assert overlap(sketch(2 * short, 500, LEADS)[None], sketch(short, 500, LEADS)[None]).all()
    assert sketch(np.ones((1, 1), np.float32), 500, ("I",)).shape == (64,)


def test_groups_overlap_and_twins(ecg):
    sketches = np.array([sketch(ecg(i % 4).signal, 500, LEADS) for i in range(10)] + [np.zeros(64, np.int8)])
    assert groups(sketches).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 10]
    assert overlap(sketches, sketches[[1]]).nonzero()[0].tolist() == [1, 5, 9]
    assert twins(sketches[:3], sketches[5:8]).tolist() == [-1, 0, 1]
    none = np.zeros((0, 64), np.int8)
    assert groups(none).shape == (0,) and overlap(none, sketches).shape == (0,)
    assert not overlap(sketches, none).any()


def test_very_many_equal_records_cost_little(ecg):
    sketches = np.repeat(np.array([sketch(ecg(i).signal, 500, LEADS) for i in range(2)]), 20_000, axis=0)
    assert np.unique(groups(sketches)).tolist() == [0, 20_000]
