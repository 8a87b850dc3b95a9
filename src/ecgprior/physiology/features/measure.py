"""Measure an ECG: every feature of the registry, by name, with the reason of each that could not be had.

>>> import ecgprior as ep
>>> ecg = next(ep.simulate(1, seed=3, causes=["NORM"]))
>>> features = measure(ecg.record, ecg.delineation)
>>> 60 < features["qrs_ms"] < 110
True
>>> ep.FEATURES["qtc_fridericia_ms"].definition
'QT / ∛RR: median QT in ms, mean RR in s.'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import ShapeError, unknown_name
from ...record.amplitude import other_unit
from ...record.beats import Delineation
from ...record.record import LEADS, Record, canonical_lead
from .measured import Measured
from .per_beat import QUANTITIES
from .reasons import SENTENCES, Reason
from .registry import FEATURES, feature_names

_AT_ONCE, _SAMPLES_AT_ONCE = 32, 80_000
"""Records, and samples of a lead, that are measured together at most."""


@dataclass(frozen=True, eq=False, slots=True)
class Features(Mapping[str, float]):
    """Measured features of one ECG: a mapping of name to value.

    Attributes
    ----------
    values_by_name : mapping of str to float
        NaN = not measurable.
    reasons : mapping of str to str
        For every NaN, one sentence that says why.

    Raises
    ------
    UnknownName
        On a name that is no feature of this record.
    """

    values_by_name: Mapping[str, float]
    reasons: Mapping[str, str]

    def __getitem__(self, name: str) -> float:
        if name not in self.values_by_name:
            raise unknown_name("feature", name, self.values_by_name)
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def __contains__(self, name: object) -> bool:
        return name in self.values_by_name

    def __repr__(self) -> str:
        return f"Features({len(self)} values, {len(self.reasons)} of them not measurable)"

    def table(self) -> pl.DataFrame:
        """One row a feature.

        Returns
        -------
        polars.DataFrame
            ``name`` str, ``value`` float64 (null = not measurable), ``unit`` str, ``reason`` str (null = measured).
        """
        names = list(self)
        frame = {
            "name": names,
            "value": list(self.values_by_name.values()),
            "unit": [FEATURES[name.partition(".")[0]].unit for name in names],
            "reason": [self.reasons.get(name) for name in names],
        }
        schema = {"name": pl.String, "value": pl.Float64, "unit": pl.String, "reason": pl.String}
        return pl.DataFrame(frame, schema=schema).with_columns(pl.col("value").fill_nan(None))


def measure(record: Record, delineation: Delineation | None = None) -> Features:
    """Measure one ECG.

    Parameters
    ----------
    record : Record
        Any leads, any rate; in mV, not normalised and not filtered: baseline wander is taken off beat by beat. Nothing
        is measured where the amplitudes say that they are in another unit; the reason names it.
    delineation : Delineation or None
        Of the same leads at the same rate; None: :func:`ecgprior.delineate` is asked.

    Returns
    -------
    Features
        Names of :func:`~ecgprior.physiology.features.registry.feature_names` for the record's leads.

    Raises
    ------
    ShapeError
        The delineation is of other leads. Never for what the signal is like.
    """
    if delineation is None:
        from ..delineate import delineate

        delineation = delineate(record)
    values, codes = measure_many([record], [delineation], leads=record.leads)
    names = feature_names(record.leads)
    why = {names[k]: reason_text(names[k], int(codes[0, k])) for k in np.flatnonzero(codes[0])}
    if codes[0, 0] == Reason.UNIT:
        why = dict.fromkeys(names, other_unit(record))
    by_name = dict(zip(names, values[0].tolist()))
    return Features(MappingProxyType(by_name), MappingProxyType(why))


def measure_many(
    records: Iterable[Record], delineations: Iterable[Delineation], *, leads: Sequence[str] = LEADS
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Measure many ECGs into one table.

    Parameters
    ----------
    records : iterable of Record
    delineations : iterable of Delineation
        As many, each of its record's leads.
    leads : sequence of str
        Leads of the columns; one that a record does not have is NaN there, "lead is missing".

    Returns
    -------
    values : ndarray, float64, (N, F)
        Columns :func:`~ecgprior.physiology.features.registry.feature_names` of `leads`; NaN = not measurable.
    codes : ndarray, uint8, (N, F)
        :class:`~ecgprior.physiology.features.reasons.Reason` of each NaN; 0 = measured.

    Raises
    ------
    ShapeError
        A delineation is of other leads than its record.
    """
    leads = tuple(canonical_lead(lead) for lead in leads)
    width = len(feature_names(leads))
    pieces = [(np.zeros((0, width)), np.zeros((0, width), np.uint8))]
    pairs = zip(records, delineations, strict=True)
    while held := list(islice(pairs, _AT_ONCE)):
        values, codes = np.empty((len(held), width)), np.empty((len(held), width), np.uint8)
        for group in _alike(held):
            of_group = Measured(*zip(*(held[k] for k in group)))
            values[group], codes[group] = _rows(of_group, leads)
        wrong = [bool(other_unit(record)) for record, _ in held]
        values[wrong], codes[wrong] = np.nan, Reason.UNIT
        pieces.append((values, codes))
    return np.concatenate([v for v, _ in pieces]), np.concatenate([c for _, c in pieces])


