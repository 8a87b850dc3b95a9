"""Peaks: the largest deflection from the line between onset and offset, in a lead and over all leads."""

import numpy as np
import pytest

from ecgprior.physiology.peaks import lead_peaks, prominence, smooth, vector_peaks


def bump(n, centre, width, height):
    return height * np.exp(-0.5 * ((np.arange(n) - centre) / width) ** 2)


def test_a_peak_between_two_samples_is_found_to_a_fraction():
    signal = bump(200, 80.3, 6, 1.0)[None].astype(np.float32)
    (peak,) = lead_peaks(signal, np.array([0]), np.array([60.2]), np.array([101.7]))
    assert peak == pytest.approx(80.3, abs=0.02)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_slope_and_a_level_do_not_move_the_peak(sign):
    n = 200
    signal = (sign * bump(n, 80, 6, 1.0) + 5 + 0.02 * np.arange(n))[None].astype(np.float32)
    (peak,) = lead_peaks(signal, np.array([0]), np.array([50.0]), np.array([110.0]))
    assert peak == pytest.approx(80, abs=0.1)


def test_every_wave_is_measured_in_its_own_lead():
    signal = np.stack([bump(300, 50, 4, 1), bump(300, 60, 4, -1) + bump(300, 200, 9, 0.3)]).astype(np.float32)
    peaks = lead_peaks(signal, np.array([0, 1, 1]), np.array([30.0, 35, 150]), np.array([80.0, 85, 250]))
    np.testing.assert_allclose(peaks, [50, 60, 200], atol=0.1)


def test_a_flat_wave_has_its_peak_strictly_inside():
    (peak,) = lead_peaks(np.zeros((1, 50), np.float32), np.array([0]), np.array([10.0]), np.array([20.0]))
    assert 10 < peak < 20


def test_over_all_leads_polarity_does_not_matter_and_unseen_leads_have_no_vote():
    signal = np.stack([bump(200, 80, 5, 1), bump(200, 80, 5, -1), bump(200, 95, 5, 30)]).astype(np.float32)
    seen = np.array([[True], [True], [False]])
    (peak,) = vector_peaks(signal, seen, np.array([50.0]), np.array([110.0]))
    assert peak == pytest.approx(80, abs=0.1)
    (peak,) = vector_peaks(signal, ~seen, np.array([50.0]), np.array([110.0]))
    assert peak == pytest.approx(95, abs=0.5)


def test_no_wave_no_peak():
    none = np.empty(0)
    assert lead_peaks(np.zeros((2, 9), np.float32), none.astype(int), none, none).shape == (0,)
    assert vector_peaks(np.zeros((2, 9), np.float32), np.empty((2, 0), bool), none, none).shape == (0,)


def test_smooth_is_a_centred_mean_that_holds_the_ends():
    x = np.arange(12, dtype=np.float32).reshape(2, 6) ** 2
    wide = np.pad(x, ((0, 0), (2, 2)), mode="edge")
    expected = np.stack([np.convolve(row, np.full(5, 0.2), "valid") for row in wide])
    np.testing.assert_allclose(smooth(x, 5), expected, rtol=1e-5)


def test_a_qrs_stands_out_and_a_piece_of_noise_does_not():
    rng = np.random.default_rng(0)
    signal = 0.02 * rng.standard_normal((3, 2500))
    signal[1:] += bump(2500, 1000, 5, 1.0)
    smoothed = smooth(signal.astype(np.float32), 5)
    onset, offset = np.array([985.0, 400]), np.array([1015.0, 430])
    found = prominence(smoothed, np.array([False, True, True]), onset, offset)
    assert found[0] > 15 and 1 < found[1] < 5
    slope = np.abs(smoothed[1, 4:] - smoothed[1, :-4])
    steepest = slope[983:1015].max()
    alone = prominence(smoothed, np.array([False, True, False]), onset, offset)[0]
    assert alone == pytest.approx(steepest / np.median(slope), rel=0.1)


def test_a_flat_trace_has_no_prominence():
    flat = np.zeros((1, 50), np.float32)
    assert prominence(flat, np.array([True]), np.array([10.0]), np.array([20.0])).tolist() == [0]
    assert prominence(flat[:, :3], np.array([True]), np.array([0.0]), np.array([2.0])).tolist() == [0]
    assert prominence(flat, np.array([True]), np.empty(0), np.empty(0)).shape == (0,)
