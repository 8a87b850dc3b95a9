"""P waves that no QRS follows: what speaks of the rhythm counts them, what speaks of the baseline leaves them out."""

import numpy as np
import pytest

from ecgprior.physiology.features.measure import measure
from ecgprior.record.beats import Delineation

# QRS every 640 samples, each with a P at −80; another P half way: a block of 2:1. 500 Hz.
BLOCK = {"n": 7, "rr": 640, "lone": tuple(150 - 80 + 320 + 640 * k for k in range(6))}


def test_a_block_of_two_to_one_is_no_dissociation(boxes):
    """The time from each second P to the next QRS is 160 ms; from the others it would be 800."""
    features = measure(*boxes(**BLOCK))
    assert features["av_dissociation"] == 0
    assert features["lone_p_share"] == pytest.approx(6 / 13) and features["pp_ms"] == 640


def test_lone_p_waves_are_no_f_waves(boxes):
    plain, found = boxes(**BLOCK)
    signal = plain.signal.copy()
    for at in BLOCK["lone"]:
        signal[:, at - 20 : at + 20] += 0.2
    features = measure(plain.with_(signal=signal), found)
    assert features["f_wave_mv"] == pytest.approx(measure(plain, found)["f_wave_mv"], abs=0.001)
    unmarked = measure(plain.with_(signal=signal), Delineation(found.leads, found.points, found.global_))
    assert unmarked["f_wave_mv"] > 0.02, "so they would be, if they were not marked"


def test_a_lone_p_that_is_only_seen_in_a_lead_is_no_fault(boxes):
    """Marks of one's own may leave the global one out."""
    record, found = boxes(**BLOCK)
    lone = found.lone_p.copy()
    lone[-1, 2] = np.nan
    features = measure(record, Delineation(found.leads, found.points, found.global_, lone))
    assert np.isfinite(features["f_wave_mv"]) and features["lone_p_share"] == pytest.approx(5 / 12)


def test_p_waves_without_any_qrs_are_measured_and_reasons_are_true(boxes):
    record, found = boxes(r_at=[], lone=(100, 500, 900))
    features = measure(record, found)
    assert features["lone_p_share"] == 1 and features["pp_ms"] == 800
    assert np.isnan(features["av_dissociation"]) and features.reasons["av_dissociation"] == "too few beats"
    one = measure(*boxes(r_at=[], lone=(100,)))
    assert np.isnan(one["pp_ms"]) and one.reasons["pp_ms"] == "too few beats"
