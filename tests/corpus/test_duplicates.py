"""The sketch knows a recording again after gain, rounding and resampling, and only then."""

import hashlib

import numpy as np
import pytest

from ecgprior.corpus.duplicates import (
    CANDIDATE,
    correlation,
    groups,
    overlap,
    profile,
    project,
    sketch,
    twins,
)
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
        11,
        30,
        43,
        18,
        -26,
        -48,
        20,
        27,
        10,
        70,
        6,
        46,
        6,
        0,
        47,
        49,
        -22,
        -4,
        38,
        -16,
        -28,
        -22,
        5,
        4,
        77,
        3,
        30,
        29,
        7,
        -44,
        44,
        -30,
        -2,
        90,
        -80,
        13,
        -15,
        29,
        -127,
        26,
        25,
        18,
        5,
        20,
        -12,
        -41,
        81,
        -20,
        -11,
        -11,
        57,
        77,
        55,
        -53,
        -52,
        76,
        60,
        80,
        22,
        12,
        10,
        45,
        -3,
        -55,
    ]
    assert np.abs(value.astype(int) - np.array(golden)).max() <= 1  # one step of rounding


@pytest.mark.parametrize(("fs", "seconds"), [(500.0, 6.0), (100.0, 5.0), (257.5, 3.0)])
def test_the_sketch_is_what_format_md_says(ecg, fs, seconds):
    """The five steps of FORMAT.md, as slowly as they are written there."""
    signal = ecg(1, seconds, fs, LEADS[:2]).signal.copy()
    signal[0, 40:60] = np.nan
    sigma, total = 1 / (2 * np.pi * 12), np.zeros(64)
    part = signal[:, : round(5 * fs)].astype(float)
    part = np.nan_to_num(part - np.nanmean(part, axis=1, keepdims=True))
    grid = np.arange(-100, part.shape[1] + 100 + int(5 * fs)) / fs
    slopes = []
    for lead in part:
        padded = np.zeros(len(grid))
        padded[100 : 100 + len(lead)] = lead
        slope = []
        for t in np.arange(250) / 50:
            tau = t - grid
            g = np.exp(-(tau**2) / (2 * sigma**2)) * (np.abs(tau) <= 0.055)
            slope.append((g * tau / sigma * padded).sum() / g.sum())
        slopes.append(np.array(slope))
    norms = [np.linalg.norm(slope) for slope in slopes]
    for name, slope, norm in zip(LEADS[:2], slopes, norms, strict=True):
        data = hashlib.shake_256(f"ecgprior sketch 1 {name}".encode()).digest(2000)
        bits = "".join(f"{byte:08b}" for byte in data)
        sign = np.array([1 if bit == "1" else -1 for bit in bits]).reshape(250, 64)
        total += slope / (norm + 0.05 * max(norms)) @ sign
    wanted = np.round(total * 127 / np.abs(total).max())
    assert np.abs(sketch(signal, fs, LEADS[:2]) - wanted).max() <= 1


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
    flat, absent = np.full((12, 5000), 2.7182, np.float32), np.full((12, 5000), np.nan, np.float32)
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


def test_many_are_projected_at_once_as_one_by_one(ecg):
    signals = [ecg(number).signal for number in range(5)] + [np.zeros_like(ecg(1).signal)]
    leads = ecg(1).leads
    together = project(np.stack([profile(signal, 500) for signal in signals]), leads)
    alone = np.stack([sketch(signal, 500, leads) for signal in signals])
    assert np.abs(together.astype(int) - alone).max() <= 1  # a sum in another order may round the other way
    assert not together[-1].any() and together[:-1].any(axis=1).all()
