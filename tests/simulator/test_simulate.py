"""The simulator's promises: the same ECG for the same number, Einthoven after noise, and a truth that is true."""

import numpy as np
import pytest

from ecgprior.errors import BadSamplingRate, RecipeError, RecordTooShort, UnknownName
from ecgprior.simulator import simulate as module
from ecgprior.simulator.causes import CODES
from ecgprior.simulator.simulate import patient_of, simulate


def mixed(n=46, **more):
    return list(simulate(n, seed=8, **more))


def same(a, b):
    return (
        np.array_equal(a.record.signal, b.record.signal)
        and a.labels == b.labels
        and a.record.patient == b.record.patient
        and np.array_equal(a.delineation.points, b.delineation.points, equal_nan=True)
        and np.array_equal(list(a.truth.values()), list(b.truth.values()), equal_nan=True)
    )


def test_an_ecg_does_not_depend_on_how_many_are_made_with_it(monkeypatch):
    usual = mixed(40)
    assert all(map(same, usual[:7], mixed(7)))
    for size in (1, 5, 64):
        monkeypatch.setattr(module, "_BATCH", size)
        assert all(map(same, usual, mixed(40)))


def test_another_seed_is_another_ecg():
    a, b = next(simulate(1, seed=1)), next(simulate(1, seed=2))
    assert not np.array_equal(a.record.signal, b.record.signal)


@pytest.mark.parametrize("noise", [0.0, 1.0, 5.0])
def test_einthoven_and_goldberger_hold_to_the_rounding_of_float32(noise):
    for ecg in mixed(12, noise=noise):
        lead = {name: ecg.record.lead(name).astype(float) for name in ecg.record.leads}
        size = max(np.abs(x).max() for x in lead.values())
        for residual in (
            lead["II"] - lead["I"] - lead["III"],
            lead["aVR"] + (lead["I"] + lead["II"]) / 2,
            lead["aVL"] - lead["I"] + lead["II"] / 2,
            lead["aVF"] - lead["II"] + lead["I"] / 2,
        ):
            assert np.abs(residual).max() <= 4 * np.finfo(np.float32).eps * size


def test_shapes_rates_and_lengths():
    for fs, seconds in ((500, 10), (100, 10), (250, 7.3), (1000, 5)):
        ecg = next(simulate(1, fs=fs, seconds=seconds, seed=4))
        assert ecg.record.signal.shape == (12, round(fs * seconds)) and ecg.record.fs == fs
        assert np.isfinite(ecg.record.signal).all()
        assert len(ecg.beats) == len(ecg.delineation) >= 3


def test_the_heart_is_the_same_at_another_rate():
    for a, b in zip(simulate(8, seed=3, noise=0, fs=500), simulate(8, seed=3, noise=0, fs=100)):
        assert a.labels == b.labels
        np.testing.assert_allclose(a.record.signal[:, ::5][:, 5:-5], b.record.signal[:, 5:-5], atol=2e-3)
        assert abs(a.truth["qt_ms"] - b.truth["qt_ms"]) < 15


def test_beats_lie_on_the_largest_deflection_and_rate_is_theirs():
    for ecg in mixed(20, noise=0, causes=["NORM"]):
        rr_s = np.diff(ecg.beats.sample) / 500
        assert ecg.truth["rate_bpm"] == pytest.approx(60 / rr_s.mean())
        size = np.abs(ecg.record.signal).sum(0)
        for sample in ecg.beats.sample:
            around = size[max(sample - 20, 0) : sample + 21]
            assert size[sample] > 0.9 * around.max()


def test_fiducials_are_in_order_and_agree_with_the_truth():
    for ecg in mixed(46):
        points, n = ecg.delineation.points, ecg.record.n_samples
        for marks in (points, ecg.delineation.global_):
            onset, peak, offset = np.moveaxis(marks, -1, 0)
            with np.errstate(invalid="ignore"):
                assert not ((onset > peak) | (peak > offset)).any()
                assert not ((marks < 0) | (marks > n - 1)).any()
        usual = np.array([kind == "N" for kind in ecg.beats.kind])
        qrs = ecg.delineation.interval("QRS", "onset", "QRS", "offset")[usual]
        assert np.nanmedian(qrs) * 2 == pytest.approx(ecg.truth["qrs_ms"], rel=0.2)


