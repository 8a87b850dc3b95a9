import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders._front import FrontEnd, low_pass
from ecgprior.record.record import LEADS

FS = 250.0


def through(signal, fs=FS, cut_hz=35.0, floor_mv=0.05, valid=None):
    x = torch.as_tensor(np.atleast_2d(signal), dtype=torch.float32)[:, None]
    mask = (
        torch.ones_like(x)
        if valid is None
        else torch.as_tensor(np.atleast_2d(valid), dtype=torch.float32)[:, None]
    )
    return FrontEnd(fs, cut_hz, floor_mv)(x * mask, mask)[:, 0].numpy()


def pulses(n=2500):
    """A narrow wave a second, about as a QRS: mV."""
    time = np.arange(n) / FS
    return np.exp(-0.5 * (((time % 1.0) - 0.5) / 0.02) ** 2)


@pytest.mark.parametrize("fs", [100.0, 250.0, 500.0])
def test_low_pass_keeps_waves_and_takes_mains(fs):
    taps = low_pass(fs, 35.0).double().numpy()
    taps /= taps.sum()
    gain = lambda hz: abs(np.exp(-2j * np.pi * hz / fs * np.arange(len(taps))) @ taps)  # noqa: E731
    assert len(taps) % 2 == 1 and taps == pytest.approx(taps[::-1])
    assert all(abs(gain(hz) - 1) < 0.02 for hz in (1, 10, 25))
    assert gain(35) == pytest.approx(0.5, abs=0.05) and gain(49.9) < 0.005


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_of_ten_times_the_signal_leaves_little(hz):
    clean, time = pulses(), np.arange(2500) / FS
    hum = clean + 10 * np.sin(2 * np.pi * hz * time)
    inner = slice(250, -250)  # a filter's edges ring
    a, b = through(clean)[0, inner], through(hum)[0, inner]
    assert np.corrcoef(a, b)[0, 1] > 0.95


def test_a_baseline_of_any_height_and_slope_is_taken_off():
    clean, time = pulses(), np.arange(2500) / FS
    for drift in (5.0, 2 * time, 1.5 * np.sin(2 * np.pi * 0.15 * time)):
        a, b = through(clean)[0], through(clean + drift)[0]
        assert np.corrcoef(a[250:-250], b[250:-250])[0, 1] > 0.97


def test_amplitude_is_one_for_strong_and_weak_leads_and_a_flat_one_stays_flat():
    strong, weak = through(5 * pulses())[0], through(0.5 * pulses())[0]
    assert 0.6 < weak.std() / strong.std() < 1 and strong.std() == pytest.approx(1, abs=0.15)
    assert np.abs(through(np.zeros(2500))).max() == 0
    rng = np.random.default_rng(0)
    assert through(0.002 * rng.normal(size=2500)).std() < 0.05, "noise on a flat lead is not blown up"


def test_one_spike_does_not_set_the_amplitude():
    spiked = pulses()
    spiked[1100:1103] += 50.0
    assert through(spiked)[0, :900].std() > 0.5 * through(pulses())[0, :900].std()


def test_padding_changes_nothing():
    signal = pulses(777) + 3.0
    plain = through(signal)[0]
    for more in (1, 31, 32, 63, 500):
        valid = np.r_[np.ones(777), np.zeros(more)]
        wide = through(np.r_[signal, np.full(more, 9.0)], valid=valid)[0]
        np.testing.assert_allclose(wide[:777], plain, atol=1e-5)
        assert (wide[777:] == 0).all()


def test_sizes_do_not_depend_on_leads_and_fit_the_package():
    for size, expected in (("0.04m", 0.0386), ("0.5m", 0.474), ("0.9m", 0.89)):
        one, twelve = (
            n_parameters(build_encoder("lead_unet", {"size": size}, leads, FS)) for leads in (["II"], LEADS)
        )
        assert one == twelve == pytest.approx(expected * 1e6, rel=0.05)


def test_a_trained_network_fits_any_leads():
    twelve = build_encoder("lead_unet", {"size": "0.04m"}, LEADS, FS, seed=1)
    one = build_encoder("lead_unet", {"size": "0.04m"}, ["II"], FS, seed=2)
    one.load_state_dict(twelve.state_dict())
    x = torch.randn(2, 1, 500, generator=torch.Generator().manual_seed(0))
    tokens = one.eval().lead_tokens(
        x, torch.ones(2, 1, dtype=torch.bool), torch.ones(2, 500, dtype=torch.bool)
    )
    assert tokens.shape == (2, 1, 250, one.dim) and torch.isfinite(tokens).all()
