"""Noise that looks like beats is told from hearts: by how much of the trace the beats are, and how alike they are."""

from dataclasses import replace

import numpy as np
import pytest

from ecgprior.physiology.delineate import delineate
from ecgprior.physiology.hearts import doubtful_hearts
from ecgprior.physiology.rules import RULES
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

FS = 250
OFF = replace(RULES, heart_share=0.0, edge_share=2.0)


def band(rng, n_leads, n, fs, low_hz, high_hz):
    """Noise of SD 1 from `low_hz` to `high_hz`."""
    hz = np.fft.rfftfreq(n, 1 / fs)
    spectrum = np.fft.rfft(rng.standard_normal((n_leads, n)), axis=1)
    spectrum[:, (hz < low_hz) | (hz > high_hz)] = 0
    x = np.fft.irfft(spectrum, n, axis=1)
    return x / x.std(axis=1, keepdims=True)


def bursts(rng, n_leads, n, fs):
    """Muscle: 20 to 150 Hz, switched on for 0.1 to 1.2 s at a time."""
    on = np.full(n, 0.05)
    start = 0
    while (start := start + int(rng.exponential(0.8) * fs)) < n:
        length = int(rng.uniform(0.1, 1.2) * fs)
        on[start : start + length] = 1.0
        start += length
    return on * band(rng, n_leads, n, fs, 20, 150)


NOISE = {
    "bursts of muscle": bursts,
    "5 to 20 Hz": lambda *a: band(*a, 5, 20),
    "1 to 15 Hz": lambda *a: band(*a, 1, 15),
    "0.5 to 8 Hz": lambda *a: band(*a, 0.5, 8),
}


@pytest.mark.parametrize("n_leads", [1, 2, 12])
@pytest.mark.parametrize("kind", NOISE)
def test_noise_has_no_wave(kind, n_leads):
    """16 recordings each; without training on noise, and without the rule, a third to a half had beats."""
    for seed in range(16):
        rng = np.random.default_rng([seed, n_leads])
        record = Record(signal=0.3 * NOISE[kind](rng, n_leads, 5000, 500), fs=500, leads=LEADS[:n_leads])
        found = delineate(record)
        assert len(found) == 0 and found.lone_p.shape[1] == 0, seed


def trace(n_beats, *, alike, floor, n=2500, n_leads=1, seed=0):
    """Beats of a second each (60 ms of QRS, then a random ST and T of their own or of one heart), and noise between them."""
    rng = np.random.default_rng(seed)
    x = floor * rng.standard_normal((n_leads, n))
    at = 100 + FS * np.arange(n_beats)
    shape = np.convolve(rng.standard_normal(120), np.ones(9) / 9, "same")
    for r in at:
        own = shape if alike else np.convolve(rng.standard_normal(120), np.ones(9) / 9, "same")
        x[:, r - 40 : r + 80] += own
    return x.astype(np.float32), np.stack([at - 8, at, at + 8], axis=1).astype(float)


def doubted(x, waves, top=0.9, **changed):
    shown = np.ones(len(x), bool)
    return doubtful_hearts(
        x, x, shown, waves, np.full(len(waves), top, np.float32), replace(RULES, **changed)
    )


def triangles(waves, sizes):
    """QRS of 48 ms and nothing else."""
    x = np.zeros((1, 2500), np.float32)
    for at, size in zip(waves[:, 1].astype(int), sizes):
        x[0, at - 5 : at + 6] = size * (1 - np.abs(np.arange(-5, 6)) / 6)
    return x


def test_beats_that_repeat_or_stand_out_or_are_certain_are_kept():
    x, waves = trace(9, alike=False, floor=0.02)
    assert doubted(x, waves).all()  # most of what is steep lies outside the QRS, and no beat is like another
    assert not doubted(x, waves, top=0.995).any()
    assert not doubted(*trace(9, alike=True, floor=0.02)).any()
    sizes = np.random.default_rng(1).choice([-2.0, 1.0, 3.0], len(waves))
    assert not doubted(triangles(waves, sizes), waves).any()


def test_two_kinds_of_beats_in_turn_are_a_heart():
    """Bigeminy: each beat is like the second next."""
    one, waves = trace(9, alike=True, floor=0.0, seed=1)
    other, _ = trace(9, alike=True, floor=0.0, seed=2)
    x = np.where(np.arange(2500) // FS % 2, one, other).astype(np.float32)
    assert not doubted(x, waves).any()


def test_one_clear_lead_of_four_is_enough():
    waves = trace(9, alike=False, floor=0)[1]
    clear = triangles(waves, np.ones(9))
    noise = np.random.default_rng(0).standard_normal((3, 2500)).astype(np.float32)
    assert not doubted(np.concatenate([clear, noise]), waves, heart_likeness=1.1, heart_sum=99).any()
    assert doubted(noise, waves, heart_likeness=1.1, heart_sum=99).all()


def test_each_part_of_a_long_recording_is_judged_by_itself():
    heart, waves = trace(58, alike=True, floor=0.02, n=15_000)
    noise, others = trace(58, alike=False, floor=0.02, n=15_000, seed=3)
    found = doubted(np.concatenate([heart, noise], axis=1), np.concatenate([waves, others + 15_000]))
    assert not found[:50].any() and found[-50:].all()


def test_under_two_and_a_half_seconds_and_without_a_lead_nothing_is_judged():
    x, waves = trace(9, alike=False, floor=0.02)
    assert not doubted(x[:, :600], waves[:2]).any()
    assert doubted(x[:, :700], waves[:2]).all()
    assert not doubtful_hearts(x, x, np.zeros(1, bool), waves, np.ones(9, np.float32), RULES).any()
    assert doubtful_hearts(x, x, np.ones(1, bool), waves[:0], np.ones(0, np.float32), RULES).shape == (0,)


@pytest.mark.parametrize("cause", ["NORM", "AF", "PVC", "LBBB"])
@pytest.mark.parametrize("leads", [LEADS, ("II",)])
def test_noisy_hearts_keep_their_beats(cause, leads):
    """White noise at 5 dB."""
    off = OFF
    for ecg in simulate(4, seed=21, causes=[cause], noise=0):
        clean = ecg.record.pick(leads)
        noise = np.random.default_rng(1).standard_normal(clean.signal.shape)
        size = clean.signal.std(axis=1, keepdims=True) * 10 ** (-5 / 20)
        record = clean.with_(signal=clean.signal + size * noise)
        assert len(delineate(record)) == len(delineate(record, rules=off)) > 0
