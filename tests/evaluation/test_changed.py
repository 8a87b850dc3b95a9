"""Changed records: the noise has the size it says and obeys Einthoven, absent leads are absent, the rate is the rate."""

import numpy as np
import pytest

from ecgprior.errors import RecipeError
from ecgprior.evaluation.changed import Change, keep_leads, with_noise
from ecgprior.record.filters import resample
from ecgprior.record.leads import check_leads, complete_leads
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate


@pytest.fixture(scope="module")
def ecg():
    return next(iter(simulate(1, seed=3, seconds=10.0, fs=250.0))).record.with_(name="made/up")


def fast_power(signal, fs):
    """Of what is faster than 0.5 Hz, by SciPy's periodogram."""
    from scipy import signal as dsp

    hz, density = dsp.periodogram(signal.astype(float), fs, detrend="linear")
    return density[:, hz >= 0.5].sum(axis=1).mean()


@pytest.mark.parametrize("db", [0.0, 6.0, 20.0])
def test_the_ratio_is_the_one_asked_for(ecg, db):
    noise = with_noise(ecg, db).signal - ecg.signal
    ratio = 10 * np.log10(fast_power(ecg.signal, ecg.fs) / fast_power(noise, ecg.fs))
    assert ratio == pytest.approx(db, abs=0.1)


def test_the_same_noise_grows_and_other_records_have_another(ecg):
    one, ten = (with_noise(ecg, db).signal - ecg.signal for db in (20.0, 0.0))
    np.testing.assert_allclose(10 * one, ten, atol=1e-4)
    other = with_noise(ecg.with_(name="made/other"), 0.0).signal - ecg.signal
    assert abs(np.corrcoef(ten[1], other[1])[0, 1]) < 0.2


def test_noise_obeys_einthoven_and_differs_from_lead_to_lead(ecg):
    noisy = with_noise(ecg, 0.0)
    assert check_leads(noisy).ok
    noise = noisy.signal - ecg.signal
    assert np.std(noise[6:].std(axis=1)) > 0.01 * noise.std()
    assert np.abs(np.corrcoef(noise[6:])[0, 1]) < 0.9


def test_noise_leaves_what_is_missing_and_what_is_flat(ecg):
    signal = ecg.signal.copy()
    signal[3], signal[7, 100:200] = np.nan, np.nan
    noisy = with_noise(ecg.with_(signal=signal), 10.0)
    np.testing.assert_array_equal(np.isnan(noisy.signal), np.isnan(signal))
    flat = Record(signal=np.full((12, 500), 0.3), fs=250, leads=LEADS)
    np.testing.assert_array_equal(with_noise(flat, 0.0).signal, flat.signal)
    nothing = Record(signal=np.full((1, 500), np.nan), fs=250, leads=["II"])
    assert np.isnan(with_noise(nothing, 0.0).signal).all()
    odd = Record(signal=ecg.signal[:2], fs=250, leads=["MLII", "V5"])
    assert (with_noise(odd, 10.0).signal != odd.signal).all(axis=1).all()


def test_colour_goes_from_white_to_one_over_f(ecg):
    shares = []
    for number in range(30):
        noise = with_noise(ecg.with_(name=f"r{number}"), 0.0).signal - ecg.signal
        power = np.square(np.abs(np.fft.rfft(noise))).sum(0)
        hz = np.fft.rfftfreq(noise.shape[1], 1 / ecg.fs)
        shares.append(power[hz > 40].sum() / power.sum())
    assert min(shares) < 0.1 and max(shares) > 0.5


def test_kept_leads_and_absent_ones(ecg):
    two = Change.check({"name": "two", "leads": ["i", "ii"]}).apply(ecg)
    assert two.leads == ecg.leads and np.isnan(two.signal[2:]).all()
    np.testing.assert_array_equal(two.signal[:2], ecg.signal[:2])
    eight = keep_leads(ecg, ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    np.testing.assert_allclose(complete_leads(eight).signal, ecg.signal, atol=2e-3)
    assert np.isnan(keep_leads(two, ("V1", "V9")).signal).all()


def test_a_rate_is_that_of_the_record(ecg):
    slow = Change.check({"name": "slow", "rate": 100}).apply(ecg)
    assert slow.fs == 100 and slow.n_samples == 1000
    np.testing.assert_array_equal(slow.signal, resample(ecg, 100).signal)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "got none of them"),
        ({"rate": 100, "noise_db": 3}, "got noise_db and rate"),
        ({"rate": 1}, "rate"),
        ({"noise_db": float("nan")}, "noise_db"),
        ({"leads": ["I", "i"]}, "each lead once"),
    ],
)
def test_refusals(values, says):
    with pytest.raises(RecipeError, match=says):
        Change.check({"name": "a", **values})
    with pytest.raises(RecipeError, match="name"):
        Change.check({"name": "A b", "rate": 100})
