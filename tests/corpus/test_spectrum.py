"""Log-power in bands of frequency, against a transform written out, and what is missing."""

import numpy as np
import pytest

from ecgprior.corpus._spectrum import EDGES, FLOOR, log_spectra, spectrum_names

FS = 100.0


def naive(lead, fs):
    """One lead, all there: a discrete Fourier transform by its definition."""
    n = max(len(lead), int(4 * fs))
    window = [np.sin(np.pi * (k + 0.5) / len(lead)) ** 2 for k in range(len(lead))]
    x = (lead - lead.mean()) * window
    out = []
    for low, high in zip(EDGES, EDGES[1:]):
        power = 0.0
        for j in range(n // 2 + 1):
            if low <= j * fs / n < high:
                value = sum(x[k] * np.exp(-2j * np.pi * j * k / n) for k in range(len(lead)))
                power += 2 * abs(value) ** 2 / (n * sum(w * w for w in window))
        out.append(10 * np.log10(power + FLOOR))
    return out


@pytest.mark.parametrize("samples", [150, 430])
def test_values_are_those_of_the_definition(samples):
    signal = np.random.default_rng(0).normal(size=(2, samples)) + 5.0
    wanted = [naive(lead, FS) for lead in signal]
    np.testing.assert_allclose(log_spectra(signal, FS), wanted, atol=1e-6)


def test_a_wave_is_in_its_band_with_its_mean_square():
    time = np.arange(1000) / FS
    found = log_spectra(0.8 * np.sin(2 * np.pi * 8.7 * time)[None], FS)[0]
    band = int(np.searchsorted(EDGES, 8.7)) - 1
    assert found.argmax() == band
    assert found[band] == pytest.approx(10 * np.log10(0.8**2 / 2), abs=0.05)
    assert np.delete(found, [band - 1, band, band + 1]).max() < -40


def test_what_is_missing():
    signal = np.random.default_rng(1).normal(size=(4, 500))
    whole = log_spectra(signal, FS)
    signal[0] = np.nan
    signal[1, :300] = np.nan
    signal[2, :100] = np.nan
    signal[3] = 0.3  # a flat line
    found = log_spectra(signal, FS)
    assert np.isnan(found[:2]).all() and np.isfinite(found[2:]).all()
    np.testing.assert_allclose(found[3], 10 * np.log10(FLOOR))
    assert np.abs(found[2] - whole[2]).max() < 10
    slow = log_spectra(np.random.default_rng(2).normal(size=(1, 500)), 50.0)[0]
    assert (np.isnan(slow) == (EDGES[1:] > 25)).all()


def test_names_are_in_the_order_of_the_values():
    names = spectrum_names(("I", "V3"))
    assert len(names) == 2 * log_spectra(np.zeros((1, 400)), FS).shape[1] == len(set(names))
    assert (
        names[0] == "range1_band1_db.I"
        and names[4] == "range2_band2_db.I"
        and names[-1] == "range5_band3_db.V3"
    )
