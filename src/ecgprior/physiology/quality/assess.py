"""``quality(record)``: the score, and findings lead by lead with their reasons.

Beats are found by their energy alone (``_energy.py``), not by the trained network: so quality says something sensible
about what is no ECG, costs about 5 ms for 12 leads of 10 s, and cannot be fooled together with the delineator.

A recording in another unit is measured as if it were in millivolts when its beats are then plain to see, and the
finding says so; otherwise (an amplifier at its rails also reads as "µV") it is measured as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ...record.read import to_record
from ...record.record import Record
from .findings import SEVERE, Finding, lead_findings, record_findings, unit_finding
from .measurements import Measured, measure_quality
from .score import score_of, threshold

_SEEN = 0.8


@dataclass(frozen=True, eq=False, slots=True)
class Quality:
    """How good a recording is, and why.

    Attributes
    ----------
    score : float
        0 … 1: how probably a cardiologist would accept it for diagnosis. Trained on labels (CinC 2011): never a
        feature.
    acceptable : bool
        Whether the score reaches the threshold of the model.
    leads : dict of str to tuple of Finding
        By lead; an empty tuple = nothing found.
    findings : tuple of Finding
        What is wrong with the record as a whole.
    measurements : dict of str to float
        Label-free numbers by name (:data:`~ecgprior.physiology.quality.definitions.MEASUREMENTS`); NaN = not
        measurable.
    reasons : dict of str to str
        Why a measurement is NaN.
    """

    score: float
    acceptable: bool
    leads: Mapping[str, tuple[Finding, ...]]
    findings: tuple[Finding, ...]
    measurements: Mapping[str, float]
    reasons: Mapping[str, str]

    @property
    def verdicts(self) -> dict[str, str]:
        """A word for each lead: ``"good"``, ``"disturbed"`` (it can be read) or ``"unusable"``."""
        return {lead: _word(found) for lead, found in self.leads.items()}

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the record, then lead by lead."""
        return self.findings + tuple(finding for found in self.leads.values() for finding in found)

    def __repr__(self) -> str:
        verdict = "acceptable" if self.acceptable else "unacceptable"
        reasons = "; ".join(map(str, self.all_findings[:4])) or "no finding"
        more = f"; and {len(self.all_findings) - 4} more" if len(self.all_findings) > 4 else ""
        return f"Quality({self.score:.2f} {verdict}: {reasons}{more})"


def quality(
    record: Record | str | Path | ArrayLike,
    *,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> Quality:
    """Judge the quality of an ECG: a score, and per lead what is wrong with it, with the number that says so.

    Parameters
    ----------
    record : Record, path or array_like, real, (lead, time)
        Any leads, rate and length. Longer than 15 s: judged from stretches of 10 s, at most 64, spread evenly.
    fs, leads, unit
        As for :func:`~ecgprior.record.read.read`.

    Returns
    -------
    Quality

    Notes
    -----
    The score is trained on labels, so it must never be among the features (:data:`ecgprior.FEATURES`); the
    measurements are label-free and may be. Nothing is raised for any valid record: what cannot be measured is NaN,
    with a reason.

    Examples
    --------
    >>> flat = quality(np.zeros((1, 5000)), fs=500, leads=["II"])
    >>> flat.acceptable, flat.verdicts, str(flat.leads["II"][0])
    (False, {'II': 'unusable'}, 'II: flat: constant for 100% of the time')
    """
    record = to_record(record, fs=fs, leads=leads, unit=unit)
    with np.errstate(all="ignore"):
        record, measured, wrong_unit = _in_millivolts(record)
        by_lead = lead_findings(measured)
        over_all = record_findings(record, measured, by_lead, wrong_unit)
        score = score_of(measured)
    return Quality(score, score >= threshold(), by_lead, over_all, measured.flat(), measured.reasons)


def _in_millivolts(record: Record) -> tuple[Record, Measured, str]:
    factor, finding = unit_finding(record)
    if finding and np.isfinite(factor):
        scaled = record.with_(signal=record.signal * np.float32(factor))
        measured = measure_quality(scaled)
        if np.median(np.nan_to_num(measured.lead["agreement"])) >= _SEEN:
            return scaled, measured, finding
    return record, measure_quality(record), ""


def _word(found: tuple[Finding, ...]) -> str:
    if not found:
        return "good"
    return "unusable" if any(finding.severity == SEVERE for finding in found) else "disturbed"
