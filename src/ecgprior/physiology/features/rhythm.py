"""Block *rhythm*: rate, regularity, ectopy, presence of P, and what the atria do by themselves.

RR intervals are those of all beats, less those across a gap of the signal that may hide a beat (:mod:`.gaps`); RMSSD, pNN50 and sample entropy are of NN intervals (two usual beats that follow
each other), as in Task Force 1996.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .entry import Feature
from .intervals import PLAUSIBLE_RR_MS
from .ragged import Ragged
from .reasons import Reason
from .statistics import row_median, row_sd, row_statistics

if TYPE_CHECKING:
    from .measured import Measured

Array = NDArray[np.float64]

_TASK_FORCE = "Task Force of ESC and NASPE 1996, Circulation 93:1043"
_PHYSIOCLR = "PhysioCLR feature vector"
_CUT_OFF_S = 0.25  # a P this close to the record's beginning may lie before it
_P_TO_QRS_S = 0.5  # a QRS that P leads to begins so soon after it
_ENTROPY_OF = 1000
_NEAR_MS = 30.0


def _rr(m: Measured, which: str) -> Array:
    return np.asarray(getattr(m.intervals.rr_statistics, which))


def _short_share(m: Measured) -> Array:
    rr = m.intervals.plausible_rr_ms
    return _part(rr < 0.8 * m.intervals.rr_statistics.median[:, None], np.isfinite(rr))


def _successive(m: Measured) -> Array:
    """Differences of NN intervals that follow each other, three usual beats in a row: (N, beats − 2); else NaN."""
    usual = m.records.table(m.usual, False)
    return np.where(usual[:, 2:] & usual[:, 1:-1] & usual[:, :-2], np.diff(m.intervals.rr_ms), np.nan)


def _rmssd(m: Measured) -> Array:
    steps = _successive(m)
    known = np.isfinite(steps)
    n = known.sum(axis=1)
    squares = np.square(np.where(known, steps, 0.0)).sum(axis=1)
    return np.where(n > 0, np.sqrt(squares / np.maximum(n, 1)), np.nan)


def _pnn50(m: Measured) -> Array:
    steps = _successive(m)
    return _part(np.abs(steps) > 50, np.isfinite(steps))


def _part(true: NDArray[np.bool_], of: NDArray[np.bool_]) -> Array:
    """Part of some that are true, by record: (N, …) → (N,)."""
    n = of.sum(axis=1)
    return np.where(n > 0, (true & of).sum(axis=1) / np.maximum(n, 1), np.nan)


def sample_entropy(x: Array, part: float = 0.2) -> Array:
    """−ln of the chance that intervals alike (within `part` SD) are followed by intervals alike; m = 1.

    Of each row of `x`, (N, intervals), NaN only at its end. NaN with fewer than 8 intervals or where no two successions
    are alike.
    """
    x = x[:, :_ENTROPY_OF]
    n = np.isfinite(x).sum(axis=1)
    near = np.abs(x[:, :, None] - x[:, None]) <= (part * row_sd(x) + 1e-9)[:, None, None]
    followed = np.isfinite(x[:, 1:])
    one = near[:, :-1, :-1] & followed[:, None] & followed[:, :, None]
    two = one & near[:, 1:, 1:]
    n_one, n_two = (a.sum(axis=(1, 2)) - followed.sum(axis=1) for a in (one, two))
    some = (n >= 8) & (n_two > 0)
    return np.where(some, -np.log(np.where(some, n_two, 1) / np.where(some, n_one, 1)), np.nan)


def coefficient_of_sample_entropy(x: Array) -> Array:
    """Sample entropy (m = 1) as a density, less the logarithm of the mean interval: regular ≪ −1.5, fibrillation above.

    Of each row of `x`, (N, intervals), NaN only at its end. Alike = within 30 ms, or as much more as makes five
    successions alike. NaN with fewer than 8 intervals.
    """
    x = x[:, :_ENTROPY_OF]
    n = np.isfinite(x).sum(axis=1)
    if n.max(initial=0) < 8:
        return np.full(len(x), np.nan)
    apart = np.abs(x[:, :, None] - x[:, None])
    pairs = np.triu_indices(x.shape[1] - 1, 1)
    two = np.maximum(apart[:, :-1, :-1], apart[:, 1:, 1:])[:, *pairs]
    two = np.where(np.isnan(two), np.inf, two)
    one = np.where(np.isinf(two), np.inf, apart[:, :-1, :-1][:, *pairs])
    r = np.maximum(_NEAR_MS, np.partition(two, 4, axis=1)[:, 4]) + 1e-9
    n_one, n_two = ((a <= r[:, None]).sum(axis=1) for a in (one, two))
    some = n >= 8
    mean = np.where(np.isfinite(x), x, 0.0).sum(axis=1) / np.maximum(n, 1)
    of = lambda a: np.where(some, a, 1.0)  # noqa: E731
    return np.where(some, np.log(of(n_one) / of(n_two)) + np.log(2 * of(r) / of(mean)), np.nan)


def _ectopic(m: Measured) -> Array:
    return np.where(m.n_beats >= 3, 1 - m.usual_records.count / np.maximum(m.n_beats, 1), np.nan)


def _p_presence(m: Measured) -> Array:
    """Part of the beats with a P wave: (1 + L, N); NaN in a lead without QRS.

    A beat without P does not count where signal is missing in the 250 ms before QRS: of the lead, or of most leads.
    """
    with np.errstate(invalid="ignore"):
        whole = m.marks[0, :, 1, 1] >= _CUT_OFF_S * m.fs
    seen = np.isfinite(m.marks[:, :, :2, 1])
    qrs = seen[:, :, 1] & whole
    if m.gaps is not None:
        onset = np.fmin(m.marks[0, :, 1, 0], m.marks[0, :, 1, 1])
        span = onset - _CUT_OFF_S * m.fs, onset, m.records.of
        silent = np.concatenate([m.gaps.doubtful(*span)[None], m.gaps.doubtful_in_leads(*span)])
        qrs &= seen[:, :, 0] | ~silent
    n = m.records.table(qrs, False).sum(axis=-1)
    with_p = m.records.table(qrs & seen[:, :, 0], False).sum(axis=-1)
    return np.where(n > 0, with_p / np.maximum(n, 1), np.nan)


def _lone_p_share(m: Measured) -> Array:
    """A P without QRS does not count where signal is missing in the 0.5 s after it."""
    at = m.intervals.lone_p
    unknown = _doubtful(m, at, at + _P_TO_QRS_S * m.fs).sum(axis=1)
    n, lone = (np.isfinite(a).sum(axis=1) - unknown for a in (m.intervals.all_p, at))
    return np.where(n > 0, lone / np.maximum(n, 1), np.nan)


def _doubtful(m: Measured, start: Array, stop: Array) -> NDArray[np.bool_]:
    """Whether most leads are silent in between, `start` … `stop`, (N, …) each: bool, of that shape."""
    if m.gaps is None:
        return np.zeros(start.shape, bool)
    of = np.repeat(np.arange(m.n_records), start.shape[1])
    return m.gaps.doubtful(start.ravel(), stop.ravel(), of).reshape(start.shape)


def _steps(m: Measured, at: Array) -> Array:
    """Intervals between events, (N, events) in order with NaN at the end, NaN where a gap may hide one: (N, events − 1)."""
    if m.gaps is None:
        return np.diff(at)
    known = np.isfinite(at)
    records = Ragged(np.nonzero(known)[0], m.n_records)
    hidden = np.zeros(at.shape, bool)
    hidden[known] = m.gaps.hide(at[known], records)
    return np.where(hidden[:, 1:], np.nan, np.diff(at))


def _pp_ms(m: Measured) -> Any:
    pp = row_median(_steps(m, m.intervals.all_p)) * 1000 / m.fs
    n = np.isfinite(m.intervals.all_p).sum(axis=1)
    return pp, np.select([n > 1, n == 1, m.n_beats == 0], [_GAP, _FEW, Reason.NO_BEATS], 0).astype(np.uint8)


def _dissociation(m: Measured) -> Any:
    """1 = atria and ventricles are each regular and the time from P to the next QRS wanders.

    Of several P before a QRS the last counts: in a block of 2:1 each is conducted in the same time. The time is not known
    where a gap of the signal may hide that QRS.
    """
    p, r = m.intervals.all_p, np.sort(m.records.table(m.marks[0, :, 1, 0]))
    n_p, n_r = (np.isfinite(a).sum(axis=1) for a in (p, r))
    known = (n_p >= 5) & (n_r >= 5)
    few = np.select([n_p > 0, m.n_beats == 0], [_FEW, Reason.NO_BEATS], 0).astype(np.uint8)
    if not known.any():
        return np.full(m.n_records, np.nan), few
    following = np.array([np.searchsorted(r[k, : n_r[k]], p[k]) for k in range(m.n_records)])
    followed = (following < n_r[:, None]) & (np.diff(following, append=-1) != 0)
    next_r = np.take_along_axis(r, np.minimum(following, r.shape[1] - 1), axis=1)
    followed &= ~((next_r - p > _P_TO_QRS_S * m.fs) & _doubtful(m, p, next_r))
    gap_ms = np.where(followed, (next_r - p) * 1000 / m.fs, np.nan)
    wanders = (followed.sum(axis=1) >= 5) & (row_sd(gap_ms) >= 80)
    regular = (_spread(_steps(m, p)) <= 0.15) & (_spread(_steps(m, r)) <= 0.15)
    return np.where(known, wanders & regular, np.nan), few


def _f_wave(m: Measured, of: str) -> Array:
    return np.asarray(getattr(m.f_waves, of))


def _spread(x: Array) -> Array:
    """Interquartile range over median."""
    found = row_statistics(x)
    some = found.median > 0
    return np.where(some, found.iqr / np.where(some, found.median, 1), np.inf)


_RR_MS = PLAUSIBLE_RR_MS
_FEW = Reason.FEW_BEATS
_GAP = Reason.GAP

ENTRIES = (
    Feature(
        "n_beats", "1", "Number of beats found; 0 is a value.", "–", (0, 1e6), "rhythm", lambda m: m.n_beats
    ),
    *(
        Feature(
            f"rr_ms{ending}", "ms", f"{words} of the intervals between R waves, all beats.", _PHYSIOCLR,
            _RR_MS if ending in ("", "_mean") else (0, _RR_MS[1]), "rhythm",
            partial(_rr, which=which), otherwise=_GAP, physioclr=True,
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
        (0, 1), "rhythm", _short_share, needs=("rr_ms",), physioclr=True,
    ),
    Feature(
        "rmssd_ms", "ms", "Root mean square of the differences of successive NN intervals.", _TASK_FORCE, (0, 3000),
        "rhythm", _rmssd, otherwise=_GAP, physioclr=True,
    ),
    Feature(
        "pnn50", "1", "Part of the successive differences of NN intervals beyond 50 ms.", _TASK_FORCE, (0, 1),
        "rhythm", _pnn50, otherwise=_GAP, physioclr=True,
    ),
    Feature(
        "rr_sample_entropy", "1",
        "Sample entropy of the NN intervals (first 1,000), m = 1, r = 0.2 SD; at least 8 intervals.",
        "Richman & Moorman 2000, Am J Physiol 278:H2039", (0, 10), "rhythm",
        lambda m: sample_entropy(m.intervals.nn_ms), otherwise=_GAP,
    ),
    Feature(
        "rr_cosen", "1", "Coefficient of sample entropy of the NN intervals, for records as short as 10 s; at least 8 intervals.",
        "Lake & Moorman 2011, Am J Physiol 300:H319", (-10, 5), "rhythm",
        lambda m: coefficient_of_sample_entropy(m.intervals.nn_ms), otherwise=_GAP,
    ),
    Feature(
        "ectopic_share", "1",
        "Part of the beats that are not usual in shape and time (kind V); of supraventricular ones see rr_short_share.",
        "physiology/ectopy.py", (0, 1), "rhythm",
        _ectopic, otherwise=_FEW,
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
        "pp_ms", "ms", "Median interval between P waves, whether a QRS follows or not; too long where P lies hidden in QRS or T.", "ours", (120, 5000), "rhythm",
        _pp_ms, otherwise=Reason.NO_P,
    ),
    Feature(
        "av_dissociation", "1",
        "1 = P and QRS are each regular (IQR ≤ 0.15 of the median interval), the time from the last P before a QRS "
        "to it is not (SD ≥ 80 ms); else 0. At least five P and five QRS.",
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
