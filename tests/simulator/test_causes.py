"""Each cause shows where a cardiologist would look for it (clean ECGs, medians over many hearts)."""

import numpy as np
import pytest

from ecgprior.record.record import LEADS
from ecgprior.simulator.simulate import simulate

N = 40


def truths(*causes, **more):
    made = [ecg.truth for ecg in simulate(N, seed=21, causes=list(causes), noise=0, **more)]
    return {key: np.array([truth[key] for truth in made]) for key in made[0]}


@pytest.fixture(scope="module")
def normal():
    return truths("NORM")


def late_qrs(cause, lead):
    """Lowest and highest point (N, 2) of a lead from 60 ms after the onset of QRS to its end, against its onset."""
    out = []
    for ecg in simulate(N, seed=21, causes=[cause], noise=0):
        x, (onset, _, offset) = ecg.record.lead(lead), ecg.delineation.global_[3, 1]
        late = x[int(onset) + 30 : int(offset) + 1] - x[int(onset) - 2]
        out.append((late.min(), late.max()))
    return np.array(out)


def test_normal_r_grows_from_v1_to_v5_and_avr_points_down(normal):
    r = [np.median(normal[f"r_{lead}_mv"]) for lead in ("V1", "V2", "V3", "V4")]
    assert r == sorted(r) and np.median(normal["r_V5_mv"]) > 1
    s = [np.median(normal[f"s_{lead}_mv"]) for lead in ("V2", "V3", "V4", "V5", "V6")]
    assert s == sorted(s)
    assert (-normal["s_aVR_mv"] > normal["r_aVR_mv"]).mean() > 0.95
    for lead in ("I", "II", "V4", "V5", "V6"):
        assert (normal[f"t_{lead}_mv"] > 0).mean() > 0.9
    assert (normal["t_aVR_mv"] < 0).mean() > 0.9 and (normal["p_ii_mv"] > 0).mean() > 0.9


def test_left_block_is_wide_negative_in_v1_and_without_s_in_v6():
    block = truths("LBBB")
    assert ((block["qrs_ms"] > 120) & (block["qrs_ms"] < 180)).all()
    assert (-block["s_V1_mv"] > 2 * block["r_V1_mv"]).mean() > 0.9
    assert (block["r_V6_mv"] > -3 * block["s_V6_mv"]).mean() > 0.85
    assert (block["t_V6_mv"] < 0).mean() > 0.7 and (block["t_V1_mv"] > 0).mean() > 0.9


def test_right_block_ends_to_the_right_and_front():
    block = truths("RBBB")
    assert ((block["qrs_ms"] > 112) & (block["qrs_ms"] < 175)).all()
    assert (late_qrs("RBBB", "V1")[:, 1] > 0.15).mean() > 0.9
    assert (late_qrs("RBBB", "V6")[:, 0] < -0.1).mean() > 0.85
    assert np.median(block["t_V1_mv"]) < 0


def test_hypertrophy_has_its_voltage_and_others_have_not(normal):
    thick = truths("LVH")
    assert (thick["sokolow_mv"] > 3.45).all()
    assert (normal["sokolow_mv"] < 3.65).all()
    assert np.median(thick["t_V6_mv"]) < 0.6 * np.median(normal["t_V6_mv"])


def test_long_qt_is_long_and_nothing_else(normal):
    long = truths("LQT")
    assert (long["qtc_ms"] > 465).all() and (normal["qtc_ms"] < 465).all()
    np.testing.assert_allclose(long["qrs_ms"], normal["qrs_ms"], rtol=0.05)


@pytest.mark.parametrize("territory, leads", [("A", ("V2", "V3")), ("I", ("II", "III", "aVF")), ("L", ("I", "V5", "V6"))])
def test_st_moves_in_its_territory(normal, territory, leads):
    up, down = truths(f"STE-{territory}"), truths(f"STD-{territory}")
    for lead in leads:
        usual = np.median(normal[f"st_{lead}_mv"])
        assert np.median(up[f"st_{lead}_mv"]) > usual + 0.08
        assert np.median(down[f"st_{lead}_mv"]) < usual - 0.05
    against = {"A": "aVR", "I": "aVL", "L": "III"}[territory]
    assert np.median(up[f"st_{against}_mv"]) < np.median(normal[f"st_{against}_mv"]) + 0.02


def test_fibrillation_is_irregular_and_shows_f_waves(normal):
    flutter = truths("AF")
    assert np.median(flutter["rr_sd_ms"]) > 3 * np.median(normal["rr_sd_ms"])
    quiet = {}
    for cause in ("NORM", "AF"):
        sizes = []
        for ecg in simulate(N, seed=21, causes=[cause], noise=0):
            end = int(ecg.delineation.global_[2, 2, 2]) + 10
            sizes.append(np.std(ecg.record.lead("V1")[end : end + 60]))
        quiet[cause] = np.median(sizes)
    assert quiet["AF"] > 4 * quiet["NORM"]


def test_premature_beats_are_early_wide_and_followed_by_a_pause():
    for ecg in simulate(15, seed=5, causes=["PVC"], noise=0):
        kind, rr = np.array(ecg.beats.kind), np.diff(ecg.beats.sample) / 500
        width = ecg.delineation.interval("QRS", "onset", "QRS", "offset") * 2
        usual = np.nanmedian(width[kind == "N"])
        for k in np.flatnonzero(kind == "V"):
            if 2 <= k < len(kind) - 2 and not (kind[[k - 2, k - 1, k + 1]] == "V").any():
                assert rr[k - 1] < 0.85 * rr[k - 2] and rr[k] > 1.1 * rr[k - 2]
                assert rr[k - 1] + rr[k] == pytest.approx(2 * rr[k - 2], rel=0.25)
                assert np.isnan(width[k]) or width[k] > usual + 25


def test_combined_causes_each_show():
    both = truths("AF", "RBBB")
    assert np.isnan(both["pr_ms"]).all() and (both["qrs_ms"] > 112).all()


def test_nine_leads_of_qrs_stay_within_what_bodies_show(normal):
    for lead in LEADS:
        assert normal[f"r_{lead}_mv"].max() < 4 and normal[f"s_{lead}_mv"].min() > -4
