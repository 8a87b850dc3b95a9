"""Block *rhythm*: rate, regularity, ectopy, presence of P, and what the atria do by themselves.

RR intervals are those of all beats; RMSSD, pNN50 and sample entropy are of NN intervals (two usual beats that follow
each other), as in Task Force 1996.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .entry import Feature
from .reasons import Reason
from .statistics import row_statistics

if TYPE_CHECKING:
    from .measured import Measured

Array = NDArray[np.float64]

_TASK_FORCE = "Task Force of ESC and NASPE 1996, Circulation 93:1043"
_PHYSIOCLR = "PhysioCLR feature vector"
_CUT_OFF_S = 0.25  # a P this close to the record's beginning may lie before it
_ENTROPY_OF = 1000
_NEAR_MS = 30.0


def _rr(m: Measured, which: str) -> float:
    return float(getattr(m.rr_statistics, which))


def _plausible_rr(m: Measured) -> Array:
    rr = m.beats.rr_ms
    return np.where((rr >= _RR_MS[0]) & (rr <= _RR_MS[1]), rr, np.nan)


def _successive(m: Measured) -> Array:
    """Differences of NN intervals that follow each other: three usual beats in a row."""
    usual, rr = m.usual, m.beats.rr_ms
    if m.n_beats < 3:
        return np.zeros(0)
    return np.diff(rr)[usual[2:] & usual[1:-1] & usual[:-2]]


def _rmssd(m: Measured) -> float:
    steps = _successive(m)
    return float(np.sqrt(np.mean(steps**2))) if len(steps) else np.nan


def _pnn50(m: Measured) -> float:
    steps = _successive(m)
    return float(np.mean(np.abs(steps) > 50)) if len(steps) else np.nan


def sample_entropy(x: Array, part: float = 0.2) -> float:
    """−ln of the chance that intervals alike (within `part` SD) are followed by intervals alike; m = 1.

    NaN with fewer than 8 intervals or where no two successions are alike.
    """
    x = x[:_ENTROPY_OF]
    if len(x) < 8:
        return np.nan
    near = np.abs(x[:, None] - x) <= part * x.std() + 1e-9
    one, two = near[:-1, :-1], near[:-1, :-1] & near[1:, 1:]
    n_one, n_two = one.sum() - len(one), two.sum() - len(two)
    return float(-np.log(n_two / n_one)) if n_two else np.nan


def coefficient_of_sample_entropy(x: Array) -> float:
    """Sample entropy (m = 1) as a density, less the logarithm of the mean interval: regular ≪ −1.5, fibrillation above.

    Alike = within 30 ms, or as much more as makes five successions alike. NaN with fewer than 8 intervals.
    """
    x = x[:_ENTROPY_OF]
    if len(x) < 8:
        return np.nan
    pairs = np.triu_indices(len(x) - 1, 1)
    apart = np.abs(x[:, None] - x)
    one, two = apart[:-1, :-1][pairs], np.maximum(apart[:-1, :-1], apart[1:, 1:])[pairs]
    r = max(_NEAR_MS, float(np.partition(two, 4)[4])) + 1e-9
    return float(np.log((one <= r).sum() / (two <= r).sum()) + np.log(2 * r / x.mean()))


def _p_presence(m: Measured) -> Array:
    """Part of the beats with a P wave: (1 + L,); NaN in a lead without QRS."""
    whole = np.isfinite(m.marks[0, :, 1, 1]) & (m.marks[0, :, 1, 1] >= _CUT_OFF_S * m.fs)
    if not whole.any():
        return np.full(1 + m.n_leads, np.nan)
    seen = np.isfinite(m.marks[:, whole])
    n = seen[:, :, 1, 1].sum(axis=1)
    with_p = (seen[:, :, 0, 1] & seen[:, :, 1, 1]).sum(axis=1)
    return np.where(n > 0, with_p / np.maximum(n, 1), np.nan)


def _lone_p(m: Measured) -> Array:
    """Samples of P waves that no QRS follows."""
    lone = getattr(m.delineation, "lone_p", None)
    if lone is None or not np.size(lone):
        return np.zeros(0)
    at = np.asarray(lone)[-1, :, 1]
    return at[np.isfinite(at)]


def _all_p(m: Measured) -> Array:
    """Samples of all P waves, followed by a QRS or not, in the order of time."""
    at = m.marks[0, :, 0, 1]
    return np.sort(np.concatenate([at[np.isfinite(at)], _lone_p(m)]))


def _lone_p_share(m: Measured) -> float:
    n_all = len(_all_p(m))
    return len(_lone_p(m)) / n_all if n_all else np.nan


def _pp_ms(m: Measured) -> float:
    p = _all_p(m)
    return float(np.median(np.diff(p))) * 1000 / m.fs if len(p) > 1 else np.nan


def _dissociation(m: Measured) -> float:
    """1 = atria and ventricles are each regular and the time from P to the next QRS wanders."""
    p, r = _all_p(m), m.marks[0, :, 1, 0]
    r = r[np.isfinite(r)]
    if len(p) < 5 or len(r) < 5:
        return np.nan
    following = np.searchsorted(r, p)
    gap_ms = (r[following[following < len(r)]] - p[following < len(r)]) * 1000 / m.fs
    if len(gap_ms) < 5 or gap_ms.std() < 80:
        return 0.0
    return float(_spread(np.diff(p)) <= 0.15 and _spread(np.diff(r)) <= 0.15)


def _f_wave(m: Measured, of: str) -> float:
    return float(getattr(m.f_waves, of))


def _spread(x: Array) -> float:
    """Interquartile range over median."""
    found = row_statistics(x)
    return float(found.iqr / found.median) if found.median > 0 else np.inf


_RR_MS = (150.0, 10_000.0)
_FEW = Reason.FEW_BEATS

ENTRIES = (
    Feature(
        "n_beats", "1", "Number of beats found; 0 is a value.", "–", (0, 1e6), "rhythm", lambda m: m.n_beats
    ),
    *(
        Feature(
            f"rr_ms{ending}", "ms", f"{words} of the intervals between R waves, all beats.", _PHYSIOCLR,
            _RR_MS if ending in ("", "_mean") else (0, _RR_MS[1]), "rhythm",
            partial(_rr, which=which), otherwise=_FEW, physioclr=True,
        )
        for ending, which, words in (
            ("", "median", "Median"), ("_mean", "mean", "Mean"), ("_sd", "sd", "Standard deviation (n − 1)"),
            ("_iqr", "iqr", "Interquartile range"),
        )
    ),
    Feature(
        "rate_bpm", "bpm", "60,000 over the mean RR interval in ms.", "Surawicz & Knilans, Chou's Electrocardiography, ch. 1",
        (10, 400), "rhythm", lambda m: 60_000 / m["rr_ms_mean"], needs=("rr_ms_mean",),
    ),
    Feature(
        "rr_cv", "1", "Standard deviation of RR over its mean, all beats.", _PHYSIOCLR, (0, 3), "rhythm",
        lambda m: m["rr_ms_sd"] / m["rr_ms_mean"], needs=("rr_ms_sd",), physioclr=True,
    ),
    Feature(
        "rr_short_share", "1", "Part of the RR intervals below 0.8 of their median: early beats.", _PHYSIOCLR,
        (0, 1), "rhythm", lambda m: _short_share(m), needs=("rr_ms",), physioclr=True,
    ),
    Feature(
        "rmssd_ms", "ms", "Root mean square of the differences of successive NN intervals.", _TASK_FORCE, (0, 3000),
        "rhythm", _rmssd, otherwise=_FEW, physioclr=True,
    ),
    Feature(
        "pnn50", "1", "Part of the successive differences of NN intervals beyond 50 ms.", _TASK_FORCE, (0, 1),
        "rhythm", _pnn50, otherwise=_FEW, physioclr=True,
    ),
    Feature(
        "rr_sample_entropy", "1",
        "Sample entropy of the NN intervals (first 1,000), m = 1, r = 0.2 SD; at least 8 intervals.",
        "Richman & Moorman 2000, Am J Physiol 278:H2039", (0, 10), "rhythm",
        lambda m: sample_entropy(m.nn_ms), otherwise=_FEW,
    ),
    Feature(
        "rr_cosen", "1", "Coefficient of sample entropy of the NN intervals, for records as short as 10 s; at least 8 intervals.",
        "Lake & Moorman 2011, Am J Physiol 300:H319", (-10, 5), "rhythm",
        lambda m: coefficient_of_sample_entropy(m.nn_ms), otherwise=_FEW,
    ),
    Feature(
        "ectopic_share", "1",
        "Part of the beats that are not usual in shape and time (kind V); of supraventricular ones see rr_short_share.",
        "physiology/ectopy.py", (0, 1), "rhythm",
        lambda m: 1 - m.beats.usual.mean() if m.n_beats >= 3 else np.nan, otherwise=_FEW,
    ),
    Feature(
        "p_presence", "1",
        "Part of the beats with a P wave before QRS, less beats in the first 250 ms; 0 in fibrillation is a value.",
        _PHYSIOCLR + " (% beats without P, as 1 − share)", (0, 1), "rhythm", _p_presence, otherwise=Reason.NO_QRS,
        per_lead=True, physioclr=True,
    ),
    Feature(
        "lone_p_share", "1", "Part of all P waves that no QRS follows: dropped beats, dissociation.", "ours", (0, 1),
        "rhythm", _lone_p_share, otherwise=Reason.NO_P,
    ),
    Feature(
        "pp_ms", "ms", "Median interval between P waves, whether a QRS follows or not.", "ours", (120, 5000), "rhythm",
        _pp_ms, otherwise=Reason.NO_P,
    ),
    Feature(
        "av_dissociation", "1",
        "1 = P and QRS are each regular (IQR ≤ 0.15 of the median interval), the time from P to the next QRS is not "
        "(SD ≥ 80 ms); else 0. At least five P and five QRS.",
        "Surawicz & Knilans, Chou's Electrocardiography, ch. 17 (sign); thresholds ours", (0, 1), "rhythm",
        _dissociation, otherwise=Reason.NO_P,
    ),
    *(
        Feature(
            f"f_wave_{what}", unit, definition, "physiology/features/atria.py, after Stridh & Sörnmo 2001, IEEE Trans Biomed Eng 48:105",
            plausible, "rhythm", partial(_f_wave, of=of), otherwise=Reason.LITTLE_TQ,
        )
        for what, unit, definition, plausible, of in (
            ("mv", "mV", "Root mean square of the signal between T and QRS without P (II, III, aVF, V1): f waves, or noise.", (0, 3), "size_mv"),
            ("hz", "Hz", "Frequency, 3 … 9 Hz, whose sinusoid and octave explain most of that signal.", (3, 9), "frequency_hz"),
            ("regularity", "1", "Part of that signal's variance that they explain: near 1 in flutter, low in fibrillation and noise.", (0, 1), "regularity"),
        )
    ),
)  # fmt: skip


def _short_share(m: Measured) -> float:
    rr = _plausible_rr(m)
    rr = rr[np.isfinite(rr)]
    return float(np.mean(rr < 0.8 * np.median(rr))) if len(rr) else np.nan
