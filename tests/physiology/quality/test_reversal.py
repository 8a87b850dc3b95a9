"""Exchanged limb electrodes of simulated hearts: found, named, and not seen where they are not."""

import numpy as np
import pytest

from ecgprior.physiology.quality._reversal import EXCHANGES, GRID_S, evidence, pieces
from ecgprior.physiology.quality.assess import quality
from ecgprior.record.leads import complete_leads
from ecgprior.record.record import LEADS, Record


def exchange(record: Record, name: str) -> Record:
    """The recording with two limb electrodes exchanged; chest leads do not change."""
    signal = record.signal.copy()
    signal[:2] = EXCHANGES[name] @ record.signal[:2].astype(float)
    signal[2:6] = np.nan
    return complete_leads(record.with_(signal=signal))


def test_matrices_are_what_the_electrodes_say():
    ra, la, ll = np.random.default_rng(0).normal(size=(3, 10))
    leads = lambda ra, la, ll: np.array([la - ra, ll - ra])  # noqa: E731
    right = leads(ra, la, ll)
    np.testing.assert_allclose(EXCHANGES["ra_la"] @ right, leads(la, ra, ll))
    np.testing.assert_allclose(EXCHANGES["la_ll"] @ right, leads(ra, ll, la))
    np.testing.assert_allclose(EXCHANGES["ra_ll"] @ right, leads(ll, la, ra))
    for matrix in EXCHANGES.values():
        np.testing.assert_allclose(matrix @ matrix, np.eye(2), atol=1e-12)


@pytest.mark.parametrize(("name", "said"), [("ra_la", "RA and LA"), ("ra_ll", "RA and LL")])
def test_exchanges_of_the_right_arm_are_found(clean, name, said):
    found = [quality(exchange(record, name)).findings for record in clean]
    named = [f for findings in found for f in findings if f.name == "limb-lead reversal"]
    assert len(named) >= len(clean) - 1
    assert sum(said in f.reason for f in named) >= len(clean) - 1


def test_the_right_leg_leaves_one_lead_flat(clean):
    """RA on the right leg: RA and LL have one potential, so II is flat."""
    signal = clean[0].signal.copy()
    signal[1] *= 0.02
    signal[2:6] = np.nan
    record = complete_leads(clean[0].with_(signal=signal))
    named = [f.reason for f in quality(record).findings if f.name == "limb-lead reversal"]
    assert len(named) == 1


def test_nothing_is_said_without_chest_leads_or_limb_leads(clean):
    for leads in (LEADS[:6], LEADS[6:], ("II",), ("I", "II", "V1", "V2")):
        numbers = quality(clean[0].pick(leads)).measurements
        assert np.isnan(numbers["reversal_ra_la"]), leads


def test_evidence_is_symmetric_and_zero_where_an_exchange_changes_nothing():
    """With LA and LL at one potential their exchange changes nothing; exchanging twice turns the sign."""
    rng = np.random.default_rng(1)
    waves = rng.normal(size=(4, 8, len(GRID_S)))
    about = np.array([np.cov(piece[0]) for piece in pieces(waves)])
    same = waves.copy()
    same[:, 1] = same[:, 0]
    np.testing.assert_allclose(evidence(same, about)[:, 3:6], 0, atol=1e-9)
    for row, matrix in enumerate(EXCHANGES.values()):
        turned = waves.copy()
        turned[:, :2] = matrix @ waves[:, :2]
        here = evidence(waves, about)[:, 3 * row : 3 * row + 3]
        np.testing.assert_allclose(evidence(turned, about)[:, 3 * row : 3 * row + 3], -here, atol=1e-9)
