"""Lead algebra: what the limb leads say about each other.

Einthoven: I + III = II. Goldberger: aVR = -(I + II)/2, aVL = (I - III)/2, aVF = (II + III)/2, so that
aVR + aVL + aVF = 0. Two of I, II, III give the other four limb leads exactly; a file that breaks these
equations has a wrong gain, a wrong label or a damaged lead. Exchanged *electrodes* keep every equation and
cannot be found here: they need the shape of the waves.

**Source**: Malmivuo & Plonsey, Bioelectromagnetism (1995), chapter 15, equations 15.1-15.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from .record import LEADS, Record

LIMB = LEADS[:6]

# Each row is an equation, "sum of coefficient × lead = 0", over I, II, III, aVR, aVL, aVF: whichever leads a file
# has, the equations among them are here.
_EQUATIONS = np.array(
    [
        [1.0, -1.0, 1.0, 0.0, 0.0, 0.0],  # I + III = II
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0],  # aVR + aVL + aVF = 0
        [0.5, 0.5, 0.0, 1.0, 0.0, 0.0],  # aVR = -(I + II)/2
        [1.0, 0.0, 0.5, 1.0, 0.0, 0.0],  # aVR = -I - III/2
        [0.0, 1.0, -0.5, 1.0, 0.0, 0.0],  # aVR = III/2 - II
        [-0.5, 0.0, 0.5, 0.0, 1.0, 0.0],  # aVL = (I - III)/2
        [-1.0, 0.5, 0.0, 0.0, 1.0, 0.0],  # aVL = I - II/2
        [0.0, -0.5, 1.0, 0.0, 1.0, 0.0],  # aVL = II/2 - III
        [0.0, -0.5, -0.5, 0.0, 0.0, 1.0],  # aVF = (II + III)/2
        [0.5, -1.0, 0.0, 0.0, 0.0, 1.0],  # aVF = II - I/2
        [-0.5, 0.0, -1.0, 0.0, 0.0, 1.0],  # aVF = III + I/2
        [1.5, 0.0, 0.0, 1.0, -1.0, 0.0],  # aVL - aVR = 3/2 I
        [0.0, 1.5, 0.0, 1.0, 0.0, -1.0],  # aVF - aVR = 3/2 II
        [0.0, 0.0, 1.5, 0.0, 1.0, -1.0],  # aVF - aVL = 3/2 III
    ]
)
_FLAT_MV = 0.01  # a lead whose standard deviation is below says nothing about its gain or label


@dataclass(frozen=True, slots=True)
class LeadCheck:
    """What the limb leads' equations say.

    Attributes
    ----------
    ok : bool or None
        True = they hold; False = they do not; None = too few limb leads to say.
    residual_mv : float
        The 95th percentile over time of the worst equation's absolute residual, in mV; NaN when `ok` is
        None. Single damaged samples do not move it.
    finding : str
        The explanation that mends the equations best (``"the labels aVL and aVF are exchanged"``), or an
        empty string when they hold.
    """

    ok: bool | None
    residual_mv: float
    finding: str = ""


def complete_leads(record: Record) -> Record:
    """The twelve standard leads in standard order, limb leads computed where two of I, II, III allow it.

    A lead counts as absent when the record lacks it or it is all NaN. What cannot be computed is NaN: no
    chest lead is ever made up. Leads of other names follow after the twelve. Recorded leads are not touched,
    even when they contradict the others (see :func:`check_leads`).

    Examples
    --------
    >>> two = Record(signal=[[1.0, 2.0], [3.0, 5.0]], fs=500, leads=["I", "II"])
    >>> complete_leads(two).lead("III").tolist()
    [2.0, 3.0]
    """
    others = tuple(lead for lead in record.leads if lead not in LEADS)
    if not others and record.leads == LEADS and not np.isnan(record.signal[:6]).any():
        return record
    full = record.pick(LEADS + others)
    signal = full.signal.copy()
    absent: NDArray[np.bool_] = np.asarray(np.isnan(signal[:6]).all(axis=1))
    if absent.any():
        _fill_limb(signal, absent)
    return full.with_(signal=signal)


def _fill_limb(signal: NDArray[np.float32], absent: NDArray[np.bool_]) -> None:
    """Compute absent limb leads of a (≥ 6, time) array in place."""
    one, two, three = signal[0], signal[1], signal[2]
    if absent[:3].sum() == 1:
        if absent[0]:
            signal[0] = two - three
        elif absent[1]:
            signal[1] = one + three
        else:
            signal[2] = two - one
    elif absent[:3].any():
        return
    one, two = signal[0], signal[1]
    for row, values in ((3, -(one + two) / 2), (4, one - two / 2), (5, two - one / 2)):
        if absent[row]:
            signal[row] = values


def check_leads(record: Record, tolerance: float = 0.1) -> LeadCheck:
    """Test the limb leads against Einthoven's and Goldberger's equations and name the likeliest fault.

    Parameters
    ----------
    record : Record
    tolerance : float
        The largest residual that counts as agreement, as a fraction of the limb leads' standard deviation
        (at least 0.02 mV, which rounding to 5 µV and filtering lead by lead can make).

    Returns
    -------
    LeadCheck

    Notes
    -----
    Explanations are tried from the simplest: exchanged labels, one inverted lead, one lead with a wrong
    gain, several leads with wrong gains. An explanation counts when it brings the residual under the
    tolerance; the first that does is named. Damaged single samples (above the 99th percentile of the
    residual) take no part.

    Examples
    --------
    >>> t = np.arange(500) / 500
    >>> one, two = np.sin(6 * t), np.cos(9 * t)
    >>> good = complete_leads(Record(signal=[one, two], fs=500, leads=["I", "II"]))
    >>> check_leads(good).ok
    True
    >>> wrong = good.with_(leads=[{"aVL": "aVF", "aVF": "aVL"}.get(lead, lead) for lead in good.leads])
    >>> check_leads(wrong).finding
    'the labels aVL and aVF are exchanged'
    """
    signal = record.pick(LIMB).signal.astype(np.float64)
    known: NDArray[np.bool_] = np.logical_not(np.isnan(signal).all(axis=1))
    equations = _EQUATIONS[[not (row[~known]).any() for row in _EQUATIONS]]
    usable = np.logical_not(np.isnan(signal[known]).any(axis=0))
    if not len(equations) or not usable.any():
        return LeadCheck(None, float("nan"))
    x = np.where(known[:, None], signal, 0.0)[:, usable]
    x -= x.mean(axis=1, keepdims=True)
    residuals = equations @ x
    residuals = np.abs(residuals - np.median(residuals, axis=1, keepdims=True))
    worst = residuals.max(axis=0)
    residual = float(np.percentile(residuals, 95, axis=1).max())
    x = x[:, worst <= np.percentile(worst, 99)]
    x -= x.mean(axis=1, keepdims=True)
    spread = x.std(axis=1)
    limit = max(0.02, tolerance * float(spread[known].mean()))
    if residual <= limit:
        return LeadCheck(True, residual)
    finding = _explain(x, equations, known & (spread > _FLAT_MV), limit)
    unexplained = "the limb leads contradict each other, and no single fault explains it"
    return LeadCheck(False, residual, finding or unexplained)


def _explain(
    x: NDArray[np.float64], equations: NDArray[np.float64], moving: NDArray[np.bool_], limit: float
) -> str:
    """The first explanation that brings every equation's residual (RMS) under half the limit."""
    gram = x @ x.T / x.shape[1]

    def fits(transform: NDArray[np.float64]) -> float:
        rows = equations @ transform
        return float(np.sqrt(np.einsum("ij,jk,ik->i", rows, gram, rows).clip(0).max()))

    best: tuple[float, str] = (limit / 2, "")
    for group in ((0, 1, 2), (3, 4, 5)):
        for order in permutations(group):
            if order != group and all(moving[i] for i, j in zip(group, order) if i != j):
                transform = np.eye(6)
                transform[list(group)] = np.eye(6)[list(order)]
                best = min(best, (fits(transform), _exchange(group, order)))
    if best[1]:
        return best[1]
    for lead in np.flatnonzero(moving):
        transform = np.eye(6)
        transform[lead, lead] = -1
        best = min(best, (fits(transform), f"lead {LIMB[lead]} is upside down"))
    if best[1]:
        return best[1]
    return _gains(gram, equations, moving, fits, limit)


