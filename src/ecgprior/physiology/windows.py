"""A record as the wave network reads it, and its probabilities over records of any length.

The trace is resampled to 250 Hz; rails and a loud hum are taken off; what is missing is bridged by a straight line and remembered. Windows are at most
10.24 s long; longer records are read in overlapping windows, of which the middle parts are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..record.filters import resample_array
from .decode import FS
from .hum import without_hum

WINDOW = 2560
"""Samples at 250 Hz of the longest window: 10.24 s."""

_HOP = 2048
_MULTIPLE = 32  # the network takes multiples of so many samples
_AWAY = 250  # samples: a lead that is missing for so long is absent meanwhile …
_SPAN = 375  # … where the stretches that it makes are at least so long
_CONTEXT = 128  # samples beyond such a stretch that are read with it: leads that go on show a beat at its border whole
_ROWS = 48  # leads × windows of one call: what a cache of a few MB holds
FLAT_MV = 0.01
"""A lead with a smaller range was not recorded."""

RAIL_MV = 4.0
"""From here on an amplifier may be at its end."""

_CLIP_MV = 20.0  # no heart reaches this; from here on float32 and filters lose the rest of the trace

Network = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]
"""What :class:`~ecgprior.physiology.network.WaveNetwork` is: (signal, lead_mask) → probabilities."""


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """One record, or a part of it, at 250 Hz.

    Attributes
    ----------
    signal : ndarray, float32, (L, T), mV
        Finite: gaps are bridged, leads without any sample are 0.
    lead_mask : ndarray, bool, (L,)
        False = not recorded: no sample at all, or a range below 10 µV.
    missing : ndarray, bool, (L, T), or None
        Samples that lie in a gap; None = there is no gap.
    fs : float
        The rate in Hz that it was resampled from.
    """

    signal: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]
    missing: NDArray[np.bool_] | None
    fs: float


def trace_of(signal: NDArray[np.float32], fs: float) -> Trace:
    """The trace of (L, T) millivolts at `fs` between 40 and 20,000 Hz; NaN, infinite samples and rails are gaps."""
    finite = np.isfinite(signal) & ~at_rail(signal, fs)
    whole = bool(finite.all())
    if not whole:
        signal = np.where(finite, signal, np.float32(np.nan))
    signal = _clipped(signal, whole)
    rate = near_fraction(fs)
    at_250 = resample_array(signal, rate, FS)
    missing = None
    if not whole:
        missing = np.isnan(at_250)
        at_250 = _bridged(at_250, missing)
    at_250 = without_hum(at_250, FS)
    span = at_250.max(axis=1) - at_250.min(axis=1)
    lead_mask = np.asarray(span >= FLAT_MV)
    if missing is not None:
        lead_mask &= ~missing.all(axis=1)
    return Trace(at_250, lead_mask, missing, rate)


def at_rail(signal: NDArray[np.float32], fs: float) -> NDArray[np.bool_]:
    """Where an amplifier stands at its end: one and the same value, 4 mV or more, for 40 ms; and 20 ms on either side."""
    rail = np.zeros(signal.shape, bool)
    for row in np.flatnonzero((np.abs(signal) >= RAIL_MV).any(axis=1)):
        lead = signal[row]
        same = (lead[1:] == lead[:-1]) & (np.abs(lead[1:]) >= RAIL_MV)
        edges = np.flatnonzero(np.diff(np.r_[False, same, False]))
        for start, stop in edges.reshape(-1, 2):
            if stop - start >= 0.04 * fs:
                rail[row, max(0, start - round(0.02 * fs)) : stop + 1 + round(0.02 * fs)] = True
    return rail


def probabilities(network: Network, traces: Sequence[Trace]) -> list[NDArray[np.float32]]:
    """The network's output for each trace.

    Parameters
    ----------
    network : callable
    traces : sequence of Trace
        Those with equal numbers of leads and samples share calls.

    Returns
    -------
    list of ndarray, float32, (L, 4, T // 2)
    """
    out = [np.empty((len(t.signal), 4, t.signal.shape[1] // 2), np.float32) for t in traces]
    groups: dict[tuple[int, int], list[_Window]] = {}
    for index, trace in enumerate(traces):
        for start, stop, leads in _spans(trace):
            if not leads.any():
                out[index][:, :, start // 2 : stop // 2] = np.array([1, 0, 0, 0], np.float32)[:, None]
                continue
            begin, end = max(0, start - _CONTEXT), min(trace.signal.shape[1], stop + _CONTEXT)
            n = end - begin
            length = WINDOW if n > WINDOW else -(-n // _MULTIPLE) * _MULTIPLE
            for at, first, last in _windows(n):
                at, first, last = (
                    begin + at,
                    max(begin // 2 + first, start // 2),
                    min(begin // 2 + last, stop // 2),
                )
                if first < last:
                    window = _Window(index, at, min(at + length, end), first, last, leads)
                    groups.setdefault((len(leads), length), []).append(window)
    for (n_leads, length), windows in groups.items():
        size = max(1, _ROWS // n_leads)
        for begin in range(0, len(windows), size):
            _run(network, traces, windows[begin : begin + size], length, out)
    return out


class _Window(NamedTuple):
    """What is read of a trace, in samples at 250 Hz, and the outputs (at 125 Hz) that are taken from it."""

    trace: int
    start: int
    stop: int
    first: int
    last: int
    leads: NDArray[np.bool_]


def _spans(trace: Trace) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """Start, stop and leads of the stretches in which the same leads have signal: one, but for pages and the like.

    A page of 3 × 4 shows each lead for a quarter of the time. Read as one window, its lines would outvote the leads.
    """
    n = trace.signal.shape[1]
    whole = [(0, n, trace.lead_mask)]
    if trace.missing is None:
        return whole
    away = np.zeros((len(trace.missing), n + 2), np.int8)
    away[:, 1:-1] = trace.missing & trace.lead_mask[:, None]
    edges = np.diff(away, axis=1)
    (lead, start), (_, stop) = np.nonzero(edges > 0), np.nonzero(edges < 0)
    long = stop - start >= _AWAY
    if not long.any():
        return whole
    cuts = [0]
    for cut in np.unique(np.concatenate([start[long], stop[long]]) // 2 * 2):
        if cut - cuts[-1] >= _SPAN and n - cut >= _SPAN:
            cuts.append(int(cut))
    present = np.repeat(trace.lead_mask[:, None], n, axis=1)
    for row, a, b in zip(lead[long], start[long], stop[long]):
        present[row, a:b] = False
    return [(a, b, present[:, a:b].mean(axis=1) > 0.5) for a, b in zip(cuts, [*cuts[1:], n])]


def _run(
    network: Network,
    traces: Sequence[Trace],
    windows: Sequence[_Window],
    length: int,
    out: list[NDArray[np.float32]],
) -> None:
    """One call of the network; the kept part of each window is written to its place."""
    lead_mask = np.stack([window.leads for window in windows])
    signal = np.empty((*lead_mask.shape, length), np.float32)
    for row, window in enumerate(windows):
        part = traces[window.trace].signal[:, window.start : window.stop]
        signal[row, :, : part.shape[1]] = part
        signal[row, :, part.shape[1] :] = part[:, -1:]  # the last sample goes on for less than 0.13 s
    signal *= lead_mask[:, :, None]
    waves = network(signal, lead_mask)
    for row, (index, start, _, first, last, _) in enumerate(windows):
        out[index][:, :, first:last] = waves[row, :, :, first - start // 2 : last - start // 2]


def _windows(n: int) -> Iterator[tuple[int, int, int]]:
    """Start of each window (samples at 250 Hz), and the outputs (at 125 Hz) that are taken from it."""
    if n <= WINDOW:
        yield 0, 0, n // 2
        return
    starts = [*range(0, n - WINDOW, _HOP), (n - WINDOW + 1) // 2 * 2]  # even: outputs stand for two samples
    first = 0
    for start, after in zip(starts, [*starts[1:], None]):
        stop = n // 2 if after is None else (start + WINDOW + after) // 4
        yield start, first, stop
        first = stop


def _clipped(signal: NDArray[np.float32], whole: bool) -> NDArray[np.float32]:
    """Without values that no heart makes: the median is taken off and ±20 mV is the limit, where there are any."""
    largest = np.abs(signal).max() if whole else np.nanmax(np.abs(signal), initial=0.0)
    if largest <= _CLIP_MV:
        return signal
    out = signal.copy()
    for row in out:  # rare
        known = row[~np.isnan(row)]
        if len(known):
            row -= np.median(known)
    return np.clip(out, -_CLIP_MV, _CLIP_MV, out=out)


def _bridged(x: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    at = np.arange(x.shape[1])
    for row in np.flatnonzero(missing.any(axis=1)):
        gap = missing[row]
        x[row, gap] = 0.0 if gap.all() else np.interp(at[gap], at[~gap], x[row, ~gap])
    return x


def near_fraction(fs: float) -> float:
    """`fs`, or for an odd one the nearest rate that has a small common fraction with 250 Hz."""
    return float(Fraction(fs).limit_denominator(max(1, int(50_000 / fs))))
