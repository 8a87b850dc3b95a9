"""The score: how probably a cardiologist would accept the recording, from a dozen measurements.

Each term is one measurement brought to 0 … 1, from good to bad, and gathered over the leads (the worst lead, or the
mean); the score is a logistic function of their weighted sum. No weight is below 0, so more disturbance never raises
the score, and weight times term is what each takes from the log odds. Where no beats are
seen, mains is larger than they are, or much of the signal is missing, the score is 0 by rule (:func:`seen`). Weights were trained on the labels of the
PhysioNet/CinC Challenge 2011 by ``benchmarks/fit_quality.py``; ``score.json`` says when a number counts as good or bad.

The score is trained on labels: it is no measurement, and never a feature (:data:`ecgprior.FEATURES` must not hold it).

**Source**: labels of Silva et al. 2011, "Improving the quality of ECGs collected using mobile phones", CinC 38:273.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .measurements import Measured

_UNSEEN, _SEEN = 0.3, 0.6
_HUMS, _DROWNED = 1.0, 2.0
GAPPED, RIDDLED = 0.2, 0.4
"""Parts of the signal that may be missing: from the first on the score falls, from the second on it is 0."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the score.

    Attributes
    ----------
    name : str
    measurements : tuple of str
        Per-lead measurements, added up.
    of : str
        ``"worst"`` or ``"mean"``: how leads are gathered.
    good, bad : float
        Where the term is 0 and where it is 1; between them it goes with the logarithm when `log`.
    log : bool
    absent : float
        What the term is in a lead that has no number: 1 where that itself is bad.
    """

    name: str
    measurements: tuple[str, ...]
    of: str
    good: float
    bad: float
    log: bool
    absent: float

    def __call__(self, measured: Measured) -> float:
        """The term of one record, 0 … 1."""
        total = np.sum([measured.lead[name] for name in self.measurements], axis=0)
        value, good, bad = total, self.good, self.bad
        if self.log:
            value, good, bad = np.log(np.maximum(total, 1e-9)), np.log(good), np.log(bad)
        by_lead = np.where(np.isnan(total), self.absent, ((value - good) / (bad - good)).clip(0, 1))
        return float(by_lead.max() if self.of == "worst" else by_lead.mean())


def terms_of(listed: Sequence[dict[str, Any]]) -> tuple[Term, ...]:
    """Terms as ``score.json`` lists them."""
    names = Term.__dataclass_fields__
    made = [
        {name: each[name] for name in names} | {"measurements": tuple(each["measurements"])}
        for each in listed
    ]
    return tuple(Term(**each) for each in made)


def score_of(measured: Measured) -> float:
    """The score, 0 (unacceptable) … 1 (acceptable)."""
    terms, weights, intercept, _ = _model()
    logit = intercept - float(weights @ [term(measured) for term in terms])
    return seen(measured) / float(1 + np.exp(-logit))


def seen(measured: Measured) -> float:
    """What the score is multiplied by: 0 where the median lead has no beats that resemble each other, mains hides it, or too little is recorded.

    A rule and not trained: CinC 2011 holds hardly any pure noise, no loud mains and no gaps, so a model cannot learn that.
    """
    agreement = np.nan_to_num(measured.lead["agreement"])
    beats = ((np.median(agreement) - _UNSEEN) / (_SEEN - _UNSEEN)).clip(0, 1)
    hum = np.clip((_DROWNED - hum_ratio(measured)) / (_DROWNED - _HUMS), 0, 1)
    there = np.clip((RIDDLED - missing_part(measured)) / (RIDDLED - GAPPED), 0, 1)
    return float(beats) * float(hum) * float(there)


def missing_part(measured: Measured) -> float:
    """Share of samples that are missing, 0 … 1: median over the leads that hold any; 1 where none does."""
    share = measured.lead["missing_share"]
    some = share[share < 1]
    return float(np.median(some)) if len(some) else 1.0


def hum_ratio(measured: Measured) -> float:
    """Height of the mains' wave over the range of what a heart can make, median over leads; 0 where it is not known."""
    ratio = 2 * measured.lead["mains_mv"] / np.maximum(measured.lead["range_mv"], 1e-6)
    known = ratio[~np.isnan(ratio)]
    return float(np.median(known)) if len(known) else 0.0


def threshold() -> float:
    """The score from which on a recording counts as acceptable."""
    return _model()[3]


@lru_cache(maxsize=1)
def _model() -> tuple[tuple[Term, ...], NDArray[np.float64], float, float]:
    text = json.loads(resources.files(__package__).joinpath("score.json").read_text(encoding="utf-8"))
    weights = np.array([each["weight"] for each in text["terms"]])
    return terms_of(text["terms"]), weights, float(text["intercept"]), float(text["threshold"])
