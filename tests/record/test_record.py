"""The Record: what it takes, what it refuses, and that nobody can change it."""

import pickle

import numpy as np
import pytest

from ecgprior.errors import BadSamplingRate, BadUnit, LeadMissing, RecordError, ShapeError
from ecgprior.record.beats import Beats
from ecgprior.record.record import LEADS, Annotations, Patient, Record, canonical_lead


def two(**changes):
    return Record(**{"signal": np.ones((2, 4)), "fs": 500, "leads": ["I", "II"], **changes})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int64, np.uint8, bool])
def test_any_real_type_becomes_float32(dtype):
    record = two(signal=np.ones((2, 4), dtype))
    assert record.signal.dtype == np.float32 and record.signal.flags.c_contiguous
    np.testing.assert_array_equal(record.signal, 1)


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e3), ("mV", 1), ("uV", 1e-3), ("µV", 1e-3), ("nV", 1e-6)])
def test_units(unit, factor):
    np.testing.assert_allclose(two(unit=unit).signal, factor, rtol=1e-6)


def test_nan_and_saturated_samples_are_kept():
    values = np.array([[np.nan, 32.767, -32.768, 0.0], [0, 1, 2, 3]])
    np.testing.assert_array_equal(two(signal=values).signal, values.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"signal": np.ones((4, 2))}, ShapeError),
        ({"signal": np.ones(4)}, ShapeError),
        ({"signal": np.ones((2, 4), complex)}, ShapeError),
        ({"signal": [["a", "b"], ["c", "d"]]}, ShapeError),
        ({"signal": np.zeros((2, 0))}, RecordError),
        ({"leads": ["I", "i"]}, RecordError),
        ({"fs": 0}, BadSamplingRate),
        ({"fs": -1}, BadSamplingRate),
        ({"fs": float("nan")}, BadSamplingRate),
        ({"fs": None}, BadSamplingRate),
        ({"unit": "mm"}, BadUnit),
    ],
)
def test_impossible_records(changes, error):
    with pytest.raises(error):
        two(**changes)


def test_time_by_lead_is_refused_with_what_to_do():
    with pytest.raises(ShapeError, match="pass signal.T"):
        Record(signal=np.ones((500, 12)), fs=500)


def test_the_given_array_is_copied_and_the_signal_is_frozen():
    values = np.zeros((2, 4), np.float32)
    record = two(signal=values)
    values[:] = 7
    assert (record.signal == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        record.signal[0, 0] = 1


def test_a_frozen_signal_is_shared_not_copied():
    record = two()
    assert record.with_(name="x").signal is record.signal
    view = record.signal[:, 1:]  # a view of something frozen is not its own
    assert two(signal=view).signal is not view


def test_leads_by_name():
    record = Record(signal=np.arange(12.0)[:, None] * np.ones((1, 3)), fs=500, leads=[lead.lower() for lead in LEADS])
    assert record.leads == LEADS and record.lead("avf")[0] == 5
    assert record.pick(("V6", "X")).signal[0, 0] == 11 and np.isnan(record.pick(("V6", "X")).signal[1]).all()
    with pytest.raises(LeadMissing, match="Did you mean 'aVF'"):
        record.lead("aVFF")
    assert canonical_lead(" v1 ") == "V1" and canonical_lead("MLII") == "MLII"


def test_marks_and_beats_are_shown_in_short():
    n = 5000
    symbol = ("N",) * (n - 3) + ("V", "V", "A")
    assert repr(Annotations(np.arange(n), symbol, (None,) * n, ("",) * n)) == "Annotations(5000 marks: N 4997, V 2, A 1)"
    assert repr(Beats(np.arange(n), symbol)) == "Beats(5000 beats: N 4997, V 2, A 1)"
    assert repr(Annotations(np.arange(0), (), (), ())) == "Annotations(0 marks)"
    assert repr(Beats(range(9), "ABCDEFGHI")) == "Beats(9 beats: A 1, B 1, C 1, D 1, E 1, F 1, …)"


def test_goes_through_pickle():
    record = two(patient=Patient("1", 50, "male"), header={"Dx": "1"})
    again = pickle.loads(pickle.dumps(record))
    np.testing.assert_array_equal(again.signal, record.signal)
    assert (again.leads, again.patient, dict(again.header)) == (record.leads, record.patient, {"Dx": "1"})
    with pytest.raises(TypeError):
        again.header["Dx"] = "2"


def test_unpickled_signal_is_frozen_too():
    again = pickle.loads(pickle.dumps(two()))
    with pytest.raises(ValueError, match="read-only"):
        again.signal[0, 0] = 1
