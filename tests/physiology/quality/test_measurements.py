"""Measurements against numbers known by hand; nothing raised whatever a Record holds."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from ecgprior.physiology.quality._bands import Bands
from ecgprior.physiology.quality._energy import energy_peaks
from ecgprior.physiology.quality.assess import Quality, quality
from ecgprior.physiology.quality.definitions import MEASUREMENTS, OF_RECORD, PER_LEAD
from ecgprior.physiology.quality.measurements import measure_quality
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

FS = 500
TIME = np.arange(10 * FS) / FS


def one(x, fs=FS):
    return measure_quality(Record(signal=[x], fs=fs, leads=["II"]))


def test_names_are_those_that_are_listed(clean):
    numbers = measure_quality(clean[0]).flat()
    assert set(numbers) == {f"{name}.{lead}" for name in PER_LEAD for lead in LEADS} | set(OF_RECORD)
    for name, about in MEASUREMENTS.items():
        assert about.unit and about.definition.endswith(".") and about.low <= about.high, name


def test_clean_ecgs_lie_in_the_ranges(clean):
    for record in clean:
        for name, value in measure_quality(record).flat().items():
            about = MEASUREMENTS[name.split(".")[0]]
            assert about.low - 1e-6 <= value <= about.high + 1e-6, (name, value)


def test_shares():
    x = np.sin(2 * np.pi * 1.3 * TIME)
    x[TIME < 1] = np.nan
    x[(TIME >= 4) & (TIME < 6)] = x[2000]
    measured = one(x).lead
    assert measured["missing_share"][0] == pytest.approx(0.1)
    assert measured["flat_share"][0] == pytest.approx(0.2, abs=0.03)


def test_clipped_share():
    """A sine of 1 Hz cut at half its height lies at the rails for two thirds of the time."""
    assert one(np.clip(np.sin(2 * np.pi * TIME), -0.5, 0.5)).lead["clipped_share"][0] == pytest.approx(
        2 / 3, abs=0.01
    )
    assert one(np.sin(2 * np.pi * TIME)).lead["clipped_share"][0] < 0.02


@pytest.mark.parametrize("hz", [50, 60])
def test_mains_by_hand(hz):
    x = 0.2 * np.sin(2 * np.pi * hz * TIME) + 0.1 * np.sin(2 * np.pi * 35 * TIME)
    measured = one(x).lead
    assert measured["mains_hz"][0] == hz
    assert measured["mains_mv"][0] == pytest.approx(0.2, rel=0.05)
    assert measured["mains_share"][0] == pytest.approx(0.04 / 0.05, abs=0.05)


def test_baseline_level_and_jump_by_hand():
    measured = one(3 + 2.0 * np.sin(2 * np.pi * 0.2 * TIME)).lead
    assert measured["baseline_mv"][0] == pytest.approx(4, rel=0.1)
    assert measured["level_mv"][0] == pytest.approx(3, abs=0.2)
    assert one(2.0 * (TIME > 5)).lead["jump_mv"][0] == pytest.approx(2, rel=0.2)


def test_muscle_by_hand():
    """White noise of 1 mV: what the band with its sin² edges passes; a lower quartile of χ² over 0.1 s."""
    white = np.random.default_rng(0).normal(size=len(TIME))
    passed = (3 + 2 * 12 * 3 / 8) / (FS / 2)  # 3 Hz whole, 12 Hz of edge on each side at 3/8
    width = (3 + 2 * 12 * 3 / 8) ** 2 / (3 + 2 * 12 * 35 / 128)
    freedom = 2 * width * 0.1
    expected = np.sqrt(passed * chi2.ppf(0.25, freedom) / freedom)
    assert one(white).lead["muscle_mv"][0] == pytest.approx(expected, rel=0.15)


def test_bands_add_up_and_keep_their_place():
    x = (np.sin(2 * np.pi * 5 * TIME) + 0.5 * np.sin(2 * np.pi * 0.3 * TIME)).astype(np.float32)[None]
    bands = Bands(x, FS)
    low = np.arange(bands.waves.shape[1]) / bands.low_fs
    inside = (low > 0.7) & (low < 9.3)
    np.testing.assert_allclose(bands.waves[0, inside], np.sin(2 * np.pi * 5 * low[inside]), atol=0.06)
    np.testing.assert_allclose(bands.slow[0, inside], 0.5 * np.sin(2 * np.pi * 0.3 * low[inside]), atol=0.08)


@pytest.mark.parametrize("causes", [["NORM"], ["AF"], ["RBBB"], ["LBBB"]])
def test_energy_finds_the_beats(causes):
    for ecg in simulate(8, seed=2, causes=causes, noise=0.5):
        bands = Bands(ecg.record.signal, FS)
        found = energy_peaks(bands.qrs, bands.low_fs) / bands.low_fs
        truth = ecg.beats.sample / FS
        truth = truth[(truth > 0.3) & (truth < 9.7)]
        assert all(np.abs(found - t).min() < 0.1 for t in truth)
        assert len(found) <= len(ecg.beats.sample) + 1


def test_long_recordings_cost_stretches_not_hours():
    pieces = [s.record.signal for s in simulate(4, seed=6, causes=["NORM"], noise=0.3)]
    long = Record(signal=np.concatenate(pieces * 5, axis=1), fs=FS)
    short = Record(signal=pieces[0], fs=FS)
    assert quality(long).score == pytest.approx(quality(short).score, abs=0.1)
    gap = long.signal.copy()
    gap[:, : gap.shape[1] // 4] = np.nan
    assert quality(long.with_(signal=gap)).measurements["missing_share.V1"] == pytest.approx(0.25, abs=0.05)


def test_every_nan_has_its_reason(clean):
    for record in (
        clean[0].pick(["II"]),
        Record(signal=np.zeros((2, 30)), fs=FS, leads=["I", "II"]),
        Record(signal=np.zeros((12, 5000)), fs=FS),
        Record(signal=np.full((12, 5000), np.nan), fs=FS),
        Record(signal=np.random.default_rng(0).normal(size=(3, 400)), fs=40, leads=["I", "II", "III"]),
    ):
        judged = quality(record)
        unknown = {name for name, value in judged.measurements.items() if np.isnan(value)}
        assert unknown == set(judged.reasons) and all(judged.reasons.values())


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(
        ["noise", "flat", "nan", "gaps", "huge", "inf", "spikes", "steps", "ecg", "alternating"]
    ),
    n_leads=st.integers(1, 15),
    n=st.integers(1, 3000),
    fs=st.sampled_from([1.0, 20.0, 50.0, 99.0, 100.0, 250.0, 360.0, 500.0, 1000.0, 12345.6]),
    size=st.sampled_from([1e-12, 1e-3, 1.0, 1e3, 1e8]),
    seed=st.integers(0, 2**32 - 1),
)
def test_never_raises_and_always_scores(kind, n_leads, n, fs, size, seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_leads, n))
    if kind == "flat":
        signal = np.broadcast_to(rng.normal(size=(n_leads, 1)), (n_leads, n)).copy()
    elif kind == "nan":
        signal[rng.random(n_leads) < 0.7] = np.nan
    elif kind == "gaps":
        signal[rng.random((n_leads, n)) < 0.5] = np.nan
    elif kind == "huge":
        signal *= 1e25
    elif kind == "inf":
        signal[rng.random((n_leads, n)) < 0.1] = np.inf
    elif kind == "spikes":
        signal = (rng.random((n_leads, n)) < 0.01) * 5.0
    elif kind == "steps":
        signal = np.cumsum(rng.random((n_leads, n)) < 0.01, axis=1).astype(float)
    elif kind == "ecg":
        shape = np.exp(-0.5 * ((np.arange(n)[None] / fs % 0.8 - 0.4) / 0.02) ** 2)
        signal = shape * rng.normal(size=(n_leads, 1))
    elif kind == "alternating":
        signal = np.tile([1.0, -1.0], (n_leads, n))[:, :n]
    names = [*LEADS, "X", "Y", "Z"][:n_leads]
    record = Record(signal=(signal * size).astype(np.float32), fs=fs, leads=names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judged = quality(record)
    assert isinstance(judged, Quality) and 0 <= judged.score <= 1
    assert tuple(judged.leads) == record.leads and set(judged.verdicts.values()) <= {
        "good",
        "disturbed",
        "unusable",
    }
    assert all(f.reason and "nan" not in f.reason.lower() for f in judged.all_findings)
    assert isinstance(repr(judged), str)
