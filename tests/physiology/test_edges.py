"""Steps of an electrode and spikes without a heart are no beats; a spike that a QRS answers, and any QRS, is one."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from ecgprior.physiology.delineate import delineate
from ecgprior.physiology.edges import abruptness, edges, left_over
from ecgprior.physiology.hearts import _among
from ecgprior.physiology.peaks import smooth
from ecgprior.physiology.rules import RULES
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

FS, N = 500, 5000
OFF = replace(RULES, heart_share=0.0, edge_share=2.0)
LEAD_SETS = {1: ("V5",), 2: ("I", "II"), 12: LEADS}


def beneath(rng, n_leads, mv=0.005):
    return mv * rng.standard_normal((n_leads, N))


def steps(rng, n_leads, tau_s=np.inf):
    """One about every second, of any height; each decays with `tau_s`."""
    x = beneath(rng, n_leads)
    for at in np.arange(200, N, 430) + rng.integers(-80, 80, 12):
        x[:, at:] += rng.standard_normal((n_leads, 1)) * np.exp(-np.arange(N - at) / (tau_s * FS))
    return x


def spikes(rng, n_leads, tail=0.0, mv=3.0, bpm=60):
    """One sample of `mv`, then a share `tail` of it that decays with 20 ms."""
    x, height = (
        beneath(rng, n_leads),
        mv * rng.uniform(0.3, 1, (n_leads, 1)) * rng.choice([-1, 1], (n_leads, 1)),
    )
    for at in np.arange(150, N, 60 * FS // bpm):
        x[:, at] += height[:, 0]
        x[:, at + 1 :] -= tail * height * np.exp(-np.arange(N - at - 1) / (0.02 * FS))
    return x


EDGES = {
    "steps that stay": steps,
    "steps, 0.05 Hz": partial(steps, tau_s=3.2),
    "steps, 0.5 Hz": partial(steps, tau_s=0.32),
    "steps, 60 ms": partial(steps, tau_s=0.06),
    "spikes": spikes,
    "small fast spikes": partial(spikes, mv=0.5, bpm=100),
    "spikes that polarise": partial(spikes, tail=0.2),
}


@pytest.mark.parametrize("n_leads", LEAD_SETS)
@pytest.mark.parametrize("kind", EDGES)
def test_edges_are_no_beats(kind, n_leads):
    for seed in range(6):
        signal = EDGES[kind](np.random.default_rng([seed, n_leads]), n_leads)
        assert len(delineate(Record(signal=signal, fs=FS, leads=LEAD_SETS[n_leads]))) == 0, seed


def several(rng, n_leads, fs, apart_s, every_s, *, step, mv=1.5, hz=None, mv_noise=0.005):
    """Twenty seconds of two steps, or two spikes of 2 ms, `apart_s` from one another, low-passed at `hz` as recorders do."""
    x = np.zeros((n_leads, 20 * fs))
    for at in np.arange(0.7, 19, every_s):
        for later in (0.0, rng.uniform(*apart_s) if step else apart_s[0]):
            first = int((at + later) * fs)
            height = (
                rng.uniform(0.5, 1, n_leads) * rng.choice([-1, 1], n_leads)
                if step
                else np.linspace(0.5, 1, n_leads)
            )
            x[:, first : None if step else first + max(1, fs // 500)] += mv * height[:, None]
    if hz:
        x = sosfilt(butter(2, hz, fs=fs, output="sos"), x)
    return x + mv_noise * rng.standard_normal(x.shape)


SEVERAL = {
    "two steps within a QRS": partial(several, apart_s=(0.02, 0.06), every_s=2.3, step=True),
    "two steps, 100 Hz": partial(several, apart_s=(0.03, 0.06), every_s=2.3, step=True, hz=100),
    "two steps within a QRS once, 40 Hz": partial(
        several, apart_s=(0.02, 0.05), every_s=30, step=True, hz=40
    ),
    "spikes of two chambers": partial(several, apart_s=(0.13,), every_s=0.9, step=False),
    "spikes of two chambers, 100 Hz": partial(several, apart_s=(0.15,), every_s=0.8, step=False, hz=100),
    "spikes in noise, 40 Hz": partial(several, apart_s=(0.0,), every_s=0.7, step=False, hz=40, mv_noise=0.02),
}


@pytest.mark.parametrize("fs", [250, 500, 1000])
@pytest.mark.parametrize("n_leads", LEAD_SETS)
@pytest.mark.parametrize("kind", SEVERAL)
def test_several_edges_and_low_passed_ones_are_no_beats(kind, n_leads, fs):
    for seed in range(4):
        signal = SEVERAL[kind](np.random.default_rng([seed, n_leads, fs]), n_leads, fs)
        assert len(delineate(Record(signal=signal, fs=fs, leads=LEAD_SETS[n_leads]))) == 0, seed


@pytest.mark.parametrize("n_leads", LEAD_SETS)
def test_a_beat_that_is_alone_is_kept_with_its_t_wave(n_leads):
    """One beat in ten seconds, and the trace at rest before and after; one of nine may have too flat a T."""
    with_beat = np.zeros(2, int)
    hearts = [
        ecg
        for cause in ("NORM", "LBBB", "PVC")
        for ecg in simulate(3, seed=9, causes=[cause], fs=FS, noise=0)
    ]
    for ecg in hearts:
        record = ecg.record.pick(LEAD_SETS[n_leads])
        first, last = int(ecg.delineation.global_[4, 1, 0]) - 20, int(ecg.delineation.global_[4, 2, 2]) + 20
        x = record.signal.copy()
        x[:, :first], x[:, last:] = x[:, first, None], x[:, last, None]
        x += beneath(np.random.default_rng(2), n_leads)
        with_beat += [len(delineate(record.with_(signal=x), rules=rules)) > 0 for rules in (OFF, RULES)]
    assert with_beat[0] == 9 and with_beat[1] >= 8


def assert_kept(record, least=5):
    before = delineate(record, rules=OFF)
    assert len(before) >= least
    np.testing.assert_array_equal(delineate(record).global_, before.global_)


@pytest.mark.parametrize("n_leads", LEAD_SETS)
@pytest.mark.parametrize("cause", ["LBBB", "PVC", "NORM"])
@pytest.mark.parametrize("mv", [1.0, 10.0])
def test_captured_beats_stay(cause, mv, n_leads):
    for ecg in simulate(3, seed=5, causes=[cause], fs=FS):
        record = ecg.record.pick(LEAD_SETS[n_leads])
        onset, x = ecg.delineation.global_[:, 1, 0], record.signal.copy()
        height = mv * np.linspace(0.4, 1, n_leads) * np.where(np.arange(n_leads) % 2, -1, 1)
        for at in onset[np.isfinite(onset)].astype(int):
            x[:, max(at - 4, 0) : max(at - 3, 1)] += height[:, None]
        # of I and II alone the network itself loses wide beats: docs/physiology.md, "Known failures"
        assert_kept(record.with_(signal=x), least=2 if (cause, n_leads) == ("LBBB", 2) else 5)


@pytest.mark.parametrize("n_leads", LEAD_SETS)
@pytest.mark.parametrize("cause", ["LBBB", "RBBB", "AF", "PVC", "STE-A"])
def test_wide_and_irregular_beats_stay(cause, n_leads):
    for ecg in simulate(3, seed=8, causes=[cause], fs=FS):
        assert_kept(ecg.record.pick(LEAD_SETS[n_leads]))


@pytest.mark.parametrize("n_leads", LEAD_SETS)
def test_the_narrow_qrs_of_a_newborn_and_low_voltage_stay(n_leads):
    """The same trace, told to be 1.5 or 2 times as fast: QRS of 45 to 60 ms, 100 to 160 bpm; and a third as high."""
    for ecg in simulate(3, seed=13, causes=["NORM"], fs=FS):
        record = ecg.record.pick(LEAD_SETS[n_leads])
        assert_kept(record.with_(fs=(1.5 if n_leads == 1 else 2) * FS))
        assert_kept(record.with_(signal=0.3 * record.signal))


def test_a_heart_among_steps_keeps_its_beats():
    ecg = next(simulate(1, seed=3, causes=["NORM"], fs=FS))
    x = ecg.record.signal.copy()
    for at in (1234, 3210):
        x[:, at:] += np.linspace(-1, 1, 12)[:, None] * np.exp(-np.arange(N - at) / 150)
    found, true = delineate(ecg.record.with_(signal=x)).global_[:, 1, 1], ecg.beats.sample
    inside = true[(true > 100) & (true < N - 100)]
    assert (np.abs(found[:, None] - inside).min(axis=0) < 40).all()


@pytest.mark.parametrize("n_leads", LEAD_SETS)
@pytest.mark.parametrize("mv", [1.0, 3.0])
def test_a_heart_that_does_not_answer_its_pacemaker_keeps_its_beats(mv, n_leads):
    """Spikes at 100 a minute across a heart of 60 to 70: a third of what looks like a QRS or more is none."""
    for seed in (1, 2, 3):
        ecg = next(simulate(1, seed=seed, causes=["NORM"], fs=FS))
        x = ecg.record.pick(LEAD_SETS[n_leads]).signal.copy()
        x[:, 170::300] += mv * np.linspace(0.5, 1, n_leads)[:, None]
        found = delineate(Record(signal=x, fs=FS, leads=LEAD_SETS[n_leads])).global_[:, 1, 1]
        assert (np.abs(found[:, None] - ecg.beats.sample).min(axis=0) < 40).mean() >= 0.9


def test_a_heart_among_edges_in_numbers():
    peak = np.arange(100.0, 2400.0, 120.0)
    edge, x = np.arange(len(peak)) % 3 == 0, np.zeros((1, 2500), np.float32)
    for at in peak[~edge].astype(int):
        x[0, at - 20 : at + 21] += np.hanning(41).astype(np.float32)
    whole = np.zeros(len(peak), int), np.full(len(peak), len(peak))
    np.testing.assert_array_equal(_among(x, peak, edge, *whole, RULES), ~edge)
    assert not _among(x, peak, edge | (np.arange(len(peak)) % 3 == 1), *whole, RULES).any()  # edges mostly
    few = peak[:6], edge[:6], np.zeros(6, int), np.full(6, 6)
    assert not _among(x[:, :800], *few, RULES).any()  # four beats
    noise = np.random.default_rng(0).normal(size=(1, 2500)).astype(np.float32)
    assert not _among(noise, peak, edge, *whole, RULES).any()


def one(shape, n=400, at=200):
    """A lead of 0 with `shape` at `at`, and the wave around it."""
    x = np.zeros((1, n), np.float32)
    x[0, at : at + len(shape)] = shape
    return x, np.array([[at - 4.0, at + 2.0, at + 12.0]])


USUAL = np.array([0.01], np.float32)


def left(x, waves, *, several=False, whole=False):
    at = abruptness(x, waves)[-1]
    return [v.item() for v in left_over(x, USUAL, waves, at, np.array([several]), whole=whole)]


def test_a_step_a_spike_and_a_qrs_in_numbers():
    step = one(np.ones(200))
    change, held, wide, at = abruptness(*step)
    assert (change.item(), held.item(), wide.item(), at.item()) == (
        2.0,
        1.0,
        1.0,
        198,
    )  # one slope of 1, two changes
    assert left(*step) == [0.0, 0.0, 1.0]
    change, held, _, at = abruptness(*one([3.0]))
    assert (change.item(), held.item()) == (3.0, 1.0)  # slopes 3, -3; changes 3, -6, 3
    triangle = one([0, 1, 2, 3, 4, 3, 2, 1, 0])
    change, held, wide, at = abruptness(*triangle)
    assert [change.item(), held.item(), wide.item()] == pytest.approx(
        [6 / 8, 3 / 8, 4 / 8]
    )  # eight slopes of 1


def test_what_is_steep_beside_the_edge():
    decay = one(np.exp(-np.arange(200) / 20))  # 80 ms
    rest, share, _ = left(*decay)
    assert rest < 1 and share < 0.01  # steep it is, but less and less
    captured = decay[0].copy()
    captured[0, 208:228] += np.hanning(20).astype(np.float32)
    rest, share, _ = left(captured, decay[1] + [0, 0, 20])
    assert rest > 30 and share > 0.3


def test_further_edges_are_cut_out_but_no_qrs():
    two = one(np.r_[np.ones(10), np.zeros(190)])  # there and back within 40 ms
    rest, _, held = left(*two)
    assert rest > 30 and held == pytest.approx(0.5)
    assert left(*two, several=True) == [0.0, 0.0, 1.0]
    far = one(np.r_[np.ones(30), np.zeros(170)])
    assert left(*far) == [0.0, 0.0, 1.0]  # the second lies outside the QRS
    smooth = one(np.hanning(15))
    assert left(*smooth, several=True)[:2] == left(*smooth)[:2]


def test_a_t_wave_is_looked_for_when_the_qrs_is_cut_out():
    shape = np.r_[np.hanning(15), np.zeros(40), 0.3 * np.hanning(50)].astype(np.float32)
    assert left(*one(shape), whole=True)[0] > 5
    assert left(*one(shape[:15]), whole=True) == [0.0, 0.0, 1.0]


def test_two_steep_places_with_a_t_wave_after_them_are_a_qrs():
    """There and back within 40 ms is two steps; with a T wave after it, a sharp and narrow QRS."""
    shape = np.zeros(200, np.float32)
    shape[:10] = 1.0
    x, waves = one(shape)
    x += 0.005 * np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    with_t = x.copy()
    with_t[0, 250:310] += 0.5 * np.hanning(60).astype(np.float32)
    found = [edges(y, smooth(y, 5), waves, np.zeros(1, bool), RULES).item() for y in (x, with_t)]
    assert found == [True, False]


def test_edges_at_the_ends_of_a_record():
    x = np.zeros((2, 300), np.float32)
    x[:, 1:], x[:, 298:] = 1.0, 3.0
    waves = np.array([[np.nan, 1.0, 6.0], [290.0, np.nan, 299.0], [290.0, 298.0, np.nan]])
    change, held, wide, at = abruptness(x, waves)
    rest = left_over(x, np.ones(2, np.float32), waves, at, np.ones(3, bool))
    assert np.isfinite([change, held, wide, *rest]).all()
    assert ((at >= 0) & (at < 300)).all()
