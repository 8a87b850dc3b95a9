"""Normal hearts: moving dipoles whose waves are Gaussians, and the lead fields through which they are seen.

The heart is one current dipole of three components (Frank's axes: x to the left, y to the feet, z to the back).
Each wave is a sum of Gaussians in time with a vector amplitude. A lead is a fixed linear form of the dipole; the
eight independent leads are drawn per patient around Dower's, and III, aVR, aVL, aVF follow from I and II.

The population – how amplitudes, widths, places, lead fields and rate spread and hang together, and how they depend
on age and sex – is the table ``normal_heart.csv``, fitted by ``benchmarks/fit_normal_heart.py`` to the median
beats of PTB-XL's normal recordings (a few common factors and a rest, no recording in it).

**Source**: dynamical and dipole ECG models: McSharry et al. 2003, IEEE Trans Biomed Eng 50:289 (Gaussian waves);
Sameni et al. 2007, EURASIP J Adv Signal Process 043407 (three-dimensional dipole, projection to leads).
Projection: Dower et al. 1980, J Electrocardiol 13:109 (leads from Frank's X, Y, Z).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .draws import Draws

INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""Rows of a lead field."""

DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""Dower's matrix: leads :data:`INDEPENDENT` × Frank's (x left, y down, z back), mV in a lead per mV of Frank's."""

# Places and widths of the Gaussians in seconds, for a heart of scale 1; QRS and T relative to their own centres.
QRS_AT = np.array([-0.034, -0.022, -0.010, 0.002, 0.014, 0.027, 0.041])
QRS_WIDTH = np.array([0.008, 0.008, 0.008, 0.008, 0.008, 0.009, 0.011])
T_AT = np.array([-0.165, -0.095, -0.033, 0.025])  # the first two are the ST segment
T_WIDTH = np.array([0.050, 0.045, 0.036, 0.032])
P_AT = np.array([-0.030, 0.022, 0.120])  # right atrium, left atrium, and their repolarisation under PR and QRS
P_WIDTH = np.array([0.022, 0.022, 0.050])

N_QRS, N_T, N_P = len(QRS_AT), len(T_AT), len(P_AT)
_LOGS = ("ln_qrs_mv", "ln_t_mv", "ln_p_mv", "ln_qrs_scale", "ln_t_scale", "ln_p_scale", "ln_t_at", "ln_p_before", "ln_rr")

# Drawing from a normal distribution fills the tails of QRS more evenly than hearts do and forgets how a chest's lead
# field goes with its dipole. These numbers, ours, put the medians back where the fitted recordings lie.
_REST = 0.6
_QRS_TIME, _QRS_SPREAD = 0.89, 0.55
_QRS_MV = np.array([0.98, 1.14, 1.10])
_T_EARLIER_S, _P_LATER_S = 0.005, 0.010

_HIGHEST_MV = np.array([2.0, 2.0, 2.0, 2.5, 3.4, 3.4, 3.4, 3.4, 3.0])  # I, II, III, V1–V6: above is no normal heart

PATIENT = ("age", "sex")
"""Uniform draws of a patient that this module uses."""


def row_names() -> list[str]:
    """The rows of ``normal_heart.csv``: shapes of QRS, T, P (unit norm each), lead field, logarithms of the rest."""
    shape = [f"{w}{k}_{a}" for w, n in (("qrs", N_QRS), ("t", N_T), ("p", N_P)) for k in range(n) for a in "xyz"]
    return [*shape, *(f"{lead}_{axis}" for lead in INDEPENDENT for axis in "xyz"), *_LOGS]


@cache
def _population() -> dict[str, NDArray[np.float64]]:
    with resources.files(__package__).joinpath("normal_heart.csv").open("rb") as file:
        table = pl.read_csv(file)
    if table["row"].to_list() != row_names():
        raise RuntimeError("normal_heart.csv has other rows than hearts.py: run benchmarks/fit_normal_heart.py")
    factors = table.select(name for name in table.columns if name.startswith("f") and name[1:].isdigit()).to_numpy()
    return {name: table[name].to_numpy() for name in ("mean", "per_20_years", "female", "rest")} | {"factors": factors}


def n_normal() -> int:
    """Standard normal numbers that one heart takes."""
    return _population()["factors"].shape[1] + len(row_names())


