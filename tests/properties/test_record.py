"""What must hold for any ECG: lead algebra, scaling, shift, resampling and back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.record.amplitude import check_amplitude
from ecgprior.record.filters import crop, remove_baseline, resample
from ecgprior.record.leads import check_leads, complete_leads
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import Record

FAST = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def smooth(seed, n_leads=2, n_samples=1000, fs=500, top_hz=30.0):
    """Sums of slow sines: an ECG's band without its shape."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / fs
    hz, phase = rng.uniform(0.7, top_hz, (n_leads, 8)), rng.uniform(0, 2 * np.pi, (n_leads, 8))
    size = rng.uniform(0.02, 0.3, (n_leads, 8))
    signal = (size[..., None] * np.sin(2 * np.pi * hz[..., None] * t + phase[..., None])).sum(axis=1)
    return Record(signal=signal, fs=fs, leads=("I", "II", "III", "aVR", "aVL", "aVF")[:n_leads])


@FAST
@given(SEEDS)
def test_einthoven_and_goldberger_hold_in_completed_leads(seed):
    record = complete_leads(smooth(seed))
    lead = record.lead
    np.testing.assert_allclose(lead("I") + lead("III"), lead("II"), atol=1e-5)
    np.testing.assert_allclose(lead("aVR") + lead("aVL") + lead("aVF"), 0, atol=1e-5)
    assert check_leads(record).ok


@FAST
@given(SEEDS, st.sampled_from([("I", "II"), ("I", "III"), ("II", "III")]))
def test_any_two_limb_leads_give_the_same_six(seed, pair):
    whole = complete_leads(smooth(seed))
    again = complete_leads(whole.pick(pair))
    np.testing.assert_allclose(again.signal[:6], whole.signal[:6], atol=1e-5)


@FAST
@given(SEEDS, st.floats(0.1, 10))
def test_scaling_scales_amplitudes(seed, factor):
    record = smooth(seed)
    scaled = record.with_(signal=record.signal * np.float32(factor))
    for function in (complete_leads, remove_baseline, lambda r: resample(r, 250)):
        np.testing.assert_allclose(function(scaled).signal, function(record).signal * factor, atol=1e-4 * factor)
    ratio = check_amplitude(scaled).median_qrs_mv / check_amplitude(record).median_qrs_mv
    np.testing.assert_allclose(ratio, factor, rtol=1e-4)


@FAST
@given(SEEDS, st.floats(0.5, 4), st.floats(-3, 3))
def test_normalised_signal_knows_neither_gain_nor_level(seed, factor, level):
    record = smooth(seed)
    plan = Preprocessing(fs=250, leads=("I", "II"), normalise="lead")
    moved = record.with_(signal=record.signal * np.float32(factor) + np.float32(level))
    np.testing.assert_allclose(plan.apply(moved)[0], plan.apply(record)[0], atol=2e-3)


@FAST
@given(SEEDS, st.sampled_from([(500, 1000), (500, 400), (360, 500), (257, 500), (500, 250)]))
def test_resampled_and_back(seed, rates):
    record = smooth(seed, fs=rates[0])
    back = resample(resample(record, rates[1]), rates[0])
    n = min(back.n_samples, record.n_samples)
    inner = slice(100, n - 100)  # the ends know only one side
    np.testing.assert_allclose(back.signal[:, inner], record.signal[:, inner], atol=0.02)


@FAST
@given(SEEDS, st.integers(0, 400))
def test_a_shift_shifts(seed, start):
    record = smooth(seed)
    part = crop(record, start / 500, 1.0)
    np.testing.assert_array_equal(part.signal, record.signal[:, start : start + 500])
    assert complete_leads(part).signal[:6].tobytes() == complete_leads(record).signal[:6, start : start + 500].tobytes()


@FAST
@given(SEEDS, st.integers(0, 900), st.integers(1, 60))
def test_gaps_stay_where_they_are(seed, start, length):
    record = smooth(seed)
    signal = record.signal.copy()
    signal[0, start : start + length] = np.nan
    gapped = record.with_(signal=signal)
    np.testing.assert_array_equal(np.isnan(remove_baseline(gapped).signal), np.isnan(signal))
    twice = np.isnan(resample(gapped, 1000).signal[0])
    assert abs(int(twice.sum()) - 2 * int(np.isnan(signal[0]).sum())) <= 2
    assert not np.isnan(resample(gapped, 1000).signal[1]).any()
