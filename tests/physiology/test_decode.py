"""The decoder: true waves come back from their own probabilities, whatever else it is shown stays ordered."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.physiology.decode import decode
from ecgprior.physiology.rules import RULES
from ecgprior.record.filters import resample_array
from ecgprior.simulator.simulate import simulate

N = 1250  # outputs of 10 s
P, QRS, T = 0, 1, 2
NO_T = replace(RULES, alone_bpm=0.0, t_share=0.0)  # for beats that are drawn without a T wave


def probabilities(points, n=N, fs=250.0, noise=0.0, seed=0):
    """(L, 4, n): one-hot of the true waves at 125 Hz, smoothed over three outputs, with noise on the log scale."""
    at = (2 * np.arange(n) + 0.5) * (fs / 250)
    onset, offset = points[..., 0], points[..., 2]
    there = np.isfinite(onset) | np.isfinite(offset)
    onset, offset = np.nan_to_num(onset, nan=-1e9), np.nan_to_num(offset, nan=1e9)
    inside = there[..., None] & (at >= onset[..., None]) & (at <= offset[..., None])
    hot = inside.any(axis=1).astype(np.float64)
    hot = np.concatenate([1 - hot.max(axis=1, keepdims=True), hot], axis=1)
    wide = np.pad(hot, ((0, 0), (0, 0), (1, 1)), mode="edge")
    soft = (wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]) / 3 + 1e-3
    if noise:
        soft = soft * np.exp(noise * np.random.default_rng(seed).standard_normal(soft.shape))
    return (soft / soft.sum(axis=1, keepdims=True)).astype(np.float32)


def scene(n_leads=12, r=(500, 700, 900), p=(-45, -35, -20), t=(40, 60, 85), qrs=(-10, 0, 10)):
    """Points (L, K, 3, 3) at 250 Hz around each R; all leads alike."""
    wave = np.array([p, qrs, t], float)
    points = np.array(r, float)[:, None, None] + wave
    return np.broadcast_to(points, (n_leads, *points.shape)).copy()


def traces(points, n=2 * N):
    """A triangle for each wave, with the peak where `points` has it."""
    signal = np.zeros((len(points), n), np.float32)
    for lead, beat, wave in np.ndindex(points.shape[:3]):
        onset, peak, offset = points[lead, beat, wave]
        if np.isfinite(onset + peak + offset):
            signal[lead] += np.interp(np.arange(n), [onset, peak, offset], [0, 1, 0], left=0, right=0)
    return signal


def check_order(found):
    """What holds in every lead and over all leads, for anything that is found."""
    assert np.isfinite(found.global_[:, QRS, 1]).all() and (np.diff(found.global_[:, QRS, 1]) > 0).all()
    for rows in (*found.points, found.global_):
        marks = rows.reshape(-1)
        marks = marks[np.isfinite(marks)]
        assert (np.diff(marks) >= 0).all()
    both = np.concatenate(
        [found.points.reshape(-1, 3), found.global_.reshape(-1, 3), found.lone_p.reshape(-1, 3)]
    )
    with np.errstate(invalid="ignore"):
        assert not (both[:, 0] >= both[:, 1]).any() and not (both[:, 1] >= both[:, 2]).any()
    seen = np.isfinite(found.points).any(axis=(0, -1))
    assert np.array_equal(seen, np.isfinite(found.global_).any(axis=-1))


@pytest.mark.parametrize("noise, limit_ms", [(0.0, 3.5), (1.0, 8.0)])
def test_simulated_hearts_come_back(noise, limit_ms):
    errors, there, found_there = [], 0, 0
    for ecg in simulate(20, seed=7, noise=0):
        truth = ecg.delineation
        signal = resample_array(ecg.record.signal, 500, 250)
        found = decode(probabilities(truth.points, fs=500, noise=noise), signal, fs=500)
        check_order(found)
        near = np.abs(found.global_[:, QRS, 1][:, None] - ecg.beats.sample)
        assert (
            len(found.global_) == len(ecg.beats) and near.min(axis=0).max() < 40
        )  # samples: 80 ms of a wide QRS
        errors.append(2 * (found.points - truth.points).reshape(-1, 3))
        real = np.isfinite(truth.points[..., [0, 2]]).any(axis=-1)
        got = np.isfinite(found.points[..., [0, 2]]).any(axis=-1)
        there, found_there = there + real.sum(), found_there + (real & got).sum()
        assert not (got & ~real).any()
    errors = np.concatenate(errors)[:, [0, 2]]
    assert found_there / there > 0.995
    assert np.nanstd(errors) < limit_ms and abs(np.nanmean(errors)) < 1


def test_a_boundary_between_two_outputs_is_found_to_a_fraction():
    points = scene(1, t=(40.5, 60, 88.5))
    p = probabilities(points)
    crossing = int(
        (500 + 40.5 - 0.5) / 2
    )  # the T class is at 2/3, 1/3 … around here: move the crossing by hand
    p[0, 3, crossing - 1 : crossing + 1] = 0.4, 0.9
    p[0, 0, crossing - 1 : crossing + 1] = 0.6, 0.1
    found = decode(p, traces(points))
    top = p[0, 3, crossing : crossing + 30].max()
    expected = 2 * (crossing - 1 + (top / 2 - 0.4) / 0.5) + 0.5
    assert found.points[0, 0, T, 0] == pytest.approx(expected, abs=1e-3)


def test_one_lead_alone_is_enough():
    found = decode(probabilities(scene(1)), traces(scene(1)))
    assert found.points.shape == (1, 3, 3, 3) and np.isfinite(found.points).all()
    np.testing.assert_allclose(found.points[0], found.global_)
    np.testing.assert_allclose(found.global_[:, QRS, 1], [500, 700, 900], atol=0.3)


def test_times_are_at_the_records_own_rate():
    p, signal = probabilities(scene()), traces(scene())
    at_250, at_1000 = decode(p, signal), decode(p, signal, fs=1000)
    np.testing.assert_allclose(at_1000.points, 4 * at_250.points)
    np.testing.assert_allclose(at_1000.global_, 4 * at_250.global_)


def test_absent_and_silent_leads_have_no_veto():
    points = scene()
    points[4:] = np.nan
    p, signal = probabilities(points), traces(points)
    found = decode(p, signal)
    assert (
        len(found.global_) == 3 and np.isfinite(found.points[:4]).all() and np.isnan(found.points[4:]).all()
    )
    p[4:] = 0.25  # noise in all others: no class wins
    assert len(decode(p, signal).global_) == 3
    points[1:] = np.nan
    mask = np.arange(12) == 0
    found = decode(probabilities(points), signal, lead_mask=mask)
    assert len(found.global_) == 3 and np.isfinite(found.points[0]).all()


def test_a_masked_lead_shows_nothing():
    found = decode(probabilities(scene(2)), traces(scene(2)), lead_mask=np.array([True, False]))
    assert np.isfinite(found.points[0]).all() and np.isnan(found.points[1]).all()
    assert len(decode(probabilities(scene(2)), traces(scene(2)), lead_mask=np.zeros(2, bool)).global_) == 0


def test_a_wave_that_one_of_twelve_leads_sees_is_dropped():
    points = scene()
    points[1:, :, P] = np.nan
    found = decode(probabilities(points), traces(points))
    assert np.isnan(found.points[:, :, P]).all() and np.isfinite(found.points[:, :, QRS:]).all()


def test_a_lead_shows_a_wave_only_by_its_own_probability():
    points = scene()
    points[5, :, P] = np.nan
    found = decode(probabilities(points), traces(points))
    assert np.isnan(found.points[5, :, P]).all() and np.isfinite(found.global_[:, P]).all()


def test_the_global_wave_goes_from_the_second_earliest_onset_to_the_second_latest_offset():
    points = scene(5)
    points[:, :, T, 0] += np.array([-20, -4, 0, 0, 0])[:, None]
    points[:, :, T, 2] += np.array([0, 0, 0, 8, 30])[:, None]
    found = decode(probabilities(points), traces(points))
    np.testing.assert_allclose(found.global_[:, T, 0], points[1, :, T, 0], atol=1.5)
    np.testing.assert_allclose(found.global_[:, T, 2], points[3, :, T, 2], atol=1.5)
    two = decode(probabilities(points[[0, 4]]), traces(points[[0, 4]]))
    np.testing.assert_allclose(two.global_[:, T, 0], points[0, :, T, 0], atol=1.5)
    np.testing.assert_allclose(two.global_[:, T, 2], points[4, :, T, 2], atol=1.5)
    outermost = decode(probabilities(points), traces(points), rules=replace(RULES, rank=0))
    np.testing.assert_allclose(outermost.global_[:, T, 0], points[0, :, T, 0], atol=1.5)


def test_no_p_in_fibrillation_and_no_t_where_there_is_none():
    points = scene()
    points[:, :, P] = np.nan
    points[:, 1, T] = np.nan
    found = decode(probabilities(points), traces(points))
    assert np.isnan(found.global_[:, P]).all() and np.isnan(found.points[:, :, P]).all()
    assert np.isnan(found.global_[1, T]).all() and np.isfinite(found.global_[[0, 2], T]).all()


def test_a_doubtful_p_is_kept_where_p_waves_are_the_rule_only():
    points = scene(r=range(100, 2400, 200))
    p = probabilities(points)
    p[:, 1] *= 0.7
    assert np.isfinite(decode(p, traces(points)).global_[:, P]).all()
    points[:, np.arange(12) % 3 > 0, P] = np.nan
    p = probabilities(points)
    sure = decode(p, traces(points))
    assert np.isfinite(sure.global_[::3, P]).all()
    p[:, 1] *= 0.7
    doubtful = decode(p, traces(points))
    assert np.isnan(doubtful.points[:, :, P]).all() and doubtful.lone_p.shape[1] == 0


@pytest.mark.parametrize(
    "shift, faint, kept",
    [
        ([0] * 12, [4, 7], True),
        ([0] * 12, [2, 3, 4, 5, 6, 7, 8], False),  # hardly any clear one around
        ([0, 0, 0, 0, 12, 0, 0, -12, 0, 0, 0, 0], [4, 7], False),  # 48 ms early, late
        ([0, 9, -8, 3, 0, 8, -9, 0, 7, -7, 9, -9], [4, 7], False),  # PR wanders: no series
    ],
)
def test_a_faint_p_is_kept_where_it_comes_as_regularly_as_the_clear_ones_around(shift, faint, kept):
    points = scene(r=range(100, 2400, 200))
    points[:, :, P] += np.array(shift, float)[:, None]
    p = probabilities(points)
    for beat in faint:
        first, last = points[0, beat, P, [0, 2]].astype(int) // 2 + [-3, 3]
        p[:, 1, first:last] *= 0.4
    found = decode(p, traces(points))
    assert np.isfinite(found.global_[faint, P, 1]).all() == kept
    assert np.isnan(found.global_[faint, P, 1]).all() != kept
    others = np.setdiff1d(np.arange(12), faint)
    assert np.isfinite(found.global_[others, P, 1]).all() and found.lone_p.shape[1] == 0


def test_small_waves_without_t_that_may_be_qrs_are_p_waves_of_a_standstill():
    points = scene(r=range(100, 2400, 200))
    points[:, :, P] = np.nan
    for unsure, with_t, beats in ((0.9, True, 12), (1.0, False, 12), (0.9, False, 0)):
        shown = points.copy()
        shown[:, :, T] = points[:, :, T] if with_t else np.nan
        p = probabilities(shown)
        p[:, 2] *= unsure
        assert len(decode(p, traces(shown)).global_) == beats
    fast = scene(r=range(100, 2400, 100), qrs=(-20, 0, 20))  # 150 bpm, 160 ms: a tachycardia, not P waves
    fast[:, :, [P, T]] = np.nan
    p = probabilities(fast)
    p[:, 2] *= 0.9
    assert len(decode(p, traces(fast)).global_) == 23


def test_a_blocked_p_is_lone_and_belongs_to_no_beat():
    points = scene(r=(500, 900))
    both = np.concatenate([points, np.full((12, 1, 3, 3), np.nan)], axis=1)
    both[:, 2, P] = 650, 660, 675
    found = decode(probabilities(both), traces(both))
    assert found.lone_p.shape == (13, 1, 3)
    np.testing.assert_allclose(found.lone_p[:, 0], np.broadcast_to([650, 660, 675], (13, 3)), atol=1.5)
    np.testing.assert_allclose(found.points[:, :, P], points[:, :, P], atol=1.5)


def test_a_p_at_the_end_is_not_lone_for_its_qrs_may_come():
    points = scene(r=(500, 2520))
    points[:, 1, QRS:] = np.nan
    found = decode(probabilities(points), traces(points))
    assert len(found.global_) == 1 and found.lone_p.shape[1] == 0


def test_a_p_too_far_from_its_qrs_is_lone_and_asystole_with_p_waves_has_no_beat():
    points = scene(r=(1000,), p=(-200, -190, -180))
    found = decode(probabilities(points), traces(points))
    assert np.isnan(found.global_[0, P]).all() and found.lone_p.shape[1] == 1
    points[:, :, QRS:] = np.nan
    found = decode(probabilities(points), traces(points))
    assert len(found.global_) == 0 and found.lone_p.shape[1] == 1


def test_of_two_qrs_within_the_refractory_time_the_heavier_stays():
    points = scene(r=(500, 540), qrs=(-8, 0, 8))
    points[:, :, [P, T]] = np.nan
    points[:, 1, QRS, [0, 2]] += [[4, -4]]
    found = decode(probabilities(points), traces(points), rules=NO_T)
    np.testing.assert_allclose(found.global_[:, QRS, 1], [500], atol=1)
    apart = scene(r=(500, 560), qrs=(-8, 0, 8))  # 240 ms: 250 a minute
    apart[:, :, [P, T]] = np.nan
    assert len(decode(probabilities(apart), traces(apart), rules=NO_T).global_) == 2


def test_a_doubtful_qrs_beside_a_sure_one_is_dropped_and_alone_it_stays():
    points = scene(r=(500, 565, 900), qrs=(-8, 0, 8))  # 260 ms
    points[:, :, [P, T]] = np.nan
    p = probabilities(points)
    p[:, 2, 275:295] *= 0.45  # the second and, below, the third
    p[:, 2, 440:460] *= 0.45
    found = decode(p, traces(points), rules=NO_T)
    np.testing.assert_allclose(found.global_[:, QRS, 1], [500, 900], atol=1)


def test_an_unsure_qrs_must_stand_out_of_the_trace_or_belong_to_a_fast_run():
    slow, fast = scene(r=(500, 1200, 1900)), scene(r=range(500, 1500, 110))
    for points, beats in ((slow, 0), (fast, 10)):
        points[:, :, [P, T]] = np.nan
        p = probabilities(points)
        noise = np.random.default_rng(3).standard_normal((12, 2 * N)).astype(np.float32)
        sure = decode(p, noise)
        assert len(sure.global_) == points.shape[1]
        p[:, 2] *= 0.9
        # the rule of hearts.py, for which this is noise, is left out
        assert len(decode(p, noise, rules=replace(NO_T, heart_share=0.0, edge_share=2.0)).global_) == beats
        assert len(decode(p, 0.05 * noise + traces(points), rules=replace(RULES, t_share=0.0)).global_) == points.shape[1]


def test_the_heaviest_t_is_taken_and_none_far_from_the_qrs():
    points = scene(r=(500,))
    more = np.full((12, 2, 3, 3), np.nan)
    more[:, 0, T] = [640, 645, 652]  # smaller
    more[:, 1, T] = [760, 790, 820]  # 1 s after the QRS
    found = decode(probabilities(np.concatenate([points, more], axis=1)), traces(points))
    np.testing.assert_allclose(found.global_[0, T, [0, 2]], points[0, 0, T, [0, 2]], atol=1.5)


def test_a_wave_cut_by_the_records_edge_has_no_fiducial_there():
    points = scene(r=(35, 2430))
    found = decode(probabilities(points), traces(points))
    assert np.isnan(found.global_[0, P, 0]) and np.isfinite(found.global_[0, P, 2])
    assert np.isfinite(found.global_[1, T, 0]) and np.isnan(found.global_[1, T, 2])
    at_edge = scene(r=(3,))
    at_edge[..., QRS, 0] = np.nan
    found = decode(probabilities(at_edge), traces(scene(r=(3,))))
    assert (
        len(found.global_) == 1
        and np.isnan(found.global_[0, QRS, 0])
        and np.isfinite(found.global_[0, QRS, 1])
    )


def test_a_wave_that_touches_a_long_gap_is_absent_in_this_lead_only():
    points = scene()
    missing = np.zeros((12, 2 * N), bool)
    missing[2, 580:600] = True  # 80 ms, from just before the first T's end
    missing[4, 680:688] = True  # 32 ms
    found = decode(probabilities(points), traces(points), missing=missing)
    assert np.isnan(found.points[2, 0, T]).all()
    absent = np.isnan(found.points).any(axis=-1)
    assert absent.sum() == 1 and np.isfinite(found.global_).all()
    missing[:] = False
    missing[:, 480:700] = True
    found = decode(probabilities(points), traces(points), missing=missing)
    assert len(found.global_) == 1 and found.global_[0, QRS, 1] > 890  # the second QRS touches the gap


def test_overlaps_are_divided_and_the_qrs_keeps_its_place():
    points = scene(3)
    points[0, :, P, 2] += 12  # this lead's P runs 2 samples into all others' QRS
    found = decode(probabilities(points), traces(points))
    check_order(found)
    np.testing.assert_allclose(found.points[1:, :, QRS, 0], points[1:, :, QRS, 0], atol=1.5)


def test_what_is_not_finite_counts_as_no_wave():
    p = probabilities(scene(2))
    p[0] = np.nan
    found = decode(p, traces(scene(2)))
    assert np.isnan(found.points[0]).all() and np.isfinite(found.points[1]).all()


@pytest.mark.parametrize("n_leads, n", [(1, 0), (12, 0), (3, 1), (12, 40)])
def test_nothing_in_nothing_out(n_leads, n):
    waves = np.zeros((n_leads, 4, n), np.float32)
    waves[:, 0] = 1
    found = decode(waves, np.zeros((n_leads, 2 * n + 1), np.float32))
    assert found.points.shape == (n_leads, 0, 3, 3) and found.global_.shape == (0, 3, 3)
    assert found.lone_p.shape == (n_leads + 1, 0, 3)


def random_waves(seed, n_leads, n, rough):
    """Probabilities that change every `rough` outputs: anything from noise to long plateaus."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (n_leads, 4, -(-n // rough) + 1)).repeat(rough, axis=2)[:, :, :n]
    if rng.random() < 0.5:  # leads agree more or less
        logits = 0.3 * logits + logits[:1]
    p = np.exp(logits)
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32), rng.normal(0, 1, (n_leads, 2 * n)).astype(
        np.float32
    )


