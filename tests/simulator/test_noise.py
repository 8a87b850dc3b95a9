"""Noise lives on electrodes, depends on the ECG alone, and leaves out what the rate cannot hold."""

import numpy as np

from ecgprior.simulator import noise
from ecgprior.simulator.draws import Draws
from ecgprior.simulator.simulate import simulate


def make(indices, n=2000, fs=500.0, seed=3):
    visit = Draws(seed, 1, indices, noise.VISIT)
    return noise.electrode_noise(seed, indices, visit, np.full(len(indices), 0.25), (n, fs))


def test_montage_takes_wilsons_terminal():
    assert noise.MONTAGE.shape == (8, 9)
    np.testing.assert_allclose(noise.MONTAGE.sum(1), 0, atol=1e-6)  # a potential common to all is not seen


def test_noise_belongs_to_its_ecg():
    together, alone = make([0, 1, 7]), make([7])
    assert together.dtype == np.float32 and np.array_equal(together[2], alone[0])
    assert not np.array_equal(together[0], together[1])


def test_a_bad_right_arm_shows_in_all_but_a_bad_v3_in_one():
    noisy = noise.MONTAGE @ np.eye(9, dtype=np.float32)
    assert (noisy[:, 0] != 0).all()
    assert np.flatnonzero(noisy[:, noise.ELECTRODES.index("V3")]).tolist() == [4]


def test_sizes_are_drawn_and_scale_with_the_factor():
    sizes = make(list(range(60))).std(2)[:, 1]
    assert 0.005 < np.median(sizes) < 0.2 and sizes.max() > 4 * np.median(sizes) > 4 * sizes.min()
    clean, once, twice = (next(simulate(1, seed=2, noise=k)).record.signal.astype(float) for k in (0, 1, 2))
    np.testing.assert_allclose(twice - clean, 2 * (once - clean), atol=1e-5)


def test_hum_is_left_out_when_the_rate_cannot_hold_it():
    slow, fast = make(list(range(40)), 1000, 100.0), make(list(range(40)), 5000, 500.0)
    assert np.isfinite(slow).all()
    spectrum = np.abs(np.fft.rfft(fast[:, 1], axis=1))
    assert (spectrum[:, 500] > 3 * spectrum[:, 480]).any()  # 50 Hz against 48 Hz
