"""Every entry of the registry: one value worked out by hand, one case in which it cannot be measured."""

import math

import numpy as np
import pytest

import ecgprior as ep
from ecgprior.physiology.features.entry import BLOCKS
from ecgprior.physiology.features.measure import measure
from ecgprior.physiology.features.registry import FEATURES, feature_names

# The hand-made ECG (conftest.py, 500 Hz): P −100 … −60 samples from R, QRS −20 … 30, T 80 … 180, RR 320 = 640 ms.
# So PR 160, P 80, QRS 100, QT 400, T 200, T peak to end 120 ms. Of five beats a change in the last two gives
# median a, mean (3a + 2b)/5, SD |b − a| √0.3, IQR |b − a|; of four (a, a, b, b) SD |b − a|/√3.
TWO = [0, 0, 0, 1, 1]


def late(a, b):
    """`a` in three beats, `b` in two."""
    return [b if k else a for k in TWO]


def four(name, median, other, **ecg):
    """Rows of a quantity that is `median` in three beats and `other` in two."""
    apart = abs(other - median)
    values = (median, (3 * median + 2 * other) / 5, apart * math.sqrt(0.3), apart)
    return {
        name + ending: (ecg, {name + ending: v, f"{name}{ending}.V3": v})
        for ending, v in zip(ENDINGS, values)
    }


ENDINGS = ("", "_mean", "_sd", "_iqr")
IRREGULAR = {"r_at": [150, 450, 750, 1050, 1250, 1750]}  # RR 600, 600, 600, 400, 1000 ms
MIXED_RR = {"r_at": [150, 450, 790, 1090, 1430, 1730]}  # RR 600, 680, 600, 680, 600 ms
WIDE = {"off": 50}  # QRS 140 ms
RIGHT = {
    **WIDE,
    "qrs": {
        "V1": [(-20, -11, 0.2), (-10, 4, -0.5), (5, 40, 0.6)],
        "V2": [(-20, -11, 0.2), (-10, 40, -0.5)],
        None: [(-20, 9, 0.8), (10, 45, -0.3)],
    },
}
LEFT = {
    **WIDE,
    "qrs": {
        "V1": [(-20, 40, -1.0)],
        None: [(-20, 5, 0.8), (6, 15, 0.6), (16, 45, 0.9)],
    },
}
RS = dict(zip(("V1", "V2", "V3", "V4", "V5", "V6"), (0.1, 0.2, 0.4, 0.9, 1.6, 1.2)))
CHEST = {"q": 0, "r": {**RS, "aVL": 0.7, None: 1.0}, "s": {"V1": -0.9, "V3": -0.6, "V4": -0.6, None: -0.8}}
F_WAVES = {"n": 12, "rr": 440, "no_p": range(12), "f": (0.1, 5.0)}