def _alike(pairs: list[tuple[Record, Delineation]]) -> Iterator[list[int]]:
    """Places of records of equal rate, leads and length, so many at a time that memory stays bounded."""
    groups: dict[tuple[float, tuple[str, ...], int], list[int]] = {}
    for k, (record, delineation) in enumerate(pairs):
        if delineation.leads != record.leads:
            raise ShapeError(
                f"delineation: expected the record's leads {', '.join(record.leads)}, got {', '.join(delineation.leads)}"
            )
        groups.setdefault((record.fs, record.leads, record.n_samples), []).append(k)
    for (_, _, n_samples), places in groups.items():
        size = max(1, _SAMPLES_AT_ONCE // n_samples)
        yield from (places[low : low + size] for low in range(0, len(places), size))


def _rows(m: Measured, leads: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Every feature of each record, a row a record: (N, F) each."""
    whole, whole_codes, of_leads, lead_codes = m.run()
    if leads != m.leads:
        of_leads, lead_codes = _columns(of_leads, lead_codes, m.leads, leads)
    rows = lambda a, b: np.concatenate([a, b.reshape(-1, m.n_records)]).T  # noqa: E731
    return rows(whole, of_leads), rows(whole_codes, lead_codes)


def _columns(
    values: NDArray[np.float64], codes: NDArray[np.uint8], have: tuple[str, ...], want: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Values of the leads wanted, in their order."""
    place = [have.index(lead) if lead in have else len(have) for lead in want]
    more = ((0, 0), (0, 1), (0, 0))
    values = np.pad(values, more, constant_values=np.nan)
    return values[:, place], np.pad(codes, more, constant_values=Reason.NO_LEAD)[:, place]


def reason_text(name: str, code: int) -> str:
    """The sentence of a reason code; for an implausible value it names the range.

    >>> reason_text("qrs_ms", 12)
    'implausible: outside 20 to 400 ms'
    """
    if code != Reason.IMPLAUSIBLE:
        return SENTENCES[Reason(code)]
    entry = FEATURES[name.partition(".")[0]]
    low, high = entry.plausible
    return f"implausible: outside {low:g} to {high:g} {entry.unit}".removesuffix(" 1")


def per_beat(record: Record, delineation: Delineation) -> dict[str, NDArray[np.float64]]:
    """What was measured in every beat.

    Parameters
    ----------
    record : Record
    delineation : Delineation
        Of the same leads.

    Returns
    -------
    dict of str to ndarray, float64
        ``"usual"`` (K,), 1 = beat of kind N, 0 = not; ``"rr_ms"`` (K,), the interval before the beat, NaN for the
        first; each quantity of :data:`~ecgprior.physiology.features.per_beat.QUANTITIES` for the record, (K,), as
        ``"pr_ms"``, and for the leads, (L, K), as ``"pr_ms.leads"``; NaN = not measurable in this beat, also
        when implausible.
    """
    m = Measured([record], [delineation])
    out = {"usual": m.beats.usual.astype(np.float64), "rr_ms": m.beats.rr_ms}
    for row, name in enumerate(QUANTITIES):
        low, high = FEATURES[name].plausible
        with np.errstate(invalid="ignore"):
            value = m.beats.values[row]
            value = np.where((value >= low) & (value <= high), value, np.nan)
        out[name], out[f"{name}.leads"] = value[0], value[1:]
    return out
