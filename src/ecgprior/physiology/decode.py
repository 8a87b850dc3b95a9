"""From a network's probabilities to beats and ordered P, QRS and T waves in each lead and over all leads.

1. The leads' probabilities are pooled by their root mean square: a quarter of the leads that are sure count as much as
   all leads that are half sure, so that absent and noisy leads have no veto. Runs of a pooled class are *events*: one
   QRS, one P, one T, each seen by any number of leads.
2. In each lead, runs of the class are joined to the event that they overlap; the heaviest is the wave of this lead.
   A wave that hardly any lead sees is left out, and a lead shows a wave only by its own probability.
3. QRS events are the beats. The heaviest T after a QRS and the last clear P before it belong to it; other clear P waves
   are lone. Then order is enforced: P before QRS before T before the next P; where two overlap, QRS keeps its place.
4. Boundaries lie where half of the run's maximum is crossed (:mod:`~ecgprior.physiology.runs`), peaks where the trace
   is farthest from the line between them (:mod:`~ecgprior.physiology.peaks`). Over all leads, the onset is the
   second-earliest and the offset the second-latest one: one stray lead does not make the interval.
5. Beats that noise, a step or a lone spike may have made are dropped (:mod:`~ecgprior.physiology.hearts`).

No loop over beats or leads: about 1.5 ms for twelve leads of 10 s.

**Source**: global boundaries over several leads as for LUDB's marks; the earliest onset and latest offset over
simultaneous leads, one outlier left out, follow the CSE working party (Willems et al. 1985, doi
10.1093/oxfordjournals.eurheartj.a061960) in spirit. The rest is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hearts import doubtful_hearts
from .peaks import lead_peaks, prominence, smooth, vector_peaks
from .rules import RULES, Rules
from .runs import Runs, find_runs
from .series import in_series, unsupported, without_t

FS = 250.0
"""Rate of the signal that the network reads, in Hz."""

WAVES_FS = 125.0
"""Rate of its probabilities; output j stands for the time (2 j + 0.5) / 250 s."""

_P, _QRS, _T = 0, 1, 2
_PEAK = 1
_SMOOTH = 5  # samples at 250 Hz: P and T peaks are looked for in means over 20 ms


class Waves(NamedTuple):
    """What was found: the arrays of a :class:`~ecgprior.record.beats.Delineation`, in samples."""

    points: NDArray[np.float64]
    global_: NDArray[np.float64]
    lone_p: NDArray[np.float64]


@dataclass(eq=False, slots=True)
class _Table:
    """Waves as rectangular arrays, row = lead (the last row: over all leads), in samples at 250 Hz."""

    there: NDArray[np.bool_]  # (row, slot, wave)
    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    cut_onset: NDArray[np.bool_]
    cut_offset: NDArray[np.bool_]
    peak: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def decode(
    waves: NDArray[np.float32],
    signal: NDArray[np.float32],
    *,
    fs: float = FS,
    lead_mask: NDArray[np.bool_] | None = None,
    missing: NDArray[np.bool_] | None = None,
    rules: Rules = RULES,
) -> Waves:
    """Beats and waves of one record.

    Parameters
    ----------
    waves : ndarray, float32, (L, 4, N)
        Probabilities of none, P, QRS, T at 125 Hz; what is not finite counts as none.
    signal : ndarray, float32, (L, T), mV
        The trace at 250 Hz, T ≥ 2 N − 1, finite: only peaks are looked for in it.
    fs : float
        The rate in Hz in whose samples the result counts.
    lead_mask : ndarray, bool, (L,), optional
        False = the lead is absent: it shows nothing and has no vote.
    missing : ndarray, bool, (L, T), optional
        Samples that lie in a gap; None = none is missing.
    rules : Rules

    Returns
    -------
    Waves
        ``points`` (L, K, 3, 3), ``global_`` (K, 3, 3), ``lone_p`` (L + 1, M, 3): float64, samples at `fs`, NaN = absent;
        a boundary is NaN by itself where the record's end cuts the wave. Global R peaks are never NaN and increase.
    """
    n_leads, _, n = waves.shape
    rows = np.empty((3 * n_leads + 3, n), np.float32)  # the last three: pooled over the leads
    p = rows[:-3].reshape(n_leads, 3, n)
    p[:] = waves[:, 1:]
    if not np.isfinite(p).all():
        p[~np.isfinite(p)] = 0.0
    votes = np.full(1, float(n_leads))
    if lead_mask is not None and not lead_mask.all():
        p[~lead_mask] = 0.0
        votes = np.full(1, float(lead_mask.sum()))
    hidden = None if missing is None else _hidden(missing, n, rules)
    if hidden is not None:
        p *= ~hidden[:, None]
        shown = ~hidden if lead_mask is None else ~hidden & lead_mask[:, None]
        votes = shown.sum(axis=0).astype(np.float64)
    rows[-3:] = np.sqrt(np.einsum("lct,lct->ct", p, p) / np.maximum(votes, 1.0))
    low = np.full(len(rows), rules.low, np.float32)
    low[-3:] = rules.event_low
    found = find_runs(rows, low, np.tile(_columns(rules.gap_ms), n_leads + 1))
    of_leads = int(np.searchsorted(found.row, 3 * n_leads))
    runs = _accepted(found.pick(slice(None, of_leads)), hidden, n, rules)
    events, run_of = _events(found.pick(slice(of_leads, None)), votes, runs, n_leads, n, rules)
    smoothed = smooth(signal, _SMOOTH) if len(events) else signal
    shown = np.ones(n_leads, bool) if lead_mask is None else lead_mask
    kept = _credible(events, smoothed, shown, rules) & ~_beside_gap(events, votes, rules)
    events, run_of = events.pick(kept), run_of[:, kept]
    clear = _clear(events, runs, run_of, votes, rules)
    slots, lone, regular = _slots(events, clear, n, rules)
    run_of = np.where(_faint(runs, run_of, rules) & (events.row == _P) & ~regular, -1, run_of)
    beats = _placed(runs, run_of, slots, signal, smoothed, fs, rules)
    there = ~np.isnan(beats[-1, :, _QRS, _PEAK])
    beats, slots = beats[:, there], slots[there]
    top = events.top[slots[:, _QRS]]
    noise = _noise(signal, smoothed, shown, beats[-1, :, _QRS], top, fs, rules)
    noise |= without_t(~np.isnan(beats[-1, :, _T, _PEAK]), events.pick(slots[:, _QRS]), rules)
    alone = np.empty((n_leads + 1, 0, 3))
    if len(lone):
        alone = _placed(runs, run_of, lone, signal, smoothed, fs, rules)[:, :, _P]
        there = ~np.isnan(alone[-1]).all(axis=-1)
        if noise.all():  # no beat either: P waves by themselves are asked the same
            top = events.top[lone[there, _P]]
            asked = replace(rules, alone_bpm=0.0)  # no T wave follows them
            there[there] &= ~_noise(signal, smoothed, shown, alone[-1, there], top, fs, asked)
        alone = alone[:, there]
    beats = beats[:, ~noise]
    return Waves(beats[:-1], beats[-1], alone)


def _noise(
    signal: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    shown: NDArray[np.bool_],
    waves: NDArray[np.float64],
    top: NDArray[np.float32],
    fs: float,
    rules: Rules,
) -> NDArray[np.bool_]:
    """(K,): waves, (K, 3) in samples at `fs`, that noise may have made."""
    return doubtful_hearts(signal, smoothed, shown, waves * (FS / fs), top, rules)


def _placed(
    runs: Runs,
    run_of: NDArray[np.int64],
    slots: NDArray[np.int64],
    signal: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    fs: float,
    rules: Rules,
) -> NDArray[np.float64]:
    """(row, slot, wave, fiducial) in samples at `fs`; NaN = absent. The last row is over all leads."""
    table = _table(runs, run_of, slots, len(signal), rules)
    _order(table, rules)
    _find_peaks(table, signal, smoothed)
    found = _samples(table, fs)
    known: NDArray[np.bool_] = np.asarray(~np.isnan(found).all(axis=-1))
    found[:, ~(known[-1] & known[:-1].any(axis=0))] = np.nan
    return found


def _columns(ms: tuple[float, float, float]) -> NDArray[np.int64]:
    return np.round(np.array(ms) * (WAVES_FS / 1000)).astype(np.int64)


def _hidden(missing: NDArray[np.bool_], n: int, rules: Rules) -> NDArray[np.bool_] | None:
    """(L, N): outputs that lie in a long gap; None if there is none."""
    n_leads, n_samples = missing.shape
    padded = np.zeros((n_leads, n_samples + 2), bool)
    padded[:, 1:-1] = missing
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    start, stop = edges[::2], edges[1::2]
    long = stop - start > rules.missing_ms * (FS / 1000)
    if not long.any():
        return None
    step = np.zeros(flat.shape, np.int8)
    step[start[long]], step[stop[long]] = 1, -1
    gaps = (
        np.cumsum(step, dtype=np.int8).astype(bool).reshape(padded.shape)[:, 1:]
    )  # one sample more at the end
    first = np.minimum(2 * np.arange(n), gaps.shape[1] - 1)
    return gaps[:, first] | gaps[:, np.minimum(first + 1, gaps.shape[1] - 1)]


def _accepted(runs: Runs, hidden: NDArray[np.bool_] | None, n: int, rules: Rules) -> Runs:
    """The runs that a lead shows by itself: high enough, long enough, away from gaps."""
    wave = runs.row % 3
    enough = runs.top >= np.array((rules.p_low, *rules.lead_level[1:]), np.float32)[wave]
    enough &= runs.offset - runs.onset >= np.array(rules.shortest_ms)[wave] * (WAVES_FS / 1000)
    if hidden is not None and len(runs):
        lead = runs.row // 3
        before = np.clip(np.floor(runs.onset).astype(np.int64) - 1, 0, n - 1)
        after = np.clip(np.ceil(runs.offset).astype(np.int64) + 1, 0, n - 1)
        so_far = np.cumsum(hidden, axis=1, dtype=np.int64)
        enough &= (so_far[lead, after] == so_far[lead, before]) & ~hidden[lead, before]
    return runs.pick(enough)


def _events(
    pooled: Runs, votes: NDArray[np.float64], runs: Runs, n_leads: int, n: int, rules: Rules
) -> tuple[Runs, NDArray[np.int64]]:
    """Events, their ``row`` being the wave, and (L, E) which run of each lead belongs to each event; -1 = none."""
    pooled = replace(pooled, row=pooled.row - 3 * n_leads)
    events = pooled.pick(
        pooled.top >= np.array((rules.p_low, *rules.event_level[1:]), np.float32)[pooled.row]
    )
    run_of = np.full((n_leads, len(events)), -1, np.int64)
    if not len(events) or not len(runs):
        return events.pick(np.zeros(len(events), bool)), run_of[:, :0]
    apart = 2.0 * n + 1000
    at, wave = events.row * apart + events.centre, runs.row % 3
    near = np.searchsorted(0.5 * (at[1:] + at[:-1]), wave * apart + runs.centre)
    tolerance = rules.tolerance_ms * (WAVES_FS / 1000)
    fits = (events.row[near] == wave) & (runs.onset <= events.offset[near] + tolerance)
    fits &= runs.offset >= events.onset[near] - tolerance
    which = np.flatnonzero(fits)
    which = which[np.argsort(runs.mass[which], kind="stable")]
    run_of[runs.row[which] // 3, near[which]] = which  # of several the last, which is the heaviest, stays
    seen = np.flatnonzero(((run_of >= 0).sum(axis=0) >= _needed(votes, rules)) & ~_doubtful(events, rules))
    kept = np.concatenate(
        [_thinned(events, seen[events.row[seen] == wave], wave, rules) for wave in range(3)]
    )
    return events.pick(kept), run_of[:, kept]


def _needed(votes: NDArray[np.float64], rules: Rules) -> int:
    """Leads that must show a wave."""
    return max(1, int(np.ceil(rules.lead_share * votes.max() - 1e-9)))


def _faint(runs: Runs, run_of: NDArray[np.int64], rules: Rules) -> NDArray[np.bool_]:
    """(L, E): a lead's run whose own probability would not do for a P."""
    if not len(runs):
        return np.zeros(run_of.shape, bool)
    return np.logical_and(run_of >= 0, runs.top[run_of] < rules.lead_level[_P])


