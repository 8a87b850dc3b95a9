"""Onset, peak and offset of every P, QRS and T wave, in each lead and over all leads.

A small U-Net (the encoder ``lead_unet``) gives each lead's probabilities of the waves, seeing all leads at once
(:mod:`~ecgprior.physiology.network`); a decoder turns them into ordered waves (:mod:`~ecgprior.physiology.decode`).
Records of any length: above ten minutes in overlapping blocks, so that memory stays bounded.

**Source**: Peimankar & Puthusserypady 2021, DENS-ECG, doi 10.1016/j.eswa.2020.113911; Jimenez-Perez et al. 2021,
doi 10.1038/s41598-020-79512-7 (U-Net on single leads); Moskalenko et al. 2020, arXiv 2001.04689 (U-Net on LUDB).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice

import numpy as np

from ..record.beats import Delineation
from ..record.record import Record
from .decode import FS, Waves, decode
from .network import shipped
from .rules import RULES, Rules
from .windows import Network, Trace, near_fraction, probabilities, trace_of

LOWEST_HZ, HIGHEST_HZ = 40.0, 20_000.0
"""Rates that are delineated: below, a QRS is a sample or two; above, no ECG is recorded."""

_SHORTEST_S = 1.0
_BLOCK_S, _OVERLAP_S = 600.0, 10.0
_JOIN_S = 0.2  # beats of two blocks closer than this are one


def delineate(record: Record, *, network: Network | None = None, rules: Rules = RULES) -> Delineation:
    """All waves of one record.

    Parameters
    ----------
    record : Record
        Any leads in any order, one or more; 40 to 20,000 Hz.
    network : WaveNetwork or None
        None = the one that comes with the package.
    rules : Rules
        How probabilities become waves.

    Returns
    -------
    Delineation
        What is absent is NaN: a P in fibrillation, a wave too small to be seen in a lead, a lead that was not recorded
        or is flat, a wave that touches a gap of more than 40 ms. Records shorter than 1 s, or of a rate outside 40 to
        20,000 Hz, have no beat.

    Raises
    ------
    CheckpointError
        The network cannot be loaded. No signal raises.

    Examples
    --------
    >>> from ecgprior.simulator.simulate import simulate
    >>> waves = delineate(next(simulate(1, seed=3, causes=["NORM"])).record)
    >>> waves.table().columns
    ['lead', 'wave', 'beat', 'onset', 'peak', 'offset']
    """
    return delineate_many([record], network=network, rules=rules)[0]


def delineate_many(
    records: Iterable[Record], *, network: Network | None = None, batch: int = 32, rules: Rules = RULES
) -> list[Delineation]:
    """All waves of many records, faster than one by one: records of equal shape share calls of the network.

    Parameters
    ----------
    records : iterable of Record
    network : WaveNetwork or None
        None = the one that comes with the package.
    batch : int, default 32
        So many records are held at a time.
    rules : Rules
        How probabilities become waves.

    Returns
    -------
    list of Delineation
        In the order of the records; the same as :func:`delineate` gives for each.

    Raises
    ------
    CheckpointError
        The network cannot be loaded.
    """
    run = shipped() if network is None else network
    out: list[Delineation] = []
    rest = iter(records)
    while held := list(islice(rest, max(1, batch))):
        short = [
            i for i, record in enumerate(held) if _fits(record) and record.seconds <= _BLOCK_S + _OVERLAP_S
        ]
        traces = [trace_of(held[i].signal, held[i].fs) for i in short]
        found = dict(zip(short, map(_decoded, probabilities(run, traces), traces, [rules] * len(short))))
        for i, record in enumerate(held):
            if i not in found:
                found[i] = _long(record, run, rules) if _fits(record) else _nothing(record)
            out.append(Delineation(record.leads, *found[i]))
    return out


def _fits(record: Record) -> bool:
    return LOWEST_HZ <= record.fs <= HIGHEST_HZ and record.seconds >= _SHORTEST_S


def _decoded(waves: np.ndarray, trace: Trace, rules: Rules) -> Waves:
    return decode(
        waves, trace.signal, fs=trace.fs, lead_mask=trace.lead_mask, missing=trace.missing, rules=rules
    )


def _nothing(record: Record) -> Waves:
    n_leads = len(record.leads)
    return Waves(np.empty((n_leads, 0, 3, 3)), np.empty((0, 3, 3)), np.empty((n_leads + 1, 0, 3)))


def _long(record: Record, network: Network, rules: Rules) -> Waves:
    """Block by block: of each block the beats between its first and last overlap."""
    parts = [_nothing(record)]
    last_beat = last_p = -np.inf
    for part, start, stop in _blocks(record, network, rules):
        beat, lone = part.global_[:, 1, 1], np.fmax(part.lone_p[-1, :, 0], part.lone_p[-1, :, 1])
        kept = (beat >= start) & (beat < stop) & (beat > last_beat + _JOIN_S * record.fs)
        kept_p = (lone >= start) & (lone < stop) & (lone > last_p + _JOIN_S * record.fs)
        last_beat, last_p = max([last_beat, *beat[kept][-1:]]), max([last_p, *lone[kept_p][-1:]])
        parts.append(Waves(part.points[:, kept], part.global_[kept], part.lone_p[:, kept_p]))
    points, over_all, lone_p = zip(*parts)
    return Waves(np.concatenate(points, 1), np.concatenate(over_all), np.concatenate(lone_p, 1))


def _blocks(record: Record, network: Network, rules: Rules) -> Iterator[tuple[Waves, float, float]]:
    """Each block's waves in the record's samples, and from where to where they are to be kept.

    A block is kept from a little before its own part on: a beat on the border, which two blocks may place a sample
    apart, is in one of them for certain. Blocks begin where a probability's time is a whole sample, if there is such a
    place near by, so that it does not matter how a record is cut.
    """
    fs, n = record.fs, record.n_samples
    size, overlap, join = int(_BLOCK_S * fs), int(_OVERLAP_S * fs), _JOIN_S * fs
    grid = 2 * (Fraction(near_fraction(fs)).limit_denominator(10_000) / Fraction(FS)).numerator
    for start in range(0, n, size):
        stop = n if start + size + overlap >= n else start + size
        first = max(0, start - overlap)
        first -= first % grid if grid <= overlap else 0
        trace = trace_of(record.signal[:, first : min(n, stop + overlap)], fs)
        waves = _decoded(probabilities(network, [trace])[0], trace, rules)
        yield Waves(*(array + first for array in waves)), start - join if start else 0.0, stop
        if stop == n:
            return