ANY = {
    "seed": st.integers(0, 2**32 - 1),
    "n_leads": st.sampled_from([1, 2, 3, 12]),
    "n": st.integers(1, 400),
    "rough": st.integers(1, 25),
}


@settings(max_examples=150, deadline=None)
@given(**ANY, gap=st.booleans(), rank=st.integers(0, 3))
def test_order_holds_for_any_probabilities(seed, n_leads, n, rough, gap, rank):
    waves, signal = random_waves(seed, n_leads, n, rough)
    missing = None
    if gap:
        missing = (
            np.random.default_rng(seed).random((n_leads, -(-2 * n // 15))).repeat(15, axis=1)[:, : 2 * n]
            < 0.1
        )
    found = decode(waves, signal, missing=missing, rules=replace(RULES, rank=rank))
    k = len(found.global_)
    assert found.points.shape == (n_leads, k, 3, 3) and found.lone_p.shape[::2] == (n_leads + 1, 3)
    check_order(found)
    marks = np.concatenate([found.points.ravel(), found.global_.ravel(), found.lone_p.ravel()])
    marks = marks[np.isfinite(marks)]
    assert ((marks >= 0) & (marks <= 2 * n - 1)).all()


@settings(max_examples=60, deadline=None)
@given(**ANY, shift=st.integers(1, 60))
def test_a_shift_in_time_shifts_the_waves(seed, n_leads, n, rough, shift):
    waves, signal = random_waves(seed, n_leads, n, rough)
    none = np.zeros((n_leads, 4, shift + 100), np.float32)
    none[:, 0] = 1
    flat = np.zeros((n_leads, 2 * (shift + 100)), np.float32)
    here = decode(np.concatenate([none, waves, none], 2), np.concatenate([flat, signal, flat], 1))
    there = decode(
        np.concatenate([none[..., :100], waves, none, none[..., :shift]], 2),
        np.concatenate([flat[:, :200], signal, flat, flat[:, : 2 * shift]], 1),
    )
    for a, b in zip(here, there):
        np.testing.assert_allclose(a, b + 2 * shift, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(**ANY)
def test_the_order_of_leads_does_not_matter(seed, n_leads, n, rough):
    waves, signal = random_waves(seed, n_leads, n, rough)
    here, there = decode(waves, signal), decode(waves[::-1], signal[::-1])
    np.testing.assert_allclose(here.points, there.points[::-1], atol=1e-6)
    np.testing.assert_allclose(here.global_, there.global_, atol=1e-3)


def test_a_qrs_beside_a_gap_of_all_leads_must_be_sure():
    """What lies 80 ms before a gap may be a P whose QRS is hidden; in a gap of some leads the others judge."""
    points = scene(r=(500, 900, 1300))
    points[:, :, [P, T]] = np.nan
    p = probabilities(points)
    p[:, 2, 440:460] *= 0.9
    missing = np.zeros((12, 2 * N), bool)
    missing[:, 930:1130] = True
    find = lambda p, gap: decode(p, traces(points), missing=gap, rules=NO_T).global_[:, QRS, 1]  # noqa: E731
    np.testing.assert_allclose(find(p, missing), [500, 1300], atol=1)
    np.testing.assert_allclose(find(probabilities(points), missing), [500, 900, 1300], atol=1)
    missing[0] = False
    np.testing.assert_allclose(find(p, missing), [500, 900, 1300], atol=1)