def _clear(
    events: Runs, runs: Runs, run_of: NDArray[np.int64], votes: NDArray[np.float64], rules: Rules
) -> NDArray[np.bool_]:
    """(E,): events that are a P by themselves, pooled and in enough leads."""
    leads = ((run_of >= 0) & ~_faint(runs, run_of, rules)).sum(axis=0)
    return (events.row == _P) & (events.top >= rules.event_level[_P]) & (leads >= _needed(votes, rules))


def _credible(
    events: Runs, smoothed: NDArray[np.float32], shown: NDArray[np.bool_], rules: Rules
) -> NDArray[np.bool_]:
    """All events but QRS that are not sure (or cut), do not stand out of the trace, and are not one of a fast run."""
    kept = np.ones(len(events), bool)
    qrs = np.flatnonzero(events.row == _QRS)
    cut = events.cut_onset[qrs] | events.cut_offset[qrs]
    unsure = qrs[(events.top[qrs] < rules.sure_level) | cut]
    if len(unsure):
        at, here = events.centre[qrs], events.centre[unsure]
        span = rules.run_ms * (WAVES_FS / 1000)
        until = lambda time: np.searchsorted(at, time, side="right")  # noqa: E731
        after, before = until(here + span) - until(here) + 1, until(here) - until(here - span)
        around = until(here + 0.5 * span) - until(here - 0.5 * span)
        near = np.maximum(np.maximum(after, before), around)
        onset, offset = 2 * events.onset[unsure], 2 * events.offset[unsure]
        lost = prominence(smoothed, shown, onset, offset) < rules.prominence
        kept[unsure] = ~lost | (near >= rules.run_beats)
    return kept


