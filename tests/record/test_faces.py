"""A record, a path and an array with its rate are the same to every public function of one ECG."""

import inspect

import numpy as np
import pytest

import ecgprior as ep
from ecgprior.errors import BadSamplingRate, ReadError
from ecgprior.record import filters, leads
from ecgprior.record.formats import wfdb

SETTINGS = {
    "complete_leads": (),
    "check_leads": (),
    "remove_baseline": (0.7,),
    "remove_mains": (60.0,),
    "crop": (0.5, 1.0),
    "resample": (100,),
}


@pytest.fixture(scope="module")
def ecg():
    signal = np.random.default_rng(0).normal(0, 0.3, (12, 1000)).round(3).astype(np.float32)
    return ep.Record(signal=signal, fs=500, leads=ep.LEADS, name="a")


def same(a, b):
    if isinstance(a, ep.Record):
        assert a.leads == b.leads and a.fs == b.fs
        np.testing.assert_allclose(a.signal, b.signal, atol=1e-4)
    else:
        assert a.ok == b.ok and a.residual_mv == pytest.approx(b.residual_mv, abs=1e-4)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_record_a_path_and_an_array(name, ecg, tmp_path):
    inside = getattr(leads, name, None) or getattr(filters, name)
    wanted = inside(ecg, *SETTINGS[name])
    function = getattr(ep, name)
    wfdb.write(ecg, tmp_path / "a")
    same(function(ecg, *SETTINGS[name]), wanted)
    same(function(tmp_path / "a", *SETTINGS[name]), wanted)
    same(function(str(tmp_path / "a.hea"), *SETTINGS[name]), wanted)
    same(function(ecg.signal, *SETTINGS[name], fs=500), wanted)
    micro = np.asarray(ecg.signal) * 1000
    same(function(micro, *SETTINGS[name], fs=500, leads=ecg.leads, unit="uV"), wanted)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_array_without_a_rate_and_a_path_without_a_file_are_said(name, ecg, tmp_path):
    function = getattr(ep, name)
    with pytest.raises(BadSamplingRate, match="expected fs= to be given"):
        function(ecg.signal, *SETTINGS[name])
    with pytest.raises(ReadError, match="there is no file"):
        function(tmp_path / "b.csv", *SETTINGS[name])


def test_help_names_what_an_array_needs():
    for name in SETTINGS:
        assert {"fs", "leads", "unit"} <= set(inspect.signature(getattr(ep, name)).parameters)


def test_resample_takes_the_wanted_rate_by_name_too(ecg):
    assert ep.resample(ecg, fs=100).fs == 100
    with pytest.raises(TypeError, match="the wanted rate"):
        ep.resample(ecg)


@pytest.mark.parametrize("name", [*list(SETTINGS)[:-1], "detect_beats", "delineate", "measure"])
def test_help_says_what_may_be_given(name):
    said = getattr(ep, name).__doc__
    assert all(word in said for word in ("a path, or an array", "`fs`", "`leads`", "`unit`"))
