"""Limb leads: what is computed, and which faults the equations name."""

import numpy as np
import pytest

from ecgprior.record.leads import check_leads, complete_leads
from ecgprior.record.record import LEADS, Record


def heart(n=2000, seed=0):
    """A crude dipole: two independent limb leads with narrow waves, and chest leads."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 500
    phase = (t * 1.2) % 1
    waves = [np.exp(-0.5 * ((phase - c) / w) ** 2) for c, w in ((0.2, 0.025), (0.37, 0.008), (0.4, 0.01), (0.65, 0.05))]
    signal = rng.normal(0, 1, (8, 4)) @ np.array(waves) + rng.normal(0, 0.004, (8, n))
    record = Record(signal=signal, fs=500, leads=("I", "II", *LEADS[6:]))
    return complete_leads(record)


def relabelled(record, **names):
    return record.with_(leads=[names.get(lead, lead) for lead in record.leads])


def scaled(record, **factors):
    column = np.array([[factors.get(lead, 1.0)] for lead in record.leads], np.float32)
    return record.with_(signal=record.signal * column)


def test_complete_fills_the_four_and_keeps_order():
    record = Record(signal=[[1.0, 2], [3.0, 5], [9.0, 9]], fs=500, leads=["II", "I", "vx"])
    full = complete_leads(record)
    assert full.leads == (*LEADS, "vx")
    assert full.lead("III").tolist() == [-2, -3]
    assert full.lead("aVR").tolist() == [-2, -3.5]
    assert full.lead("aVL").tolist() == [2.5, 4]
    assert full.lead("aVF").tolist() == [-0.5, -0.5]
    assert np.isnan(full.lead("V1")).all() and full.lead("vx").tolist() == [9, 9]


def test_complete_makes_nothing_up():
    one = complete_leads(Record(signal=[[1.0, 2]], fs=500, leads=["II"]))
    assert np.isnan(one.signal[[0, 2, 3, 4, 5]]).all() and one.lead("II").tolist() == [1, 2]


def test_complete_keeps_recorded_leads_that_contradict():
    record = Record(signal=[[1.0, 2], [3.0, 5], [7.0, 7]], fs=500, leads=["I", "II", "III"])
    assert complete_leads(record).lead("III").tolist() == [7, 7]


def test_complete_fills_an_all_nan_lead_but_not_a_gap():
    signal = np.ones((12, 4), np.float32)
    signal[2] = np.nan
    signal[3, 1] = np.nan
    full = complete_leads(Record(signal=signal, fs=500))
    assert full.lead("III").tolist() == [0, 0, 0, 0]
    assert np.isnan(full.lead("aVR")).tolist() == [False, True, False, False]


def test_a_whole_record_is_handed_back_as_it_is():
    record = heart()
    assert complete_leads(record) is record


def test_good_leads_pass_with_rounding_and_level():
    record = heart()
    assert check_leads(record).ok
    rounded = record.with_(signal=np.round(record.signal / 0.005) * 0.005)
    assert check_leads(rounded).ok
    level = record.with_(signal=record.signal + np.arange(12, dtype=np.float32)[:, None])
    assert check_leads(level).ok


@pytest.mark.parametrize("pair", [("aVL", "aVF"), ("aVR", "aVL"), ("I", "II"), ("II", "III"), ("I", "III")])
def test_exchanged_labels_are_named(pair):
    a, b = pair
    check = check_leads(relabelled(heart(), **{a: b, b: a}))
    assert check.ok is False and check.residual_mv > 0.05
    assert check.finding == f"the labels {a} and {b} are exchanged"


def test_three_labels_in_a_circle():
    check = check_leads(relabelled(heart(), aVR="aVL", aVL="aVF", aVF="aVR"))
    assert check.ok is False and "aVR, aVL, aVF are exchanged" in check.finding


@pytest.mark.parametrize("lead", LEADS[:6])
@pytest.mark.parametrize(("factor", "mend"), [(2.0, "0.5"), (0.25, "4")])
def test_one_wrong_gain_is_named_with_its_factor(lead, factor, mend):
    check = check_leads(scaled(heart(), **{lead: factor}))
    assert check.ok is False
    assert check.finding == f"lead {lead} has another gain than the rest: multiply it by {mend}"


@pytest.mark.parametrize("lead", LEADS[:6])
def test_a_lead_upside_down(lead):
    assert check_leads(scaled(heart(), **{lead: -1.0})).finding == f"lead {lead} is upside down"


def test_all_gains_different():
    record = scaled(heart(), I=1.5, II=0.7, III=2.1, aVR=0.9, aVL=1.2, aVF=3.0)
    check = check_leads(record)
    assert check.ok is False and "different gains: against I" in check.finding
    assert "II × 2.14" in check.finding and "aVF × 0.5" in check.finding


def test_noise_has_no_single_explanation():
    rng = np.random.default_rng(1)
    check = check_leads(Record(signal=rng.normal(0, 1, (12, 1000)), fs=500))
    assert check.ok is False and "no single fault" in check.finding


def test_single_damaged_samples_do_not_condemn():
    record = heart()
    signal = record.signal.copy()
    signal[1, [100, 900, 1500]] += 8
    assert check_leads(record.with_(signal=signal)).ok


@pytest.mark.parametrize("leads", [("II",), ("I", "II"), ("V1", "V2"), ("I", "V1", "aVF")])
def test_too_few_limb_leads_to_say(leads):
    check = check_leads(heart().pick(leads).with_())
    assert check.ok is None and np.isnan(check.residual_mv) and check.finding == ""


def test_three_leads_are_enough():
    assert check_leads(heart().pick(("I", "II", "III"))).ok
    assert check_leads(heart().pick(("aVR", "aVL", "aVF"))).ok
    assert check_leads(heart().pick(("I", "II", "aVF"))).ok


def test_flat_and_nan_leads_do_not_crash():
    assert check_leads(Record(signal=np.zeros((12, 10)), fs=500)).ok
    assert check_leads(Record(signal=np.full((12, 10), np.nan), fs=500)).ok is None
    assert check_leads(Record(signal=np.ones((12, 1)), fs=500)).ok
