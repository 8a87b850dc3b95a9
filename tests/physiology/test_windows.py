"""Records as the network reads them, and probabilities over any length."""

import dataclasses

import numpy as np
import pytest

from ecgprior.physiology.delineate import delineate
from ecgprior.physiology.windows import WINDOW, probabilities, trace_of
from ecgprior.simulator.simulate import simulate


class Counting:
    """A network that sees 21 samples: what it says must not depend on where a window begins."""

    def __init__(self):
        self.shapes = []

    def __call__(self, signal, lead_mask):
        self.shapes.append(signal.shape)
        assert signal.dtype == np.float32 and signal.shape[2] % 32 == 0 and signal.shape[2] <= WINDOW
        assert lead_mask.shape == signal.shape[:2]
        assert np.isfinite(signal).all() and not signal[~lead_mask].any()
        wide = np.pad(signal, ((0, 0), (0, 0), (10, 10)))
        mean = np.lib.stride_tricks.sliding_window_view(wide, 21, axis=2).mean(axis=-1)[:, :, ::2]
        qrs = 1 / (1 + np.exp(-mean))
        return np.stack([1 - qrs, 0 * qrs, qrs, 0 * qrs], axis=2).astype(np.float32)


def noise(n_leads, n, seed=0):
    return np.random.default_rng(seed).standard_normal((n_leads, n)).astype(np.float32)