HAND = {
    "n_beats": ({}, {"n_beats": 5}),
    "rr_ms": (IRREGULAR, {"rr_ms": 600}),
    "rr_ms_mean": (IRREGULAR, {"rr_ms_mean": 640}),
    "rr_ms_sd": (IRREGULAR, {"rr_ms_sd": math.sqrt((3 * 40**2 + 240**2 + 360**2) / 4)}),
    "rr_ms_iqr": (IRREGULAR, {"rr_ms_iqr": 0}),
    "rate_bpm": (IRREGULAR, {"rate_bpm": 93.75}),
    "rr_cv": (IRREGULAR, {"rr_cv": math.sqrt((3 * 40**2 + 240**2 + 360**2) / 4) / 640}),
    "rr_short_share": (IRREGULAR, {"rr_short_share": 0.2}),
    "rmssd_ms": (IRREGULAR, {"rmssd_ms": math.sqrt((200**2 + 600**2) / 4)}),
    "pnn50": (IRREGULAR, {"pnn50": 0.5}),
    # 600 600 680 …, ten intervals: of the first nine 6 and 3 are alike, 15 + 3 pairs; 3 + 3 + 3 pairs go on alike.
    "rr_sample_entropy": ({"r_at": np.cumsum([150] + [300, 300, 340] * 3 + [300])}, {"rr_sample_entropy": math.log(2)}),
    "rr_cosen": (
        {"r_at": np.cumsum([150] + [300, 300, 340] * 3 + [300])}, {"rr_cosen": math.log(2) + math.log(60 / 624)}
    ),
    "ectopic_share": (
        {"r_at": [150, 470, 790, 1010, 1430, 1750], "no_p": (3,), "on": [-20, -20, -20, -40, -20, -20],
         "off": [30, 30, 30, 70, 30, 30],
         "qrs": [None, None, None, [(-40, 10, -1.0), (11, 60, 1.2)], None, None]},
        {"ectopic_share": 1 / 6},
    ),
    "p_presence": ({"no_p": (1, 4)}, {"p_presence": 0.6, "p_presence.II": 0.6}),
    "lone_p_share": ({"lone": (1600,)}, {"lone_p_share": 1 / 6}),
    "pp_ms": ({}, {"pp_ms": 640}),
    # P every 250 samples, QRS every 320: the time from P to the next QRS takes every length.
    "av_dissociation": (
        {"n": 6, "no_p": range(6), "lone": (60, 310, 560, 810, 1060, 1310, 1560)}, {"av_dissociation": 1}
    ),
    # 0.1 mV at 5 Hz (f): a sinusoid's root mean square is 0.1/√2; it explains all of itself.
    "f_wave_mv": (F_WAVES, {"f_wave_mv": pytest.approx(0.1 / math.sqrt(2), rel=0.1)}),
    "f_wave_hz": (F_WAVES, {"f_wave_hz": pytest.approx(5, abs=0.1)}),
    "f_wave_regularity": (F_WAVES, {"f_wave_regularity": pytest.approx(1, abs=0.1)}),
    **four("pr_ms", 160, 190, p_on=late(-100, -115)),
    **four("p_duration_ms", 80, 100, p_off=late(-60, -50)),
    **four("p_amplitude_mv", 0.1, 0.2, p=late(0.1, 0.2)),
    "pr_long_share": ({"p_on": late(-100, -125)}, {"pr_long_share": 0.4, "pr_long_share.V1": 0.4}),
    "pr_range_ms": ({"p_on": late(-100, -125)}, {"pr_range_ms": 50}),
    **four("qrs_ms", 100, 110, off=late(30, 35)),
    # 2 samples from Q to R: (1 + 0.25) mV in 4 ms.
    **four("qrs_slope_mv_per_s", 312.5, 362.5, r=late(1.0, 1.2)),
    "qrs_wide_share": ({"off": late(30, 40)}, {"qrs_wide_share": 0.4, "qrs_wide_share.I": 0.4}),
    "qrs_incomplete_share": ({"off": late(30, 40)}, {"qrs_incomplete_share": 0.6, "qrs_incomplete_share.I": 0.6}),
    # Crossings lie 0.25/1.25 of a sample after the last of Q, 1/1.5 after the last of R; S ends at its offset.
    "q_amplitude_mv": ({}, {"q_amplitude_mv.V2": -0.25}),
    "q_duration_ms": ({}, {"q_duration_ms.V2": 2 * (9 + 0.2)}),
    "r_duration_ms": ({}, {"r_duration_ms.V2": 2 * (0.8 + 19 + 2 / 3)}),
    "s_amplitude_mv": ({"s": {"V1": -0.9, None: -0.5}}, {"s_amplitude_mv.V1": -0.9, "s_amplitude_mv.V2": -0.5}),
    "s_duration_ms": ({}, {"s_duration_ms.V2": 2 * (1 / 3 + 19 + 1)}),
    "r_prime_amplitude_mv": (RIGHT, {"r_prime_amplitude_mv.V1": 0.6, "r_prime_amplitude_mv.V6": 0}),
    "r_prime_duration_ms": (RIGHT, {"r_prime_duration_ms.V1": 2 * (0.6 / 1.1 + 35 + 1), "r_prime_duration_ms.V6": 0}),
    "r_peak_time_ms": ({}, {"r_peak_time_ms.V5": 20}),
    "r_notch_mv": (LEFT, {"r_notch_mv.V5": 0.2, "r_notch_mv.V1": 0}),
    # The last 20 of 51 samples: 11 … 30, of which 19 are S and one is its end.
    "qrs_terminal_mv": ({}, {"qrs_terminal_mv.V1": -0.5 * 19 / 20}),
    "rbbb_sign": (RIGHT, {"rbbb_sign": 1, "lbbb_sign": 0}),
    "lbbb_sign": (LEFT, {"lbbb_sign": 1, "rbbb_sign": 0}),
    **four("qt_ms", 400, 420, t_off=late(180, 190)),
    "qtc_bazett_ms": ({}, {"qtc_bazett_ms": 500}),
    "qtc_fridericia_ms": ({}, {"qtc_fridericia_ms": 400 / 0.64 ** (1 / 3)}),
    "qtc_framingham_ms": ({}, {"qtc_framingham_ms": 400 + 154 * 0.36}),
    "qtc_hodges_ms": ({}, {"qtc_hodges_ms": 400 + 1.75 * 33.75}),
    # Four beats have an RR before them: 500, 500, 525, 525.
    "beat_qtc_ms": ({"t_off": late(180, 190)}, {"beat_qtc_ms": 512.5, "beat_qtc_ms.V3": 512.5}),
    "beat_qtc_ms_mean": ({"t_off": [180, 180, 180, 180, 200]}, {"beat_qtc_ms_mean": 512.5}),
    "beat_qtc_ms_sd": ({"t_off": late(180, 190)}, {"beat_qtc_ms_sd": 25 / math.sqrt(3)}),
    "beat_qtc_ms_iqr": ({"t_off": late(180, 190)}, {"beat_qtc_ms_iqr": 25}),
    "qtc_long_share": ({"t_off": late(175, 190)}, {"qtc_long_share": 0.5, "qtc_long_share.V3": 0.5}),
    "jt_ms": ({}, {"jt_ms": 300}),
    **four("t_duration_ms", 200, 220, t_off=late(180, 190)),
    **four("tpe_ms", 120, 140, t_off=late(180, 190)),
    **four("t_amplitude_mv", 0.3, 0.4, t=late(0.3, 0.4)),
    "t_inversion": ({"t": {"V1": -0.2, None: 0.3}}, {"t_inversion.V1": 1, "t_inversion.V2": 0}),
    "t_inverted_share": (
        {"t": {"V1": -0.2, "V2": -0.05, None: 0.3}},
        {"t_inverted_share": 1 / 12, "t_inverted_share.V1": 1, "t_inverted_share.V2": 0},
    ),
    # J is the mean of five samples, two of S (−0.5) and three of ST: (2·−0.5 + 3·0.7)/5 and 0.28.
    **four("st_j_mv", 0.22, 0.28, st=late(0.7, 0.8)),
    **four("st_j60_mv", 0.15, 0.25, st=late(0.15, 0.25)),
    **four("st_j80_mv", 0.15, 0.25, st=late(0.15, 0.25)),
    "st_shift_share": (
        {"st": {"V1": -0.2, "V2": 0.2, "V3": 0.05, None: 0.0}},
        {"st_shift_share": 2 / 12, "st_shift_share.V1": 1, "st_shift_share.V3": 0},
    ),
    # 0.1 0.1 0.1 0.2 0.4: deviations 0 0 0 0.1 0.3 from 0.1 → 0; of 0.1 0.1 0.2 0.3 0.4 from 0.2: 0.1.
    "st_mad_mv": ({"st": [0.1, 0.1, 0.2, 0.3, 0.4]}, {"st_mad_mv": 0.1, "st_mad_mv.V4": 0.1}),
    **four("r_amplitude_mv", 1.0, 1.2, r=late(1.0, 1.2)),
    # All leads alike: x = 1, y = (2 − 1)/√3 → 30°. P or T gone from I: x = 0 → 90°; upside down in I and II: −150°.
    "p_axis_deg": ({"p": {"I": 0.0, None: 0.1}}, {"p_axis_deg": 90}),
    "qrs_axis_deg": ({}, {"qrs_axis_deg": 30}),
    "t_axis_deg": ({"t": {"I": -0.3, "II": -0.3, None: 0.3}}, {"t_axis_deg": -150}),
    "qrs_t_angle_deg": ({"t": {"I": -0.3, "II": -0.3, None: 0.3}}, {"qrs_t_angle_deg": 180}),
    "r_share": (CHEST, {"r_share.V1": 0.1, "r_share.V4": 0.6}),
    "transition_zone": (CHEST, {"transition_zone": 3.5}),  # V3 0.4, V4 0.6
    "sokolow_lyon_mv": (CHEST, {"sokolow_lyon_mv": 0.9 + 1.6}),
    "cornell_mv": (CHEST, {"cornell_mv": 0.7 + 0.6}),
    "beat_correlation_mean": ({}, {"beat_correlation_mean": 1, "beat_correlation_mean.V1": 1}),
    "beat_correlation_sd": ({}, {"beat_correlation_sd": 0, "beat_correlation_sd.V1": 0}),
    "beat_correlation_min": ({}, {"beat_correlation_min": 1, "beat_correlation_min.V1": 1}),
    "noise_mv": ({"level": 0.5}, {"noise_mv.II": 0}),
}  # fmt: skip

