"""What holds for every ECG: scaling, shifting, missing leads, and that nothing in a signal raises."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecgprior as ep
from ecgprior.errors import ShapeError, UnknownName
from ecgprior.physiology.features.measure import Features, measure, measure_many, per_beat, reason_text
from ecgprior.physiology.features.per_beat import QUANTITIES
from ecgprior.physiology.features.reasons import SENTENCES, Reason
from ecgprior.physiology.features.registry import FEATURES, feature_names
from ecgprior.record.beats import Delineation
from ecgprior.record.record import LEADS, Record


@pytest.fixture(scope="module")
def heart():
    return next(ep.simulate(1, seed=3, causes=["NORM"]))


def same(a: Features, b: Features, **tolerance) -> None:
    assert list(a) == list(b)
    np.testing.assert_allclose(list(a.values()), list(b.values()), **tolerance)


def test_measure_is_measure_many_of_one(heart):
    one = measure(heart.record, heart.delineation)
    values, codes = measure_many([heart.record] * 2, [heart.delineation] * 2)
    assert values.shape == codes.shape == (2, len(feature_names())) and codes.dtype == np.uint8
    np.testing.assert_array_equal(measure_many([heart.record], [heart.delineation])[0][0], list(one.values()))
    np.testing.assert_allclose(values[1], list(one.values()), rtol=1e-9)  # sums run in another order
    assert list(one) == list(feature_names())
    assert np.array_equal(np.isnan(values), codes > 0)
    assert set(one.reasons) == {name for name, value in one.items() if math.isnan(value)}


def test_none_are_measured_when_none_are_given():
    values, codes = measure_many([], [])
    assert values.shape == codes.shape == (0, len(feature_names()))


def test_a_batch_equals_its_records_one_by_one(boxes):
    ecgs = [(e.record, e.delineation) for e in ep.simulate(3, seed=4)]
    ecgs += [(e.record, e.delineation) for e in ep.simulate(2, seed=8, causes=["PVC"], seconds=6)]
    ecgs += [(e.record, e.delineation) for e in ep.simulate(2, seed=6, causes=["AF"], fs=100)]
    ecgs += [
        boxes(n=n, leads=("V2", "II", "MLII"), no_p=(1,), gone=gone) for n, gone in ((9, ()), (5, ("II",)))
    ]
    ecgs += [boxes(leads=("V2", "II", "MLII"), cut=190), boxes(r_at=[]), boxes(level=np.nan), boxes(off=-25)]
    leads = (*LEADS, "MLII")
    values, codes = measure_many(
        *zip(*(ecgs[k] for k in (7, 3, 0, 10, 9, 1, 5, 8, 2, 6, 11, 4, 12))), leads=leads
    )
    for row, k in enumerate((7, 3, 0, 10, 9, 1, 5, 8, 2, 6, 11, 4, 12)):
        one, why = measure_many(*([part] for part in ecgs[k]), leads=leads)
        np.testing.assert_array_equal(codes[row], why[0])
        np.testing.assert_allclose(values[row], one[0], rtol=1e-9, atol=1e-12)


def test_columns_are_the_leads_asked_for(heart):
    few = ("V2", "II")
    record = heart.record.pick(few)
    points = heart.delineation.points[[LEADS.index(lead) for lead in few]]
    d = Delineation(few, points, heart.delineation.global_)
    own = measure(record, d)
    assert set(own) == set(feature_names(few))
    values, codes = measure_many([record], [d])
    wide = dict(zip(feature_names(), values[0]))
    assert wide["t_amplitude_mv.V2"] == own["t_amplitude_mv.V2"]
    assert math.isnan(wide["t_amplitude_mv.V1"])
    assert codes[0][feature_names().index("t_amplitude_mv.V1")] == Reason.NO_LEAD


def test_the_table_has_unit_and_reason(heart):
    d = Delineation(LEADS, heart.delineation.points, heart.delineation.global_.copy())
    frame = measure(heart.record, d).table()
    assert frame.columns == ["name", "value", "unit", "reason"] and len(frame) == len(feature_names())
    assert frame.filter(pl.col("name") == "qt_ms")["unit"][0] == "ms"
    assert frame.filter(pl.col("value").is_null() != pl.col("reason").is_not_null()).is_empty()
    assert frame["value"].is_nan().sum() == 0


def test_an_unknown_feature_names_the_nearest(heart):
    features = measure(heart.record, heart.delineation)
    with pytest.raises(UnknownName, match="Did you mean 'qrs_ms'"):
        features["qrs_mss"]
    assert "qrs_ms" in features and "nothing" not in features
    assert repr(features).startswith("Features(")


def test_other_leads_than_the_records_are_refused(heart):
    with pytest.raises(ShapeError, match="expected the record's leads"):
        measure(heart.record.pick(["I", "II"]), heart.delineation)


def test_every_reason_has_a_sentence():
    assert set(SENTENCES) == set(Reason)
    assert reason_text("rr_cv", Reason.IMPLAUSIBLE) == "implausible: outside 0 to 3"


@pytest.mark.parametrize(("factor", "unit"), [(1000.0, "uV"), (0.001, "V")])
def test_another_unit_than_mv_is_the_reason_of_every_value(heart, factor, unit):
    other = heart.record.with_(signal=heart.record.signal * np.float32(factor))
    values, codes = measure_many([heart.record, other], [heart.delineation] * 2)
    assert np.isfinite(values[0]).any() and np.isnan(values[1]).all() and (codes[1] == Reason.UNIT).all()
    found = ep.measure(other)
    assert set(found.reasons) == set(found) and all(math.isnan(value) for value in found.values())
    assert all(f"pass unit='{unit}'" in reason for reason in found.reasons.values())


def test_low_voltage_is_measured(heart):
    low = heart.record.with_(signal=heart.record.signal / np.float32(8))
    whole, low = measure(heart.record, heart.delineation), measure(low, heart.delineation)
    assert low["qrs_ms"] == whole["qrs_ms"] and low["r_amplitude_mv.V5"] > 0
    assert Reason.UNIT not in measure_many([heart.record], [heart.delineation])[1]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_scaled_signal_scales_amplitudes_and_keeps_intervals(factor):
    ecg = next(ep.simulate(1, seed=5, causes=["NORM"], noise=0))
    scaled = ecg.record.with_(signal=ecg.record.signal * np.float32(factor))
    a, b = measure(ecg.record, ecg.delineation), measure(scaled, ecg.delineation)
    for name in a:
        unit = FEATURES[name.partition(".")[0]].unit
        intervals = "_ms" in name and not name.startswith(("q_", "r_", "s_"))
        if name.startswith(("r_amplitude_mv", "t_amplitude_mv", "p_amplitude_mv", "st_j")) and not math.isnan(
            a[name]
        ):
            assert b[name] == pytest.approx(factor * a[name], abs=1e-4), name
        if (
            (intervals or unit == "deg" or name == "rate_bpm")
            and not math.isnan(a[name])
            and not math.isnan(b[name])
        ):
            assert b[name] == pytest.approx(a[name], abs=1e-2), name


def test_a_shift_in_time_changes_nothing(heart):
    shift = 37
    moved = np.concatenate([heart.record.signal[:, :1].repeat(shift, 1), heart.record.signal], axis=1)
    d = Delineation(LEADS, heart.delineation.points + shift, heart.delineation.global_ + shift)
    a, b = measure(heart.record, heart.delineation), measure(heart.record.with_(signal=moved), d)
    loose = (
        "p_presence",
        "beat_correlation",
        "f_wave",
    )  # which look at the record's beginning, or at its grid
    for name in a:
        if not name.startswith(loose):
            assert b[name] == pytest.approx(a[name], rel=1e-6, abs=1e-6, nan_ok=True), name


def test_a_constant_on_every_lead_changes_nothing(heart):
    a = measure(heart.record, heart.delineation)
    b = measure(heart.record.with_(signal=heart.record.signal + np.float32(3)), heart.delineation)
    intervals = [name for name in a if FEATURES[name.partition(".")[0]].unit in ("ms", "1", "bpm")]
    for name in (*intervals, "sokolow_lyon_mv", "t_amplitude_mv.V3", "st_j60_mv.II"):
        assert b[name] == pytest.approx(a[name], abs=5e-3 * max(1, abs(a[name])), nan_ok=True), name


def test_slow_wander_moves_st_and_t_by_little(heart):
    clean = next(ep.simulate(1, seed=3, causes=["NORM"], noise=0))
    time = np.arange(clean.record.n_samples) / clean.record.fs
    wander = (0.5 * np.sin(2 * np.pi * 0.25 * time)).astype(np.float32)
    a = measure(clean.record, clean.delineation)
    b = measure(clean.record.with_(signal=clean.record.signal + wander), clean.delineation)
    for lead in LEADS:
        for name in ("r_amplitude_mv", "t_amplitude_mv", "st_j_mv", "st_j60_mv"):
            assert abs(a[f"{name}.{lead}"] - b[f"{name}.{lead}"]) < 0.08, (name, lead)


def test_fibrillation_is_absent_p_not_unmeasurable_rhythm():
    ecg = next(ep.simulate(1, seed=2, causes=["AF"]))
    features = measure(ecg.record, ecg.delineation)
    assert features["p_presence"] == 0 and math.isnan(features["pr_ms"])
    assert features.reasons["pr_ms"] == features.reasons["p_axis_deg"] == "no P wave"
    assert features["rr_cv"] > 0.08 and features["rate_bpm"] > 0


def test_premature_beats_do_not_enter_the_medians():
    ecg = next(ep.simulate(1, seed=9, causes=["PVC"], noise=0))
    features = measure(ecg.record, ecg.delineation)
    assert features["ectopic_share"] == pytest.approx(np.mean([kind == "V" for kind in ecg.beats.kind]))
    assert features["qrs_ms"] == pytest.approx(ecg.truth["qrs_ms"], abs=1)


@pytest.mark.parametrize("fs", [100, 250, 500, 1000])
def test_sampling_rate_matters_little(fs):
    ecg = next(ep.simulate(1, seed=12, causes=["NORM"], fs=fs))
    features = measure(ecg.record, ecg.delineation)
    assert features["qrs_ms"] == pytest.approx(ecg.truth["qrs_ms"], abs=2)
    assert features["r_amplitude_mv.V5"] == pytest.approx(ecg.truth["r_V5_mv"], rel=0.15)
    assert features["t_amplitude_mv.V3"] == pytest.approx(ecg.truth["t_V3_mv"], abs=0.08)


def test_per_beat_values_have_one_column_a_beat(heart):
    found = per_beat(heart.record, heart.delineation)
    n = len(heart.delineation)
    assert found["usual"].shape == found["rr_ms"].shape == (n,) and math.isnan(found["rr_ms"][0])
    for name in QUANTITIES:
        assert found[name].shape == (n,) and found[f"{name}.leads"].shape == (12, n)
    assert np.nanmedian(found["qt_ms"]) == pytest.approx(heart.truth["qt_ms"], abs=2)


def test_a_long_record_is_measured_in_blocks(boxes):
    record, d = boxes(n=2100, rr=300, leads=("II",), p_on=-80, p_off=-50)
    features = measure(record, d)
    assert features["n_beats"] == 2100 and features["qrs_ms"] == pytest.approx(100)
    assert features["t_amplitude_mv.II_".rstrip("_")] == pytest.approx(0.3, abs=1e-5)


EDGE = [math.nan, math.inf, -math.inf, 0.0, 1e-30, 1e30, -1e30]


def test_a_record_of_one_step_has_no_f_waves():
    points = np.zeros((1, 2, 3, 3))
    points[:, 1] = 40.0
    features = measure(
        Record(np.ones((1, 9), np.float32), 360.0, ("II",)), Delineation(("II",), points, points[0])
    )
    assert math.isnan(features["f_wave_hz"])


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_leads=st.integers(1, 12),
    n_beats=st.integers(0, 7),
    n_samples=st.integers(1, 900),
    fs=st.sampled_from([0.5, 50.0, 100.0, 360.0, 500.0, 1000.0]),
    holes=st.floats(0, 1),
    odd=st.sampled_from(EDGE),
)
def test_no_signal_and_no_delineation_raises(seed, n_leads, n_beats, n_samples, fs, holes, odd):
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, rng.choice([0, 1e-4, 1, 50]), (n_leads, n_samples)).astype(np.float32)
    signal[rng.random(signal.shape) < 0.1 * holes] = odd
    leads = tuple(rng.permutation(LEADS)[:n_leads])
    points = rng.uniform(-50, n_samples + 50, (n_leads + 1, n_beats, 9))
    if rng.random() < 0.7:
        points = np.sort(points.reshape(n_leads + 1, -1), axis=1).reshape(points.shape)
    points[rng.random(points.shape) < holes] = np.nan
    points = points.reshape(n_leads + 1, n_beats, 3, 3)
    features = measure(Record(signal, fs, leads), Delineation(leads, points[1:], points[0]))
    for name, value in features.items():
        low, high = FEATURES[name.partition(".")[0]].plausible
        assert (name in features.reasons) if math.isnan(value) else low <= value <= high