@pytest.mark.parametrize("n", [250, 2559, 2560, 2561, 2562, 4608, 4609, 4610, 30001])
def test_windows_fit_together_without_a_seam(n):
    signal = noise(2, n)
    (found,) = probabilities(Counting(), [trace_of(signal, 250)])
    assert found.shape == (2, 4, n // 2)
    held = np.pad(signal, ((0, 0), (0, -n % 32 if n <= WINDOW else n % 2)), mode="edge")
    wide = np.pad(held, ((0, 0), (10, 10)))
    mean = np.lib.stride_tricks.sliding_window_view(wide, 21, axis=1).mean(axis=-1)[:, ::2][:, : n // 2]
    np.testing.assert_allclose(found[:, 2], 1 / (1 + np.exp(-mean)), atol=1e-5)


def test_records_of_equal_shape_share_calls_and_come_back_in_their_order():
    network = Counting()
    traces = [trace_of(noise(3, n, seed), 250) for seed, n in enumerate((500, 900, 500, 512, 500))]
    together = probabilities(network, traces)
    assert sorted(network.shapes) == [(1, 3, 928), (4, 3, 512)]
    for trace, found in zip(traces, together):
        np.testing.assert_allclose(found, probabilities(Counting(), [trace])[0], atol=1e-6)


def test_flat_and_unrecorded_leads_are_masked_and_all_masked_is_not_run():
    signal = noise(4, 1000)
    signal[1], signal[2] = 3.0, np.nan
    signal[3] = 0.004 * np.sign(signal[3])
    trace = trace_of(signal, 250)
    assert trace.lead_mask.tolist() == [True, False, False, False]
    network = Counting()
    (found,) = probabilities(network, [trace_of(signal[1:3], 250)])
    assert not network.shapes and (found[:, 0] == 1).all() and not found[:, 1:].any()


def test_gaps_and_infinities_are_bridged_and_remembered():
    signal = np.tile(np.arange(1000, dtype=np.float32) / 100, (2, 1))
    signal[0, 300:400] = np.nan
    signal[0, 600] = np.inf
    trace = trace_of(signal, 500)
    np.testing.assert_allclose(trace.signal[0], np.arange(500) / 50, atol=0.02)
    assert trace.missing[0, 151:199].all() and trace.missing[0].sum() < 55 and not trace.missing[1].any()
    assert trace_of(noise(1, 500), 250).missing is None


def test_absurd_amplitudes_are_limited_and_a_large_level_is_not_one():
    level = noise(2, 1000) + 5000
    np.testing.assert_allclose(
        trace_of(level, 250).signal, level - np.median(level, axis=1, keepdims=True), atol=1e-3
    )
    spike = noise(1, 1000)
    spike[0, 500] = -1e6
    trace = trace_of(spike, 250)
    assert trace.signal.min() == -20
    np.testing.assert_allclose(np.delete(trace.signal - spike, 500), -np.median(spike), atol=1e-6)
    usual = noise(1, 1000)
    np.testing.assert_array_equal(trace_of(usual, 250).signal, usual)


@pytest.mark.parametrize(
    "fs", [40.0, 100, 128, 256.41025641, 257, 333.3333, 360.0001, 999.9, 4999.99, 19_999.7]
)
def test_any_rate_is_brought_to_250_hz_and_back(fs):
    seconds = 3.0
    t = np.arange(round(seconds * fs)) / fs
    trace = trace_of(np.sin(2 * np.pi * 2 * t, dtype=np.float64).astype(np.float32)[None], fs)
    assert trace.fs == pytest.approx(fs, rel=0.002)
    at = np.arange(trace.signal.shape[1]) * (trace.fs / 250) / fs  # the time of each sample
    inside = (at > 0.2) & (at < seconds - 0.2)
    np.testing.assert_allclose(trace.signal[0, inside], np.sin(2 * np.pi * 2 * at[inside]), atol=0.02)


def test_an_amplifier_at_its_rail_is_a_gap():
    signal = np.zeros((2, 2500), np.float32)
    signal[:, ::50] = 1.0
    signal[0, 1000:1300] = 10.0
    signal[1, 1000:1300] = 2.0  # a plateau that a heart can have
    missing = trace_of(signal, 250).missing
    assert missing is not None and missing[0, 996:1304].all() and missing[0].sum() < 320
    assert not missing[1].any()


@pytest.mark.parametrize("hz", [50, 60, 60.2])
def test_a_loud_hum_is_taken_off_and_the_rest_stays(hz):
    t = np.arange(2500) / 250
    heart = np.exp(-(((t % 0.9) - 0.45) ** 2) / (2 * 0.012**2)).astype(np.float32)
    signal = np.stack([heart, heart + 8 * np.sin(2 * np.pi * hz * t + 1)]).astype(np.float32)
    clean = trace_of(signal, 250).signal
    np.testing.assert_array_equal(clean[0], trace_of(signal[:1], 250).signal[0])
    rest = np.abs(clean[1] - clean[0])[150:-150]
    assert rest.max() < (0.05 if hz != 60.2 else 0.5)  # of 8 mV


class Masks(Counting):
    """It keeps the lead masks too."""

    def __init__(self):
        super().__init__()
        self.masks = []

    def __call__(self, signal, lead_mask):
        self.masks.extend(map(tuple, lead_mask))
        return super().__call__(signal, lead_mask)


def page(x, *, strip=()):
    """Each lead for a quarter of the time, three at a time; those of `strip` all the time."""
    shown, n = np.full_like(x, np.nan), x.shape[1] // 4
    for lead in range(12):
        part = slice(None) if lead in strip else slice(lead // 3 * n, (lead // 3 + 1) * n)
        shown[lead, part] = x[lead, part]
    return shown


def test_a_page_of_three_by_four_is_read_in_stretches_of_the_leads_that_are_there():
    network = Masks()
    (found,) = probabilities(network, [trace_of(page(noise(12, 2500), strip=(1,)), 250)])
    assert found.shape == (12, 4, 1250) and np.isfinite(found).all()
    assert sorted(network.shapes) == [(2, 12, 768), (2, 12, 896)], "half a second beyond the stretch goes along"
    there = np.eye(4, dtype=bool).repeat(3, axis=1)
    there[:, 1] = True
    assert sorted(network.masks) == sorted(map(tuple, there))


def test_short_gaps_and_stretches_do_not_cut_a_record():
    x = noise(3, 2500)
    x[0, 100:349] = np.nan  # just short of a second
    x[1, :300] = np.nan  # long, but the stretch that it would make is short
    network = Masks()
    probabilities(network, [trace_of(x, 250)])
    assert network.shapes == [(1, 3, 2528)] and network.masks == [(True, True, True)]
    x[1, :500] = np.nan
    network = Masks()
    probabilities(network, [trace_of(x, 250)])
    assert sorted(network.masks) == [(True, False, True), (True, True, True)]


def test_where_no_lead_has_signal_nothing_is_found_and_nothing_run():
    x = noise(2, 5000)
    x[:, 2001:4000] = np.nan
    network = Masks()
    (found,) = probabilities(network, [trace_of(x, 250)])
    assert (found[:, 0, 1000:2000] == 1).all() and not found[:, 1:, 1000:2000].any()
    assert sorted(network.shapes) == [(1, 2, 1152), (1, 2, 2144)]


@pytest.mark.parametrize(("strip", "lost"), [((), 3), ((1,), 0)])
def test_beats_of_a_page_are_those_of_the_whole_record(strip, lost):
    """At most one a border is lost where no lead goes on."""
    for ecg in simulate(4, seed=3, fs=500):
        shown = dataclasses.replace(ecg.record, signal=page(ecg.record.signal, strip=strip))
        found = delineate(shown).global_[:, 1, 1]
        true = ecg.beats.sample
        near = np.abs(found[:, None] - true) < 0.05 * 500
        assert near.any(axis=1).all() and (~near.any(axis=0)).sum() <= lost