NONE = ({"r_at": []}, "no beats found")
ONE = ({"n": 1}, "too few beats")
NO_P = ({"no_p": range(5)}, "no P wave")
NO_T = ({"no_t": range(5)}, "no T wave")
NO_V1 = ({"gone": ("V1",)}, "lead is missing")


def quantity(name, case, of=""):
    """Not-measurable rows of a per-beat quantity: the case for median and mean, one beat for the spreads."""
    return {name: (*case, name + of), f"{name}_mean": (*case, f"{name}_mean{of}")} | {
        name + ending: ({"n": 1}, "too few beats", name + ending) for ending in ("_sd", "_iqr")
    }


NOT = {
    # 0 beats is a number: what is not measurable without beats is shown by the next rows.
    "n_beats": None,
    **{name: (*ONE, name) for name in (
        "rr_ms", "rr_ms_mean", "rr_ms_sd", "rr_ms_iqr", "rate_bpm", "rr_cv", "rr_short_share", "rmssd_ms", "pnn50",
        "rr_sample_entropy", "rr_cosen", "ectopic_share", "beat_correlation_mean", "beat_correlation_sd", "beat_correlation_min",
        "qtc_bazett_ms", "qtc_fridericia_ms", "qtc_framingham_ms", "qtc_hodges_ms",
    )},
    **{name: ({"t_off": 285}, "too little signal between T and QRS", name) for name in (
        "f_wave_mv", "f_wave_hz", "f_wave_regularity",
    )},
    "p_presence": ({"unseen": ("V2",)}, "no QRS seen in this lead", "p_presence.V2"),
    "lone_p_share": (*NO_P, "lone_p_share"),
    "pp_ms": (*NO_P, "pp_ms"),
    "av_dissociation": (*NO_P, "av_dissociation"),
    **quantity("pr_ms", NO_P),
    **quantity("p_duration_ms", NO_P, ".V1"),
    **quantity("p_amplitude_mv", NO_P, ".II"),
    "pr_long_share": (*NO_P, "pr_long_share"),
    "pr_range_ms": (*NO_P, "pr_range_ms"),
    **quantity("qrs_ms", NO_V1, ".V1"),
    **quantity("qrs_slope_mv_per_s", ({"unseen": ("V1",)}, "no QRS seen in this lead"), ".V1"),
    "qrs_wide_share": ({"unseen": ("V5",)}, "no QRS seen in this lead", "qrs_wide_share.V5"),
    "qrs_incomplete_share": (*NO_V1, "qrs_incomplete_share.V1"),
    **{name: (*NO_V1, f"{name}.V1") for name in (
        "q_amplitude_mv", "q_duration_ms", "r_duration_ms", "s_amplitude_mv", "s_duration_ms", "r_prime_amplitude_mv",
        "r_prime_duration_ms", "r_notch_mv", "qrs_terminal_mv", "noise_mv", "r_share",
    )},
    "r_peak_time_ms": ({"r": -0.3, "q": -0.3}, "no R wave", "r_peak_time_ms.V1"),
    "rbbb_sign": ({**RIGHT, "gone": ("V1",)}, "lead is missing", "rbbb_sign"),
    "lbbb_sign": ({**LEFT, "leads": ("I", "II")}, "lead is missing", "lbbb_sign"),
    **quantity("qt_ms", NO_T),
    **quantity("beat_qtc_ms", NO_T),
    "qtc_long_share": (*NO_T, "qtc_long_share"),
    "jt_ms": (*NO_T, "jt_ms"),
    **quantity("t_duration_ms", NO_T),
    **quantity("tpe_ms", NO_T, ".V6"),
    **quantity("t_amplitude_mv", NO_T, ".V6"),
    "t_inversion": (*NO_T, "t_inversion.V6"),
    "t_inverted_share": (*NO_T, "t_inverted_share"),
    **quantity("st_j_mv", NO_V1, ".V1"),
    **quantity("st_j60_mv", ({"n": 1, "cut": 195}, "signal is missing at the wave"), ".V1"),
    **quantity("st_j80_mv", ({"level": math.inf}, "lead is missing"), ".V1"),
    "st_shift_share": (*NO_V1, "st_shift_share.V1"),
    "st_mad_mv": (*NO_V1, "st_mad_mv.V1"),
    **quantity("r_amplitude_mv", ({"r": 15.0}, "implausible: outside 0 to 10 mV"), ".V1"),
    "p_axis_deg": (*NO_P, "p_axis_deg"),
    "qrs_axis_deg": ({"leads": ("II", "V1")}, "lead is missing", "qrs_axis_deg"),
    "t_axis_deg": ({"t": 0.0}, "deflection is too small to have a direction", "t_axis_deg"),
    "qrs_t_angle_deg": (*NO_T, "qrs_t_angle_deg"),
    "transition_zone": ({"unseen": ("V4",)}, "no QRS seen in this lead", "transition_zone"),
    "sokolow_lyon_mv": (*NO_V1, "sokolow_lyon_mv"),
    "cornell_mv": ({"leads": ("V1", "V3")}, "lead is missing", "cornell_mv"),
}  # fmt: skip


