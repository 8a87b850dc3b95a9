"""Whatever a record holds, the shipped engine answers: no exception, and no wave where no heart is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.physiology.beats import detect_beats
from ecgprior.physiology.delineate import delineate
from ecgprior.record.filters import resample
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

QRS = 1


def heart(seed=1, **settings):
    return next(simulate(1, seed=seed, **({"causes": ["NORM"]} | settings)))


def beat(fs=500, p=True):
    """One simulated beat, P to the end of T, in twelve leads, and the sample of its R; its ends are brought to 0."""
    ecg = heart(seed=4, noise=0, fs=fs)
    k = 3
    points = ecg.delineation.global_[k]
    start, stop = int(points[0 if p else 1, 0] - 0.02 * fs), int(points[2, 2] + 0.04 * fs)
    x = ecg.record.signal[:, start:stop].astype(np.float64)
    ramp = np.linspace(0, 1, x.shape[1])
    return x - (x[:, :1] * (1 - ramp) + x[:, -1:] * ramp), ecg.beats.sample[k] - start


def rhythm(bpm, seconds=10, fs=500, noise_mv=0.005):
    """The same beat again and again (P left out and the beat compressed where it would not fit), and the R samples."""
    shape, r = beat(fs, p=bpm <= 140)
    rr = 60 / bpm * fs
    squeeze = min(1.0, 0.92 * rr / shape.shape[1])
    at = np.arange(int(squeeze * shape.shape[1])) / squeeze
    shape = np.stack([np.interp(at, np.arange(len(row)), row) for row in shape])
    n = round(seconds * fs)
    signal = noise_mv * np.random.default_rng(0).standard_normal((12, n))
    where = np.arange(0.3 * fs, n - shape.shape[1], rr).astype(int)
    for start in where:
        signal[:, start : start + shape.shape[1]] += shape
    return Record(signal=signal, fs=fs), where + r * squeeze


def assert_beats(record, true, tolerance_s=0.075):
    found = detect_beats(record).sample
    assert len(found) == len(true)
    np.testing.assert_allclose(found, true, atol=tolerance_s * record.fs)


def assert_nothing(record):
    found = delineate(record)
    assert found.points.shape == (len(record.leads), 0, 3, 3), f"{len(found)} beats"
    assert found.lone_p.shape[1] == 0 and found.table().height == 0
    assert len(detect_beats(record)) == 0


def inside(ecg, margin=0.2):
    at = ecg.beats.sample
    return at[(at > margin * ecg.record.fs) & (at < ecg.record.n_samples - margin * ecg.record.fs)]


def assert_inner_beats(record, ecg, missed=0, false=0):
    """Every true beat away from the edges, and no other one there."""
    found, true = detect_beats(record).sample, inside(ecg)
    assert len(found) > 0
    near = np.abs(found[:, None] - true) / record.fs
    lost = (near.min(axis=0) > 0.1).sum()
    edge = (found < 0.4 * record.fs) | (found > record.n_samples - 0.4 * record.fs)
    extra = ((near.min(axis=1) > 0.1) & ~edge).sum()
    assert lost <= missed and extra <= false, f"{lost} lost, {extra} false of {len(true)}"


@pytest.mark.parametrize("lead", LEADS)
def test_one_lead_only(lead):
    ecg = heart(2)
    assert_inner_beats(ecg.record.pick([lead]), ecg, missed=1, false=1)


@pytest.mark.parametrize("level", [0.0, 5.0, -3e5])
def test_all_leads_flat(level):
    assert_nothing(Record(signal=np.full((12, 5000), level), fs=500))


def test_all_leads_missing_or_infinite():
    for value in (np.nan, np.inf, -np.inf):
        assert_nothing(Record(signal=np.full((12, 5000), value), fs=500))


def test_flat_and_missing_leads_among_others_are_absent_there():
    ecg = heart(3)
    signal = ecg.record.signal.copy()
    signal[0], signal[4], signal[7] = 0.0, np.nan, 2.5
    record = ecg.record.with_(signal=signal)
    assert_inner_beats(record, ecg)
    assert np.isnan(delineate(record).points[[0, 4, 7]]).all()


def test_a_single_beat():
    shape, r = beat()
    signal = 0.003 * np.random.default_rng(1).standard_normal((12, 5000))
    signal[:, 2000 : 2000 + shape.shape[1]] += shape
    record = Record(signal=signal, fs=500)
    assert_beats(record, [2000 + r])
    assert np.isfinite(delineate(record).global_).all()


@pytest.mark.parametrize("bpm, seconds", [(30, 12), (30, 30), (120, 10), (200, 10)])
def test_slow_and_fast_hearts(bpm, seconds):
    record, true = rhythm(bpm, seconds)
    assert_beats(record, true)


@pytest.mark.parametrize("lead", [None, "II", "V5"])
@pytest.mark.parametrize("bpm", [220, 250])
def test_a_heart_at_250(bpm, lead):
    """T and QRS are one zigzag, which a network that was taught what noise is may take for noise."""
    record, true = rhythm(bpm, 20)
    found = detect_beats(record if lead is None else record.pick([lead])).sample
    np.testing.assert_allclose(found, true, atol=0.02 * record.fs)


@pytest.mark.parametrize("noise_mv", [0.001, 0.01, 0.05])
def test_asystole(noise_mv):
    t = np.arange(5000) / 500
    rng = np.random.default_rng(5)
    drift = 0.1 * np.sin(2 * np.pi * 0.25 * t) * rng.uniform(-1, 1, (12, 1))
    assert_nothing(Record(signal=drift + noise_mv * rng.standard_normal((12, 5000)), fs=500))


@pytest.mark.parametrize("n_leads", [1, 2, 12])
@pytest.mark.parametrize("size_mv", [0.02, 0.3, 5.0])
def test_pure_white_noise(n_leads, size_mv):
    for seed in range(3):
        signal = size_mv * np.random.default_rng(seed).standard_normal((n_leads, 5000))
        assert_nothing(Record(signal=signal, fs=500, leads=LEADS[:n_leads]))


@pytest.mark.parametrize("hz", [50, 60])
@pytest.mark.parametrize("fs", [500, 1000])
def test_mains_ten_times_the_signal(hz, fs):
    ecg = heart(6, fs=fs)
    t = np.arange(ecg.record.n_samples) / fs
    size = 10 * np.ptp(ecg.record.signal, axis=1, keepdims=True) / 2
    mains = size * np.sin(2 * np.pi * hz * t + np.arange(12)[:, None])
    assert_inner_beats(ecg.record.with_(signal=ecg.record.signal + mains), ecg, missed=1, false=1)


@pytest.mark.parametrize("hz", [50.0, 60.0])
@pytest.mark.parametrize("leads", [LEADS, ("II",)])
def test_the_same_hum_of_10_mv_on_every_lead(hz, leads):
    ecg = heart(4)
    t = np.arange(ecg.record.n_samples) / ecg.record.fs
    humming = ecg.record.with_(signal=ecg.record.signal + 10 * np.sin(2 * np.pi * hz * t)).pick(leads)
    assert_inner_beats(humming, ecg)


def test_mains_alone_is_no_heart():
    t = np.arange(5000) / 500
    assert_nothing(Record(signal=2 * np.sin(2 * np.pi * 50 * t + np.arange(12)[:, None]), fs=500))


def test_inverted_limb_leads():
    ecg = heart(7)
    signal = ecg.record.signal.copy()
    signal[:6] *= -1
    assert_inner_beats(ecg.record.with_(signal=signal), ecg)
    assert_inner_beats(ecg.record.with_(signal=-ecg.record.signal), ecg)


def test_gaps_take_the_waves_that_they_touch_and_no_others():
    ecg = heart(8)
    truth = delineate(ecg.record)
    k = len(truth) // 2
    t_onset, t_offset = truth.global_[k, 2, [0, 2]]
    signal = ecg.record.signal.copy()
    signal[:, int(t_onset + 20) : int(t_offset - 10)] = np.nan
    found = delineate(ecg.record.with_(signal=signal))
    assert np.isnan(found.points[:, k, 2]).all() and np.isfinite(found.global_[[k - 1, k + 1], 2]).all()
    assert len(found) == len(truth)
    signal = ecg.record.signal.copy()
    signal[:, ::200] = np.nan  # single samples
    short = delineate(ecg.record.with_(signal=signal))
    assert len(short) == len(truth) and np.isfinite(short.global_[k]).all()


def test_pacing_spikes_are_no_beats():
    ecg = heart(9)
    onset = ecg.delineation.global_[:, QRS, 0]
    signal = ecg.record.signal.copy()
    for at in onset[np.isfinite(onset)].astype(int):
        signal[:, max(at - 8, 0) : at - 6] += 3 * np.linspace(-1, 1, 12)[:, None]
    assert_inner_beats(ecg.record.with_(signal=signal), ecg)


@pytest.mark.parametrize("seconds", [1, 2.5, 4])
def test_short_records(seconds):
    ecg = heart(10)
    start = 2000
    n = round(seconds * 500)
    record = ecg.record.with_(signal=ecg.record.signal[:, start : start + n])
    true = ecg.beats.sample[(ecg.beats.sample > start + 75) & (ecg.beats.sample < start + n - 75)] - start
    found = detect_beats(record).sample
    assert all(np.abs(found - at).min() < 40 for at in true)
    assert len(found) <= len(true) + 2


@pytest.mark.parametrize("n", [1, 2, 3, 31, 250, 499, 500, 501, 503])
def test_a_few_samples(n):
    signal = np.random.default_rng(n).standard_normal((2, n))
    found = delineate(Record(signal=signal, fs=500, leads=("I", "II")))
    assert found.points.shape[0] == 2 and len(found) <= 3


@pytest.mark.parametrize("fs", [100, 200, 257, 400, 1000])
def test_other_sampling_rates(fs):
    ecg = heart(11)
    record = resample(ecg.record, fs)
    at_500 = delineate(ecg.record)
    found = delineate(record)
    assert len(found) == len(at_500)
    error_ms = 1000 * (found.global_ / fs - at_500.global_ / 500)
    assert np.nanmedian(np.abs(error_ms)) < 6 and np.nanmax(np.abs(error_ms[:, QRS, 1])) < 20


@pytest.mark.slow
def test_a_day():
    one, _ = beat(fs=100)
    rr, n = 90, 24 * 3600 * 100
    shape = np.zeros(rr)
    shape[: one.shape[1]] = one[1, :rr]
    signal = np.tile(shape, n // rr + 1)[:n] + 0.01 * np.random.default_rng(0).standard_normal(n)
    found = detect_beats(Record(signal=signal[None], fs=100, leads=["II"]))
    assert abs(len(found) - n / rr) < 10
    assert np.abs(np.diff(found.sample) - rr).max() <= 3


def test_absurd_amplitudes():
    ecg = heart(12)
    for factor in (1e6, -1e6, 1e30, 1e-6):
        found = delineate(
            ecg.record.with_(signal=np.clip(ecg.record.signal * np.float64(factor), -3e38, 3e38))
        )
        assert found.points.shape[0] == 12
    level = ecg.record.with_(signal=ecg.record.signal + 300.0)
    assert_inner_beats(level, ecg)
    spike = ecg.record.signal.copy()
    spike[:, 2500] = 1e6
    assert_inner_beats(ecg.record.with_(signal=spike), ecg, missed=1, false=1)


KINDS = ("white", "walk", "steps", "nan", "inf", "huge", "tiny", "saw", "flat")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_leads=st.integers(1, 15),
    n=st.integers(1, 3000),
    fs=st.sampled_from([1.0, 50.0, 99.7, 100, 128, 200, 250, 333.3333, 360, 500, 1000, 2000, 1e5]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
)
def test_any_signal_gets_an_ordered_answer(seed, n_leads, n, fs, kinds):
    rng = np.random.default_rng(seed)
    signal = np.zeros((n_leads, n))
    for kind in kinds:
        rows = rng.random(n_leads) < 0.7
        part = slice(*sorted(rng.integers(0, n + 1, 2)))
        x = signal[rows, part]
        signal[rows, part] = {
            "white": lambda x: x + rng.standard_normal(x.shape),
            "walk": lambda x: x + 0.05 * rng.standard_normal(x.shape).cumsum(axis=1),
            "steps": lambda x: (
                x + np.repeat(rng.standard_normal((len(x), x.shape[1] // 40 + 1)), 40, 1)[:, : x.shape[1]]
            ),
            "nan": lambda x: np.where(rng.random(x.shape) < 0.3, np.nan, x),
            "inf": lambda x: np.where(rng.random(x.shape) < 0.01, np.inf, x),
            "huge": lambda x: 1e6 * x,
            "tiny": lambda x: 1e-6 * x,
            "saw": lambda x: x + np.arange(x.shape[1]) % 173 / 173,
            "flat": np.zeros_like,
        }[kind](x)
    record = Record(signal=signal, fs=fs, leads=[f"x{i}" for i in range(n_leads)])
    found = delineate(record)
    beats = detect_beats(record)
    assert len(beats) == len(found)
    for rows in (*found.points, found.global_):
        marks = rows[np.isfinite(rows)]
        assert (np.diff(marks) >= 0).all() and ((marks >= 0) & (marks < n)).all()