def _beside_gap(events: Runs, votes: NDArray[np.float64], rules: Rules) -> NDArray[np.bool_]:
    """QRS events next to a gap of all leads that are not sure: a P or T whose neighbour is hidden looks like one."""
    if votes.all():
        return np.zeros(len(events), bool)
    so_far = np.concatenate([[0], np.cumsum(votes == 0)])
    reach, n = rules.beside_ms * (WAVES_FS / 1000), len(so_far) - 1
    first = np.clip(np.floor(events.onset - reach), 0, n).astype(np.int64)
    last = np.clip(np.ceil(events.offset + reach), 0, n).astype(np.int64)
    return (events.row == _QRS) & (events.top < rules.beside_level) & (so_far[last] > so_far[first])


def _doubtful(events: Runs, rules: Rules) -> NDArray[np.bool_]:
    """QRS events, each in doubt, that have a surer one near by."""
    distance = rules.doubtful_ms * (WAVES_FS / 1000)
    top, centre, qrs = events.top, events.centre, events.row == _QRS
    close = qrs[1:] & qrs[:-1] & (np.diff(centre) < distance)
    surer_before, surer_after = np.zeros(len(top), bool), np.zeros(len(top), bool)
    surer_before[1:] = close & (top[:-1] > top[1:])
    surer_after[:-1] = close & (top[1:] > top[:-1])
    return (surer_before | surer_after) & (top < rules.doubtful_level)