def test_every_entry_has_a_hand_computed_and_a_not_measurable_case():
    assert set(HAND) == set(FEATURES)
    assert set(NOT) == set(FEATURES)


@pytest.mark.parametrize("name", HAND)
def test_hand_computed(name, boxes):
    ecg, expected = HAND[name]
    features = measure(*boxes(**ecg))
    for key, value in expected.items():
        if not isinstance(value, int | float):
            assert features[key] == value
            continue
        assert features[key] == pytest.approx(value, abs=2e-6, rel=2e-6), (key, features.reasons.get(key))


@pytest.mark.parametrize("name", [name for name, case in NOT.items() if case])
def test_not_measurable_is_nan_with_a_reason(name, boxes):
    ecg, reason, key = NOT[name]
    features = measure(*boxes(**ecg))
    assert math.isnan(features[key])
    assert features.reasons[key] == reason


@pytest.mark.parametrize("name", FEATURES)
def test_without_beats_everything_but_their_number_is_nan(name, boxes):
    features = measure(*boxes(r_at=[]))
    keys = [key for key in features if key.partition(".")[0] == name]
    if name == "n_beats":
        assert features["n_beats"] == 0 and keys == ["n_beats"]
        return
    assert keys and all(math.isnan(features[key]) for key in keys)
    assert {features.reasons[key] for key in keys} == {"no beats found"}