@dataclass(slots=True)
class Hearts:
    """A batch of B hearts; :mod:`ecgprior.simulator.causes` changes them in place.

    Attributes
    ----------
    age : ndarray, float64, (B,), years
    female : ndarray, bool, (B,)
    qrs, t, p : ndarray, float64, (B, kernel, 3), mV
        Vector amplitude of each Gaussian, Frank's axes. The first two of ``t`` are the ST segment.
    qrs_at, qrs_width : ndarray, float64, (B, 7), s
        From the main deflection.
    t_at, t_scale, p_before, p_scale : ndarray, float64, (B,)
        Centre of T after the main deflection (s), width factor; centre of P before it (s), width factor.
    lead_field : ndarray, float64, (B, 8, 3)
        Lead field: leads :data:`INDEPENDENT` × Frank's axes.
    rr_s : ndarray, float64, (B,), s
        Mean distance of beats.
    gate_s : ndarray, float64, (B,), s
        When the ST segment begins to show after the main deflection.
    """

    age: NDArray[np.float64]
    female: NDArray[np.bool_]
    qrs: NDArray[np.float64]
    t: NDArray[np.float64]
    p: NDArray[np.float64]
    qrs_at: NDArray[np.float64]
    qrs_width: NDArray[np.float64]
    t_at: NDArray[np.float64]
    t_scale: NDArray[np.float64]
    p_before: NDArray[np.float64]
    p_scale: NDArray[np.float64]
    lead_field: NDArray[np.float64]
    rr_s: NDArray[np.float64]
    gate_s: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.gate_s = self.qrs_at[:, 5].copy()

    def qt_s(self) -> NDArray[np.float64]:
        """QT estimated from the Gaussians (to 2.25 widths after the last of T): float64, (B,), s."""
        onset = self.qrs_at[:, 0] - 1.7 * self.qrs_width[:, 0]
        return self.t_at + (T_AT[-1] + 2.25 * T_WIDTH[-1]) * self.t_scale - onset

    def set_qt(self, qt_s: NDArray[np.float64], where: NDArray[np.bool_]) -> None:
        """Move T so that :meth:`qt_s` gives `qt_s` in the hearts named by `where`."""
        self.t_at = np.where(where, self.t_at + qt_s - self.qt_s(), self.t_at)


def draw_hearts(draws: Draws) -> Hearts:
    """Normal hearts.

    Parameters
    ----------
    draws : Draws
        Uniform numbers :data:`PATIENT` and :func:`n_normal` normal numbers a row.

    Notes
    -----
    Ages 18–90, both sexes alike often. Rate is kept within 48–98 bpm, PR within about 115–205 ms, QT corrected after
    Fridericia within about 350–460 ms.
    """
    age = 18 + 72 * (0.55 * draws.uniform("age") + 0.45 * (1 - (1 - draws.uniform("age")) ** 0.6))
    female = draws.uniform("sex") < 0.5
    values = _sample(age, female, np.clip(draws.normal, -2.6, 2.6))
    take = _Cursor(values)
    unit = lambda a: a / np.linalg.norm(a, axis=(1, 2), keepdims=True)  # noqa: E731
    qrs, t, p = (unit(take(3 * n).reshape(-1, n, 3)) for n in (N_QRS, N_T, N_P))
    lead_field = take(24).reshape(-1, 8, 3)
    gains = np.exp(take(3))[:, :, None, None]
    scale, t_scale, p_scale, t_at, p_before, rr = np.exp(take(6)).T
    scale = _QRS_TIME * scale.clip(0.7, 1.2) ** _QRS_SPREAD
    t_scale, p_scale = t_scale.clip(0.65, 1.4), p_scale.clip(0.6, 1.4)
    p_start = p_before - _P_LATER_S + (P_WIDTH[0] * 2 - P_AT[0]) * p_scale  # PR within 115–205 ms
    qrs_start = 0.047 * scale
    p_before = p_before - _P_LATER_S + (p_start.clip(0.115 + qrs_start, 0.205 + qrs_start) - p_start)
    hearts = Hearts(
        age=age,
        female=female,
        qrs=qrs * gains[:, 0] * _QRS_MV,
        t=t * gains[:, 1],
        p=p * gains[:, 2],
        qrs_at=QRS_AT * scale[:, None],
        qrs_width=QRS_WIDTH * scale[:, None],
        t_at=(t_at - _T_EARLIER_S).clip(0.19, 0.33),
        t_scale=t_scale,
        p_before=p_before,
        p_scale=p_scale,
        lead_field=lead_field,
        rr_s=rr.clip(0.61, 1.25),
    )
    highest = np.abs(qrs_leads(hearts)).max(2) / _HIGHEST_MV
    hearts.qrs = hearts.qrs / np.maximum(highest.max(1), 1.0)[:, None, None]
    root = np.cbrt(hearts.rr_s)
    wanted = np.clip(hearts.qt_s(), 0.350 * root, np.where(female, 0.453, 0.443) * root)
    hearts.set_qt(wanted, np.ones_like(female))
    return hearts


def qrs_leads(hearts: Hearts) -> NDArray[np.float64]:
    """QRS in I, II, III, V1–V6 on a grid of 4 ms: float64, (B, 9, 55), mV."""
    time = np.arange(-0.08, 0.14, 0.004)
    bumps = np.exp(-0.5 * ((time - hearts.qrs_at[..., None]) / hearts.qrs_width[..., None]) ** 2)
    eight = np.matmul(hearts.lead_field, np.matmul(hearts.qrs.transpose(0, 2, 1), bumps))
    return np.concatenate([eight[:, :2], eight[:, 1:2] - eight[:, :1], eight[:, 2:]], axis=1)


def _sample(age: NDArray, female: NDArray, normal: NDArray) -> NDArray[np.float64]:
    table = _population()
    n_factors = table["factors"].shape[1]
    common = np.matmul(normal[:, None, :n_factors], table["factors"].T)[:, 0]  # one product a row: no batch in it
    return (
        table["mean"]
        + (age[:, None] - 55) / 20 * table["per_20_years"]
        + (female[:, None] - 0.5) * table["female"]
        + common
        + _REST * normal[:, n_factors:] * table["rest"]
    )


class _Cursor:
    def __init__(self, values: NDArray[np.float64]):
        self._values, self._at = values, 0

    def __call__(self, n: int) -> NDArray[np.float64]:
        self._at += n
        return self._values[:, self._at - n : self._at]
