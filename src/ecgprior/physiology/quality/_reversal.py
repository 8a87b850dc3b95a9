"""Are limb electrodes exchanged? Exchanged electrodes keep Einthoven's law, so only the waves' shape can tell.

The chest leads do not care which limb electrode hangs where (Wilson's terminal is their sum), and they predict the
limb leads roughly, by one linear map for each of P, QRS and T. So each exchange is undone in turn, and what fits the
prediction better than the leads as they are is evidence for it: the log of the ratio of squared misfits, three
numbers an exchange. A small multinomial logistic model, fitted to the same recordings with electrodes exchanged by
arithmetic, turns the nine into log odds of each exchange against none. No label of any recording is used.

**Source**: predicting limb leads from chest leads to find exchanges: Kors & van Herpen 2001, "Accurate automatic
detection of electrode interchange in the electrocardiogram", Am J Cardiol 88:396 (correlation of a lead with its
prediction). Maps and model are our own, fitted by ``benchmarks/fit_quality.py``; their file says from what.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...record.record import LEADS
from ._shape import Heart

CHEST = LEADS[6:]
PIECES_S = ((-0.22, -0.06), (-0.06, 0.07), (0.10, 0.38))
"""Where P, QRS and T lie, in seconds from the QRS."""

EXCHANGES = {
    "ra_la": np.array([[-1.0, 0.0], [-1.0, 1.0]]),
    "la_ll": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "ra_ll": np.array([[1.0, -1.0], [0.0, -1.0]]),
}
"""What (I, II) become when two electrodes are exchanged; each matrix is its own inverse."""

TITLES = {"ra_la": "RA and LA", "la_ll": "LA and LL", "ra_ll": "RA and LL"}
GRID_S = np.arange(-0.22, 0.38, 0.008)
_RIDGE, _FLOOR_MV2 = 0.01, 1e-5
_LEAST_CHEST, _LEAST_AGREEMENT = 4, 0.6


def reversal(heart: Heart, leads: tuple[str, ...], moving: NDArray[np.bool_]) -> dict[str, float]:
    """Log odds of each exchange against none, as ``reversal_ra_la`` …, and ``reversal_rl``; NaN = cannot be said.

    Parameters
    ----------
    heart : Heart
    leads : tuple of str, (L,)
    moving : ndarray, bool, (L,)
        Which leads hold a signal.
    """
    found = {f"reversal_{name}": float("nan") for name in (*EXCHANGES, "rl")}
    at = {lead: row for row, lead in enumerate(leads)}
    good = {lead for lead, row in at.items() if moving[row] and heart.agreement[row] >= _LEAST_AGREEMENT}
    limb = [at[lead] for lead in LEADS[:3] if lead in at]
    if len(limb) == 3 and len(good & set(LEADS[:3])) >= 2:
        sizes = np.ptp(heart.shape[limb], axis=1)
        found["reversal_rl"] = float(sizes.min() / max(sizes.max(), 1e-9))
    chest = [lead for lead in CHEST if lead in good]
    if not {"I", "II"} <= good or len(chest) < _LEAST_CHEST:
        return found
    waves = on_grid(heart, [at[lead] for lead in ("I", "II", *chest)])
    columns = [2 + CHEST.index(lead) for lead in chest]
    model = _model()
    covariance = np.asarray(model["covariance"])[:, [0, 1, *columns]][:, :, [0, 1, *columns]]
    numbers = evidence(waves[None], covariance)[0]
    odds = np.asarray(model["weights"]) @ numbers + np.asarray(model["intercepts"])
    return found | {f"reversal_{name}": float(value) for name, value in zip(EXCHANGES, odds)}


def on_grid(heart: Heart, rows: ArrayLike) -> NDArray[np.float64]:
    """Some leads of the average beat at the times :data:`GRID_S`: (rows, W)."""
    return np.array([np.interp(GRID_S, heart.time_s, heart.shape[row]) for row in np.asarray(rows)])


def pieces(waves: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """P, QRS and T of (…, W) on the grid, each less its mean."""
    cut = [waves[..., (GRID_S >= a) & (GRID_S < b)] for a, b in PIECES_S]
    return [piece - piece.mean(axis=-1, keepdims=True) for piece in cut]


def evidence(waves: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log ratio of misfits, as it is against each exchange undone.

    Parameters
    ----------
    waves : ndarray, float64, (N, 2 + C, W)
        I, II and C chest leads on the grid.
    covariance : ndarray, float64, (3, 2 + C, 2 + C)
        Of I, II and these chest leads in P, QRS and T.

    Returns
    -------
    ndarray, float64, (N, 9)
        Exchange by exchange: P, QRS, T. Above 0 = the exchange explains the leads better.
    """
    out = np.empty((len(waves), len(EXCHANGES), len(PIECES_S)))
    for column, (piece, about) in enumerate(zip(pieces(waves), covariance)):
        within = about[2:, 2:]
        ridge = _RIDGE * np.trace(within) / len(within) * np.eye(len(within))
        chest_to_limb = np.linalg.solve(within + ridge, about[2:, :2]).T
        expected = chest_to_limb @ piece[:, 2:]
        floor = piece.shape[-1] * (0.02 * np.square(piece[:, 2:]).mean(axis=(1, 2)) + _FLOOR_MV2)
        misfit = lambda limb: np.square(limb - expected).sum(axis=(1, 2)) + floor  # noqa: B023, E731
        as_is = misfit(piece[:, :2])
        for row, exchange in enumerate(EXCHANGES.values()):
            out[:, row, column] = np.log(as_is / misfit(exchange @ piece[:, :2]))
    return out.reshape(len(waves), -1)


@lru_cache(maxsize=1)
def _model() -> dict:
    return json.loads(resources.files(__package__).joinpath("reversal.json").read_text(encoding="utf-8"))