def test_no_p_in_fibrillation_nor_before_a_premature_beat():
    for ecg in simulate(6, seed=2, causes=["AF"]):
        assert np.isnan(ecg.delineation.points[:, :, 0]).all() and np.isnan(ecg.truth["pr_ms"])
    for ecg in simulate(6, seed=2, causes=["PVC"]):
        odd = np.array([kind == "V" for kind in ecg.beats.kind])
        assert odd.any() and not odd.all()
        p = ecg.delineation.global_[:, 0, 1]
        assert np.isnan(p[odd]).all() and not np.isnan(p[~odd][1:]).any()


def test_truth_is_what_a_ruler_finds_in_a_clean_ecg():
    for ecg in simulate(10, seed=6, causes=["NORM"], noise=0):
        beat = ecg.beats.sample[3]
        for lead in ("II", "V2", "V5"):
            x = ecg.record.lead(lead)
            level = x[int(ecg.delineation.global_[3, 1, 0]) - 4]
            qrs = x[beat - 30 : beat + 35] - level
            for height, key in ((qrs.max(), "r"), (qrs.min(), "s")):
                true = ecg.truth[f"{key}_{lead}_mv"]
                assert abs(height - true) < 0.1 + 0.1 * abs(true)  # breathing, and the end of P under QRS


def test_normals_are_normal_in_their_truth():
    for ecg in simulate(60, seed=12, causes=["NORM"]):
        truth = ecg.truth
        assert 44 < truth["rate_bpm"] < 106 and 100 < truth["pr_ms"] < 225
        assert 60 < truth["qrs_ms"] < 122 and 330 < truth["qtc_ms"] < 465
        assert truth["sokolow_mv"] < 3.65


def test_a_mixture_holds_every_cause_and_its_prevalence_is_sane():
    ecgs = mixed(500, fs=100, seconds=5)
    counts = {code: sum(code in ecg.labels for ecg in ecgs) for code in CODES}
    assert all(count >= 4 for count in counts.values()), counts
    assert 0.3 < counts["NORM"] / 500 < 0.65
    assert any(len(ecg.labels) > 1 for ecg in ecgs)
    assert all(ecg.labels == ("NORM",) or "NORM" not in ecg.labels for ecg in ecgs)


def test_three_of_twenty_patients_come_twice_with_the_same_heart():
    ecgs = mixed(46, fs=100, seconds=5)
    ids = [ecg.record.patient.id for ecg in ecgs]
    twice = {i for i in ids if ids.count(i) == 2}
    assert len(set(ids)) == 40 and len(twice) == 6
    first, second = ecgs[0], ecgs[20]
    assert first.record.patient == second.record.patient
    assert not np.array_equal(first.record.signal, second.record.signal)
    lasting = {"AF", "LBBB", "RBBB", "LVH", "LQT"}
    for a in range(3):
        assert lasting & set(ecgs[a].labels) == lasting & set(ecgs[20 + a].labels)
    assert [patient_of(i) for i in range(46)] == [int(i) for i in ids]


@pytest.mark.parametrize(
    "wrong, error, says",
    [
        ({"fs": 0}, BadSamplingRate, "50 to 5000"),
        ({"fs": float("nan")}, BadSamplingRate, "nan"),
        ({"seconds": 1}, RecordTooShort, "expected 5"),
        ({"seed": -1}, RecipeError, "seed"),
        ({"noise": -1}, RecipeError, "noise"),
        ({"causes": ["LBB"]}, UnknownName, "Did you mean 'LBBB'"),
        ({"causes": "AF"}, RecipeError, "write \\['AF'\\]"),
        ({"causes": []}, RecipeError, "empty list"),
        ({"causes": ["NORM", "AF"]}, RecipeError, "NORM alone"),
        ({"causes": ["LBBB", "RBBB"]}, RecipeError, "at most one"),
    ],
)
def test_impossible_wishes_are_refused_at_once(wrong, error, says):
    with pytest.raises(error, match=says):
        simulate(1, **wrong)
    with pytest.raises(RecipeError, match="n -1"):
        simulate(-1)


def test_none_are_made_when_none_are_asked_for():
    assert list(simulate(0)) == []
