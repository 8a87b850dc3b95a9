"""Fiducials of the simulator: where a clean wave leaves and returns to its own zero."""

import numpy as np
import pytest

from ecgprior.simulator import waves
from ecgprior.simulator.simulate import simulate

FS = 500.0


def gaussian(height, sigma_s=0.02, seconds=0.6):
    t = np.arange(round(seconds * FS)) / FS - seconds / 2
    return (height * np.exp(-0.5 * (t / sigma_s) ** 2)).astype(np.float32)[None, None]


@pytest.mark.parametrize("wave, level", [("P", 0.012), ("QRS", 0.012), ("T", 0.015)])
@pytest.mark.parametrize("height", [1.0, -0.4, 0.2])
def test_a_wave_lies_between_the_points_where_it_is_a_level_above_its_zero(wave, level, height):
    marks, at_peak = waves._edges(gaussian(height), wave, None)
    half = 0.02 * np.sqrt(2 * np.log(abs(height) / level)) * FS
    np.testing.assert_allclose(marks[0, 0], [150 - half, 150, 150 + half], atol=0.15)
    assert at_peak[0, 0] == pytest.approx(height)


def test_of_a_small_wave_a_part_counts_and_a_smaller_one_is_not_seen():
    (onset, peak, offset), _ = waves._edges(gaussian(0.018), "P", None)[0][0, 0], None
    half = 0.02 * np.sqrt(2 * np.log(2)) * FS
    np.testing.assert_allclose([onset, peak, offset], [150 - half, 150, 150 + half], atol=0.15)
    assert np.isnan(waves._edges(gaussian(0.014), "P", None)[0]).all()


def test_a_larger_wave_is_seen_longer():
    small, large = (waves._edges(gaussian(h), "T", None)[0][0, 0] for h in (0.1, 1.0))
    assert large[0] < small[0] and large[2] > small[2]


def test_between_the_end_of_t_and_the_next_p_a_clean_ecg_is_flat():
    for ecg in simulate(6, seed=4, causes=["NORM"], noise=0):
        signal, marks = ecg.record.signal, ecg.delineation.global_
        for this, following in zip(marks[1:-2], marks[2:-1]):
            stop, start = int(np.ceil(this[2, 2])), int(following[0, 0])
            if start - stop > 10:
                # each wave is at most its level outside its own marks, and two of them may overlap
                assert np.abs(signal[:, stop + 1 : start]).max() < 0.015 + 0.012 + 0.005
