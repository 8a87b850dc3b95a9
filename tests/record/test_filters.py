"""Resampling, filters and cropping: what they keep and what they refuse."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from ecgprior.errors import BadSamplingRate, RecordTooShort
from ecgprior.record.filters import crop, remove_baseline, remove_mains, resample, resample_array
from ecgprior.record.record import Annotations, Record


def sine(hz, fs=500, seconds=10, n_leads=1):
    t = np.arange(round(fs * seconds)) / fs
    return Record(signal=np.tile(np.sin(2 * np.pi * hz * t), (n_leads, 1)), fs=fs, leads=("I", "II", "V1")[:n_leads])


@pytest.mark.parametrize(("fs_from", "fs_to"), [(500, 100), (1000, 500), (400, 500), (360, 500), (257, 500), (128.5, 250)])
def test_equals_scipy_inside(fs_from, fs_to):
    from fractions import Fraction

    x = np.random.default_rng(0).standard_normal((3, 900)).astype(np.float32).cumsum(axis=1)
    ratio = Fraction(fs_to) / Fraction(fs_from)
    flat = x - x[:, :1]  # SciPy's own line at the ends has another slope
    expected = resample_poly(flat.astype(float), ratio.numerator, ratio.denominator, axis=1) + x[:, :1]
    got = resample_array(x, fs_from, fs_to)
    assert got.shape == expected.shape
    inner = slice(60, -60)
    # SciPy's branches differ by 0.1 % in their gain at DC, ours by nothing
    np.testing.assert_allclose(got[:, inner], expected[:, inner], rtol=2e-3, atol=1e-2)


def test_a_sine_stays_that_sine():
    out = resample(sine(10), 360)
    t = np.arange(out.n_samples) / 360
    np.testing.assert_allclose(out.signal[0, 20:-20], np.sin(20 * np.pi * t)[20:-20], atol=1e-3)


def test_what_lies_above_half_the_new_rate_is_gone():
    assert np.abs(resample(sine(90), 100).signal[0, 20:-20]).max() < 0.01


def test_constant_lines_and_length():
    x = np.stack([np.full(501, 3.7), np.linspace(-2, 5, 501)]).astype(np.float32)
    out = resample_array(x, 500, 100)
    assert out.shape == (2, 101) and np.ptp(out[0]) == 0
    np.testing.assert_allclose(out[1], np.linspace(-2, 5, 101), atol=1e-5)
    assert resample_array(np.ones((1, 1), np.float32), 500, 100).tolist() == [[1]]


def test_nan_spans_stay_nan_and_do_not_spread():
    x = np.zeros((2, 1000), np.float32)
    x[0, 100:200] = np.nan
    x[1] = np.nan
    out = resample_array(x, 500, 100)
    assert np.flatnonzero(np.isnan(out[0])).tolist() == list(range(20, 40))
    assert np.isnan(out[1]).all()
    assert np.nanmax(np.abs(out[0])) == 0


def test_shapes_and_copy():
    x = np.zeros((2, 3, 100), np.float32)
    assert resample_array(x, 100, 50).shape == (2, 3, 50)
    same = resample_array(x, 100, 100)
    assert same is not x and not np.shares_memory(same, x)
    record = sine(1)
    assert resample(record, 500) is record


def test_annotations_move_along():
    marks = Annotations(np.array([0, 100, 4999]), ("N", "V", "N"), (None,) * 3, ("", "", ""))
    record = sine(1).with_(annotations=marks)
    assert resample(record, 100).annotations.sample.tolist() == [0, 20, 999]
    part = crop(record, 0.1, 1).annotations
    assert part.sample.tolist() == [50] and part.symbol == ("V",)


@pytest.mark.parametrize("fs", [0, -1, np.nan, np.inf, 1e-5])
def test_impossible_rates(fs):
    with pytest.raises(BadSamplingRate):
        resample(sine(1), fs)


def test_baseline_goes_and_the_rest_stays():
    slow, fast = sine(0.05, seconds=40), sine(5, seconds=40)
    both = slow.with_(signal=5 * slow.signal + fast.signal + 3)
    out = remove_baseline(both).signal[0]
    np.testing.assert_allclose(out[2000:-2000], fast.signal[0, 2000:-2000], atol=0.02)


def test_filters_do_not_delay():
    signal = np.zeros((1, 5000))
    signal[0, 2500] = 1.0
    record = Record(signal=signal, fs=500, leads=["I"])
    for out in (remove_baseline(record), remove_mains(record)):
        assert int(np.argmax(out.signal[0])) == 2500
        np.testing.assert_allclose(out.signal[0, 2400:2500], out.signal[0, 2600:2500:-1], atol=1e-5)


@pytest.mark.parametrize("hz", [50, 60])
def test_mains_and_its_multiples_go(hz):
    fast = sine(8)
    hum = sine(hz).signal + sine(3 * hz).signal
    out = remove_mains(fast.with_(signal=fast.signal + hum), hz)
    np.testing.assert_allclose(out.signal[0, 500:-500], fast.signal[0, 500:-500], atol=0.02)


def test_gaps_survive_filters_and_short_records_pass():
    signal = np.zeros((2, 600))
    signal[0, 10:30] = np.nan
    signal[1] = np.nan
    record = Record(signal=signal, fs=500, leads=["I", "II"])
    for function in (remove_baseline, remove_mains):
        np.testing.assert_array_equal(np.isnan(function(record).signal), np.isnan(signal))
    for n in (1, 2, 7):
        short = Record(signal=np.ones((1, n)), fs=500, leads=["I"])
        assert np.isfinite(remove_baseline(short).signal).all()
        assert np.isfinite(remove_mains(short).signal).all()


@pytest.mark.parametrize("function", [remove_baseline, remove_mains])
@pytest.mark.parametrize("hz", [0, -1, 50, 70, np.nan])
def test_frequencies_that_the_rate_does_not_hold(function, hz):
    with pytest.raises(BadSamplingRate, match="below 50 Hz"):
        function(sine(1, fs=100), hz)


@pytest.mark.parametrize(("start", "seconds"), [(-1, 2), (9, 2), (0, 0), (0, 11), (np.nan, 1), (0, np.inf)])
def test_crop_pads_nothing(start, seconds):
    with pytest.raises(RecordTooShort):
        crop(sine(1), start, seconds)