def _thinned(events: Runs, which: NDArray[np.int64], wave: int, rules: Rules) -> NDArray[np.int64]:
    """Without those that follow too closely on, or precede, a heavier one of the same kind."""
    distance = rules.refractory_ms * (WAVES_FS / 1000)
    while wave != _T and len(which) > 1:
        centre, mass = events.centre[which], events.mass[which]
        close = np.diff(centre) < distance
        if not close.any():
            break
        first_wins = mass[:-1] >= mass[1:]
        loses_left, loses_right = np.r_[False, close & first_wins], np.r_[close & ~first_wins, False]
        wins = ~(loses_left | loses_right)
        which = which[~((loses_left & np.r_[False, wins[:-1]]) | (loses_right & np.r_[wins[1:], False]))]
    return which


def _slots(
    events: Runs, clear: NDArray[np.bool_], n: int, rules: Rules
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """(K, 3) the events of each beat, (M, 3) those of each lone P, -1 = none; (E,) which P come in a regular series."""
    per_ms = WAVES_FS / 1000
    p, qrs, t = (np.flatnonzero(events.row == wave) for wave in range(3))
    slots = np.full((len(qrs), 3), -1, np.int64)
    slots[:, _QRS] = qrs
    centre, onset = events.centre, events.onset
    beat = np.searchsorted(centre[qrs], centre[t]) - 1
    good = beat >= 0
    good[good] = onset[t[good]] - centre[qrs[beat[good]]] <= rules.t_reach_ms * per_ms
    t, beat = t[good], beat[good]
    heavy = np.argsort(events.mass[t], kind="stable")
    slots[beat[heavy], _T] = t[heavy]
    beat = np.searchsorted(centre[qrs], centre[p])
    good = beat < len(qrs)
    good[good] = onset[qrs[beat[good]]] - events.offset[p[good]] <= rules.p_reach_ms * per_ms
    after_t = np.full(len(qrs) + 1, -np.inf)
    has_t = np.flatnonzero(slots[:, _T] >= 0)
    after_t[has_t + 1] = centre[slots[has_t, _T]]
    good &= centre[p] > after_t[np.minimum(beat, len(qrs))]
    has_clear = np.zeros(len(qrs), bool)
    has_clear[beat[good & clear[p]]] = True
    good[good] = clear[p[good]] | ~has_clear[beat[good]]
    heaviest = np.zeros(len(qrs), np.float32)
    np.maximum.at(heaviest, beat[good], events.mass[p[good]])
    good[good] = events.mass[p[good]] >= rules.p_share * heaviest[beat[good]]
    slots[beat[good], _P] = p[good]  # in the order of time: the last stays
    begun = (beat == len(qrs)) & (
        events.offset[p] > n - 1 - rules.p_reach_ms * per_ms
    )  # its QRS may come later
    taken = np.zeros(len(events) + 1, bool)
    taken[slots[:, _P]] = True  # -1 = none is the one more
    lone = p[(events.top[p] >= rules.lone_level) & clear[p] & ~begun & ~taken[p]]
    at_p = slots[:, _P]
    sure = np.where((at_p >= 0) & np.append(clear, False)[at_p], at_p, -1)
    pr = np.where(at_p >= 0, onset[qrs] - np.append(centre, 0.0)[at_p], np.nan) / per_ms
    expected = in_series(pr, sure >= 0, rules)
    slots[((sure < 0) | unsupported(sure, events.top, rules)) & ~expected, _P] = -1
    regular = np.zeros(len(events) + 1, bool)
    regular[at_p[expected]] = True
    alone = np.full((len(lone), 3), -1, np.int64)
    alone[:, _P] = lone
    return slots, alone, regular[:-1]


def _table(
    runs: Runs, run_of: NDArray[np.int64], slots: NDArray[np.int64], n_leads: int, rules: Rules
) -> _Table:
    """The waves of each lead in their slots and, in the last row, over all leads."""
    run = np.full((n_leads, *slots.shape), -1, np.int64)
    if run_of.size:
        run = np.where(slots >= 0, run_of[:, slots], -1)
    there = run >= 0
    if not len(runs):
        there = np.zeros((n_leads + 1, *slots.shape), bool)
        return _Table(there, np.zeros(there.shape), np.zeros(there.shape), there.copy(), there.copy())
    onset = np.where(there, 2.0 * runs.onset[run] + 0.5, np.inf)
    offset = np.where(there, 2.0 * runs.offset[run] + 0.5, -np.inf)
    cut_onset = np.logical_and(there, runs.cut_onset[run])
    cut_offset = np.logical_and(there, runs.cut_offset[run])
    n_seen = there.sum(axis=0)
    rank = np.where(n_seen >= rules.rank_leads, np.minimum(rules.rank, np.maximum(n_seen - 1, 0)), 0)[None]
    first = np.take_along_axis(np.sort(onset, axis=0), rank, axis=0)
    last = -np.take_along_axis(np.sort(-offset, axis=0), rank, axis=0)
    add = lambda rows, row: np.concatenate([rows, row])  # noqa: E731
    return _Table(
        add(there, (n_seen > 0)[None]),
        add(onset, first),
        add(offset, last),
        add(cut_onset, np.any(cut_onset, axis=0, keepdims=True)),
        add(cut_offset, np.any(cut_offset, axis=0, keepdims=True)),
    )


def _order(table: _Table, rules: Rules) -> None:
    """Make each row increase in time, in place: overlaps are divided (QRS keeps its own), too short waves are dropped."""
    n_rows, n_slots, _ = table.there.shape
    wave = np.tile(np.arange(3), n_slots)
    shortest = np.array(rules.shortest_ms)[wave] * (FS / 1000)
    there = table.there.reshape(n_rows, -1)
    onset, offset = table.onset.reshape(n_rows, -1), table.offset.reshape(n_rows, -1)
    while there.size:
        span = np.where(there, offset, 0.0) - np.where(there, onset, 0.0)
        there &= span >= shortest
        row, at = np.nonzero(there)
        a, b = (row[:-1], at[:-1]), (row[1:], at[1:])
        over = np.flatnonzero((a[0] == b[0]) & (offset[a] > onset[b]))
        if not len(over):
            break
        a, b = (a[0][over], a[1][over]), (b[0][over], b[1][over])
        first, second = wave[a[1]] == _QRS, wave[b[1]] == _QRS
        middle = 0.5 * (offset[a] + onset[b])
        border = np.where(first & ~second, offset[a], np.where(second & ~first, onset[b], middle))
        offset[a] = onset[b] = border
    table.there &= table.there[-1] & table.there[:-1].any(axis=0)


def _find_peaks(table: _Table, signal: NDArray[np.float32], smoothed: NDArray[np.float32]) -> None:
    """Fill in the peaks, in place: of QRS in the trace, of P and T in the smoothed trace."""
    table.peak = np.full(table.there.shape, np.nan)
    for wave, trace in enumerate((smoothed, signal, smoothed)):
        there, peak = table.there[:, :, wave], table.peak[:, :, wave]
        onset, offset = table.onset[:, :, wave], table.offset[:, :, wave]
        seen, known = there[:-1], there[-1]
        peak[:-1][seen] = lead_peaks(trace, np.nonzero(seen)[0], onset[:-1][seen], offset[:-1][seen])
        peak[-1][known] = vector_peaks(trace, seen[:, known], onset[-1][known], offset[-1][known])


def _samples(table: _Table, fs: float) -> NDArray[np.float64]:
    """(row, slot, wave, fiducial) in samples at `fs`; NaN where absent or cut."""
    near = 2.0  # samples: the largest value so close to a cut is no peak, and a QRS without a peak no beat
    lost: NDArray[np.bool_] = np.asarray(table.cut_onset & (table.peak - table.onset < near))
    lost |= table.cut_offset & (table.offset - table.peak < near)
    onset = np.where(table.there & ~table.cut_onset, table.onset, np.nan)
    peak = np.where(table.there & ~lost, table.peak, np.nan)
    offset = np.where(table.there & ~table.cut_offset, table.offset, np.nan)
    return np.stack([onset, peak, offset], axis=-1) * (fs / FS)
