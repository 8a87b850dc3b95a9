"""``delineate``: one by one, in batches, over a day; with a plain stand-in for the network, and with the shipped one."""

import numpy as np
import pytest

from ecgprior.physiology import delineate as module
from ecgprior.physiology.delineate import delineate, delineate_many
from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate

QRS = 1


def threshold(signal, lead_mask):
    """QRS where the trace is above 0.3 mV: a network whose answer one can work out by hand."""
    qrs = (signal.reshape(*signal.shape[:2], -1, 2).mean(axis=-1) > 0.3) & lead_mask[:, :, None]
    none = np.zeros(qrs.shape)
    return np.stack([~qrs, none, qrs, none], axis=2).astype(np.float32)


def ticks(seconds, fs, every_s=0.8, n_leads=1):
    """Triangles of 1 mV and 80 ms, one every `every_s` from 0.5 s on; and their samples."""
    t = np.arange(round(seconds * fs)) / fs
    at = np.arange(0.5, max(seconds - 0.1, 0.6), every_s)
    near = np.abs(t - at[np.clip(np.round((t - 0.5) / every_s).astype(int), 0, len(at) - 1)])
    signal = np.maximum(0, 1 - near / 0.04).astype(np.float32)
    return Record(
        signal=np.tile(signal, (n_leads, 1)), fs=fs, leads=[f"x{i}" for i in range(n_leads)]
    ), at * fs


@pytest.mark.parametrize("fs", [100, 250, 360, 500, 1000])
def test_beats_are_at_the_records_own_rate(fs):
    record, at = ticks(10, fs, n_leads=3)
    found = delineate(record, network=threshold)
    assert found.leads == record.leads
    np.testing.assert_allclose(found.global_[:, QRS, 1], at, atol=0.006 * fs)
    width = found.interval("QRS", "onset", "QRS", "offset") / fs
    np.testing.assert_allclose(width, 0.056, atol=0.012)


def test_many_records_give_what_each_gives_alone():
    records = [
        ticks(s, fs, n_leads=n)[0]
        for s, fs, n in [(10, 500, 2), (3, 250, 1), (10, 500, 2), (0.5, 500, 2), (25, 200, 3)]
    ]
    for batch in (1, 2, 32):
        many = delineate_many(iter(records), network=threshold, batch=batch)
        for record, found in zip(records, many, strict=True):
            alone = delineate(record, network=threshold)
            assert found.leads == record.leads
            np.testing.assert_array_equal(found.points, alone.points)
            np.testing.assert_array_equal(found.global_, alone.global_)


def test_long_records_are_joined_without_a_beat_lost_or_doubled(monkeypatch):
    record, at = ticks(200, 200, every_s=0.7)
    whole = delineate(record, network=threshold)
    assert len(whole) == len(at)
    monkeypatch.setattr(module, "_OVERLAP_S", 2.0)
    for block in (7.0, 10.15, 21.0, 33.31, 99.0):  # borders at any place of a beat
        monkeypatch.setattr(module, "_BLOCK_S", block)
        joined = delineate(record, network=threshold)
        np.testing.assert_allclose(joined.global_, whole.global_, atol=0.5)
        np.testing.assert_allclose(joined.points, whole.points, atol=0.5)


def test_a_day_is_read_in_blocks():
    record, at = ticks(24 * 3600, 100, every_s=0.9)
    longest = 0

    def watched(signal, lead_mask):
        nonlocal longest
        longest = max(longest, signal.size)
        return threshold(signal, lead_mask)

    found = delineate(record, network=watched)
    np.testing.assert_allclose(found.global_[:, QRS, 1], at, atol=0.7)
    assert longest < 2_000_000


def test_lone_p_waves_of_a_long_record_are_joined(monkeypatch):
    record, at = ticks(100, 250, every_s=1.1)

    def p_waves(signal, lead_mask):
        return threshold(signal, lead_mask)[:, :, [0, 2, 1, 3]]

    monkeypatch.setattr(module, "_OVERLAP_S", 3.0)
    monkeypatch.setattr(module, "_BLOCK_S", 17.0)
    found = delineate(record, network=p_waves)
    inside = at[at < 99.6 * 250]
    assert len(found) == 0
    np.testing.assert_allclose(found.lone_p[-1, : len(inside), 1], inside, atol=1)


@pytest.mark.parametrize(
    "signal, fs",
    [
        (np.ones((2, 1)), 500),
        (np.ones((2, 499)), 500),
        (np.ones((2, 90)), 30),
        (np.ones((2, 60_000)), 30_000),
    ],
)
def test_too_short_or_another_rate_has_no_beat(signal, fs):
    found = delineate(Record(signal=signal, fs=fs, leads=("I", "II")), network=threshold)
    assert (
        found.points.shape == (2, 0, 3, 3) and found.lone_p.shape == (3, 0, 3) and found.table().height == 0
    )


def test_simulated_hearts_are_found_by_the_shipped_network():
    errors = []
    for ecg in simulate(12, seed=11):
        found, truth = delineate(ecg.record), ecg.delineation
        r = found.global_[:, QRS, 1]
        inside = (ecg.beats.sample > 150) & (ecg.beats.sample < ecg.record.n_samples - 150)
        near = np.abs(r[:, None] - ecg.beats.sample[inside])
        assert near.min(axis=0).max() < 0.15 * 500 and abs(len(found) - len(ecg.beats)) <= 2
        pairs = near.argmin(axis=0)
        errors.append(2 * (found.global_[pairs] - truth.global_[inside])[:, :, [0, 2]])
    errors = np.concatenate(errors)
    middle = np.nanmedian(np.abs(errors), axis=0)
    assert (middle < [[15, 15], [15, 15], [40, 25]]).all(), middle


def test_batches_and_single_records_agree_with_the_shipped_network():
    records = [ecg.record for ecg in simulate(3, seed=5)]
    for record, found in zip(records, delineate_many(records), strict=True):
        np.testing.assert_allclose(found.points, delineate(record).points, atol=0.05)