def _exchange(group: tuple[int, ...], order: tuple[int, ...]) -> str:
    moved = [LIMB[i] for i, j in zip(group, order) if i != j]
    if len(moved) == 2:
        return f"the labels {moved[0]} and {moved[1]} are exchanged"
    sources = ", ".join(f"{LIMB[i]} holds {LIMB[j]}" for j, i in zip(group, order))
    return f"the labels {', '.join(moved)} are exchanged ({sources})"


def _gains(
    gram: NDArray[np.float64],
    equations: NDArray[np.float64],
    moving: NDArray[np.bool_],
    fits: Callable[[NDArray[np.float64]], float],
    limit: float,
) -> str:
    """One wrong gain, else several: the factors by which leads must be multiplied to agree."""
    best: tuple[float, str] = (limit / 2, "")
    for lead in np.flatnonzero(moving):
        weight = equations[:, lead]
        rest = equations.copy()
        rest[:, lead] = 0
        below = (weight**2).sum() * gram[lead, lead]
        if below <= 0:
            continue
        factor = -float(weight @ (rest @ gram[:, lead])) / below
        transform = np.eye(6)
        transform[lead, lead] = factor
        if factor > 0:
            text = f"lead {LIMB[lead]} has another gain than the rest: multiply it by {factor:.3g}"
            best = min(best, (fits(transform), text))
    if best[1] or moving.sum() < 3:
        return best[1]
    # every gain free but the first moving lead's: least squares over all equations
    normal = sum(np.outer(row, row) for row in equations) * gram
    first, *others = np.flatnonzero(moving)
    factors = np.ones(6)
    factors[others] = np.linalg.lstsq(normal[np.ix_(others, others)], -normal[others, first], rcond=None)[0]
    if fits(np.diag(factors)) < limit / 2 and (factors > 0).all():
        listed = ", ".join(f"{LIMB[i]} × {factors[i]:.3g}" for i in others)
        return f"the limb leads have different gains: against {LIMB[first]} they agree with {listed}"
    return ""