@pytest.mark.parametrize("name", FEATURES)
def test_an_entry_says_what_it_is(name):
    entry = FEATURES[name]
    low, high = entry.plausible
    assert entry.name == name and entry.block in BLOCKS and low < high
    assert entry.definition.endswith(".") and entry.source and entry.unit
    assert entry.per_record or entry.per_lead
    suffix = {"_ms": "ms", "_mv": "mV", "_bpm": "bpm", "_deg": "deg", "_mv_per_s": "mV/s"}
    base = name.removesuffix("_mean").removesuffix("_sd").removesuffix("_iqr")
    told = [unit for ending, unit in suffix.items() if base.endswith(ending)]
    assert entry.unit == (told[-1] if told else entry.unit)


def test_the_physioclr_vector_is_complete():
    ten = ("rr_ms", "pr_ms", "qrs_ms", "beat_qtc_ms", "p_duration_ms", "t_duration_ms", "r_amplitude_mv",
           "p_amplitude_mv", "t_amplitude_mv", "qrs_slope_mv_per_s", "st_j60_mv")  # fmt: skip
    shares = ("rmssd_ms", "pnn50", "rr_cv", "rr_short_share", "pr_long_share", "qrs_wide_share",
              "qrs_incomplete_share", "qtc_long_share", "p_presence", "t_inverted_share", "st_shift_share", "st_mad_mv",
              "beat_correlation_mean", "beat_correlation_sd", "beat_correlation_min")  # fmt: skip
    wanted = {base + ending for base in ten for ending in ENDINGS} | set(shares)
    assert {name for name, entry in FEATURES.items() if entry.physioclr} == wanted
    per_lead = {name for name in wanted if FEATURES[name].per_lead}
    assert wanted - per_lead == {
        "rr_ms",
        "rr_ms_mean",
        "rr_ms_sd",
        "rr_ms_iqr",
        "rmssd_ms",
        "pnn50",
        "rr_cv",
        "rr_short_share",
    }


def test_names_are_the_records_then_the_leads():
    names = feature_names(["II", "V5"])
    assert len(names) == len(set(names))
    assert names[0] == "n_beats" and names[-1] == "noise_mv.V5"
    assert ep.FEATURES is FEATURES
