"""``detect_beats``: the beats of the shipped network, and what kind they are."""

import numpy as np

import ecgprior as ep
from ecgprior.physiology.beats import beats_of, detect_beats
from ecgprior.record.beats import Delineation
from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate


def test_beats_are_the_r_peaks_of_a_delineation_rounded():
    points = np.full((1, 2, 3, 3), np.nan)
    points[0, :, 1] = [[90.2, 100.4, 110], [290, 300.6, 312]]
    record = Record(signal=np.zeros((1, 400)), fs=250, leads=["II"])
    beats = beats_of(record, Delineation(["II"], points, points[0]))
    assert beats.sample.tolist() == [100, 301] and beats.kind == ("N", "N")
    assert len(beats_of(record, Delineation(["II"], points[:, :0], points[0, :0]))) == 0


def test_every_simulated_beat_is_found_and_nothing_else():
    for ecg in simulate(8, seed=21, causes=["NORM"]):
        found = detect_beats(ecg.record)
        true = ecg.beats.sample
        near = np.abs(found.sample[:, None] - true)
        last = ecg.record.n_samples - 100  # a QRS that is cut by the edge may be seen or not
        assert near.min(axis=0)[(true > 100) & (true < last)].max() <= 25
        assert near.min(axis=1)[(found.sample > 100) & (found.sample < last)].max() <= 25
        assert set(found.kind) <= {"N", "V"} and found.kind.count("N") > 0.8 * len(found)


def test_an_array_with_its_rate_will_do():
    ecg = next(simulate(1, seed=3, causes=["NORM"]))
    of_array = ep.detect_beats(ecg.record.signal[1:2], fs=500, leads=["II"])
    np.testing.assert_array_equal(of_array.sample, detect_beats(ecg.record.pick(["II"])).sample)
    assert ep.delineate(ecg.record.signal, fs=500).leads == ecg.record.leads
