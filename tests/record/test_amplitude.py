"""The unit is judged by the amplitudes, and only a clear case is called wrong."""

import numpy as np
import pytest

from ecgprior.record.amplitude import check_amplitude, other_unit
from ecgprior.record.record import Record


def beats(size, fs=500, n_leads=3):
    signal = np.zeros((n_leads, 10 * fs))
    signal[:, fs // 2 :: fs] = size
    return Record(signal=signal, fs=fs, leads=("I", "II", "V1")[:n_leads])


@pytest.mark.parametrize("size", [0.05, 0.5, 1.2, 4.0, 12.0])
def test_millivolts_pass(size):
    check = check_amplitude(beats(size))
    assert check.ok and check.factor == 1 and check.finding == ""
    np.testing.assert_allclose(check.median_qrs_mv, size, rtol=1e-6)


@pytest.mark.parametrize(
    ("size", "factor", "finding"),
    [
        (1100, 1e-3, "looks like µV: median QRS 1,100; pass unit='uV'"),
        (0.0011, 1e3, "looks like V: median QRS 0.0011; pass unit='V'"),
        (1.1e6, 1e-6, "looks like nV: median QRS 1,100,000; pass unit='nV'"),
    ],
)
def test_other_units_are_named(size, factor, finding):
    check = check_amplitude(beats(size))
    assert (check.ok, check.factor, check.finding) == (False, factor, finding)


@pytest.mark.parametrize("size", [1e12, 1e-9])
def test_no_unit_of_voltage(size):
    check = check_amplitude(beats(size))
    assert not check.ok and np.isnan(check.factor) and "no unit" in check.finding


def test_nothing_to_judge():
    for signal in (np.zeros((2, 100)), np.full((2, 100), np.nan), np.full((2, 100), 7.0), np.ones((2, 1))):
        check = check_amplitude(Record(signal=signal, fs=500, leads=["I", "II"]))
        assert check.ok and np.isnan(check.median_qrs_mv)


def test_less_than_a_second_is_not_called_too_small():
    record = beats(1.2)
    between = record.with_(signal=0.01 * record.signal[:, 240:260])
    assert check_amplitude(between).ok
    assert not check_amplitude(between.with_(signal=between.signal * 1e5)).ok  # however short: 1.2 V
    assert not check_amplitude(record.with_(signal=1e-3 * record.signal[:, :500])).ok


def test_a_level_and_one_spike_do_not_matter():
    record = beats(1.0)
    signal = record.signal + 300
    signal[0, 7] = 9000
    assert check_amplitude(record.with_(signal=signal)).ok


def test_gaps_and_flat_leads_are_left_out():
    record = beats(1.0)
    signal = record.signal.copy()
    signal[0] = 0
    signal[1, :2000] = np.nan
    assert check_amplitude(record.with_(signal=signal)).ok


def test_the_quick_look_says_the_same_and_believes_one_lead():
    for size, unit in ((1100, "uV"), (0.0011, "V"), (1.1e6, "nV")):
        assert other_unit(beats(size)) == check_amplitude(beats(size)).finding
        assert f"pass unit='{unit}'" in other_unit(beats(size))
    for signal in (beats(1.2).signal, beats(0.05).signal, np.zeros((3, 100)), np.full((3, 100), np.nan)):
        assert other_unit(Record(signal=signal, fs=500, leads=["I", "II", "V1"])) == ""
    weak = beats(0.0011).signal.copy()
    weak[1] *= 1000
    assert other_unit(Record(signal=weak, fs=500, leads=["I", "II", "V1"])) == ""
