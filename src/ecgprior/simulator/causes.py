"""What can be the matter with a simulated heart: which causes are drawn, and what each does to the dipole.

Every change is made to the dipole (Frank's axes: x left, y feet, z back), so it shows in all leads at once as it does
on a body. Severities are drawn from mild to marked; a label says what was done to the heart, not that it is easy to see.

**Source** (criteria, not curves): Surawicz et al. 2009, AHA/ACCF/HRS recommendations part III (bundle-branch blocks);
Hancock et al. 2009, part V (LVH: Sokolow–Lyon voltage, strain); Rautaharju et al. 2009, part IV (QT); Thygesen et al.
2018, fourth universal definition of infarction (ST by territory). Amplitude tables below are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import RecipeError, unknown_name
from .draws import Draws
from .hearts import QRS_AT, QRS_WIDTH, Hearts, qrs_leads

CODES = (
    "NORM",
    "AF",
    "PVC",
    "LBBB",
    "RBBB",
    "LVH",
    "LQT",
    "STE-A",
    "STE-I",
    "STE-L",
    "STD-A",
    "STD-I",
    "STD-L",
)
"""Labels; their meaning is the table ``corpus/vocabularies/simulated.csv``."""

ST_CODES = CODES[7:]

# Chance at the age of 60; AF, blocks and LVH grow with age.
_CHRONIC = {"AF": 0.10, "LBBB": 0.07, "RBBB": 0.08, "LVH": 0.11, "LQT": 0.07}
_ST_CHANCE, _PVC_CHANCE = 0.24, 0.10

# Direction of the ST vector and the leads in which it is measured.
_TERRITORY = {
    "A": (np.array([0.35, 0.10, -1.0]), (3, 4, 5)),  # V2 V3 V4
    "I": (np.array([-0.25, 1.0, 0.05]), (1,)),  # II, and with it III, aVF
    "L": (np.array([1.0, -0.35, 0.10]), (0, 6, 7)),  # I V5 V6
}

PATIENT = ("af", "lbbb", "rbbb", "lvh", "lqt", "block_scale", "block_shape", "block_gain", "sokolow", "strain",
           "qtc", "qt_by_width", "pvc_origin", "pvc_scale", "pvc_gain", "pvc_tilt")  # fmt: skip
VISIT = ("pvc", "st", "st_which", "st_mv", "st_t", "st_x", "st_y", "st_z", "af_rate", "rate", "t_mv", "qrs_mv")
"""Uniform draws of a patient and of a visit that this module uses."""


def check_causes(causes: Sequence[str] | None) -> tuple[str, ...] | None:
    """The labels asked for in the order of :data:`CODES`, or None for a drawn mixture.

    Raises
    ------
    UnknownName
        One is not among :data:`CODES`.
    RecipeError
        They exclude each other: NORM and anything, LBBB and RBBB, two ST codes, an empty list.
    """
    if causes is None:
        return None
    if isinstance(causes, str):
        raise RecipeError(f"causes: expected a list of labels, got the text '{causes}': write ['{causes}']")
    for code in causes:
        if code not in CODES:
            raise unknown_name("cause", code, CODES)
    chosen = tuple(code for code in CODES if code in causes)
    groups = {"a block": ("LBBB", "RBBB"), "an ST change": ST_CODES}
    for what, group in groups.items():
        both = [code for code in chosen if code in group]
        if len(both) > 1:
            raise RecipeError(f"causes: expected at most one of {what}, got {' and '.join(both)}")
    if not chosen or ("NORM" in chosen and len(chosen) > 1):
        raise RecipeError(f"causes: expected NORM alone or other labels, got {', '.join(chosen) or 'an empty list'}")
    return chosen


def draw_causes(
    age: NDArray[np.float64], patient: Draws, visit: Draws, fixed: tuple[str, ...] | None
) -> dict[str, NDArray[np.bool_]]:
    """Which cause is present in which ECG.

    Parameters
    ----------
    age : ndarray, float64, (B,), years
    patient, visit : Draws
        With the names :data:`PATIENT` and :data:`VISIT`.
    fixed : tuple of str or None
        Exactly these in every ECG; None = drawn.

    Returns
    -------
    dict of str to ndarray, bool, (B,)
        One entry a code. NORM where nothing else is.
    """
    if fixed is not None:
        return {code: np.full(len(age), code in fixed) for code in CODES}
    older = np.clip((age / 60) ** 1.5, 0.15, 1.6)
    has = {code: patient.uniform(code.lower()) < chance * older for code, chance in _CHRONIC.items()}
    has["LQT"] = patient.uniform("lqt") < _CHRONIC["LQT"]
    has["RBBB"] &= ~has["LBBB"]
    for code in ("LVH", "LQT"):  # neither can be told under a left bundle-branch block
        has[code] &= ~has["LBBB"]
    has["PVC"] = visit.uniform("pvc") < _PVC_CHANCE
    st = (visit.uniform("st") < _ST_CHANCE) & ~has["LBBB"]
    which = np.minimum((visit.uniform("st_which") * len(ST_CODES)).astype(int), len(ST_CODES) - 1)
    has |= {code: st & (which == k) for k, code in enumerate(ST_CODES)}
    has["NORM"] = ~np.any([has[code] for code in CODES[1:]], axis=0)
    return {code: has[code] for code in CODES}


def apply_causes(hearts: Hearts, has: Mapping[str, NDArray[np.bool_]], patient: Draws, visit: Draws) -> None:
    """Change the hearts in place as their causes say; PVC and the absence of P waves are the rhythm's business."""
    _visit(hearts, visit)
    _fibrillation(hearts, has["AF"], visit)
    _hypertrophy(hearts, has["LVH"], patient)
    _right_block(hearts, has["RBBB"], patient)
    _left_block(hearts, has["LBBB"], patient)
    _long_qt(hearts, has["LQT"], patient)
    for code in ST_CODES:
        _st(hearts, has[code], visit, code)


def _visit(hearts: Hearts, visit: Draws) -> None:
    """The same heart on another day: another rate, slightly other amplitudes."""
    before = hearts.rr_s
    hearts.rr_s = np.clip(before * np.exp(visit.gauss("rate", 0, 0.04)), 0.61, 1.25)
    hearts.t_at = hearts.t_at * np.cbrt(hearts.rr_s / before)
    hearts.t = hearts.t * visit.lognormal("t_mv", 1, 0.06)[:, None, None]
    hearts.qrs = hearts.qrs * visit.lognormal("qrs_mv", 1, 0.03)[:, None, None]


def _fibrillation(hearts: Hearts, where: NDArray[np.bool_], visit: Draws) -> None:
    rate = np.clip(visit.lognormal("af_rate", 88, 0.24), 52, 150)
    rr = np.where(where, 60 / rate, hearts.rr_s)
    hearts.t_at = hearts.t_at * np.cbrt(rr / hearts.rr_s)
    hearts.rr_s = rr
    hearts.p = np.where(where[:, None, None], 0.0, hearts.p)


def sokolow_mv(hearts: Hearts) -> NDArray[np.float64]:
    """S in V1 plus the larger R of V5 and V6: float64, (B,), mV, from the Gaussians."""
    leads = qrs_leads(hearts)
    return np.maximum(-leads[:, 3].min(-1), 0) + leads[:, 7:].max((1, 2))


def _hypertrophy(hearts: Hearts, where: NDArray[np.bool_], patient: Draws) -> None:
    """Voltage to 3.6–5.5 mV (Sokolow–Lyon), the vector to the left and back, slower, with strain; others stay below."""
    back = where[:, None, None] * np.array([0.12, -0.10, 0.18])
    size = np.linalg.norm(hearts.qrs, axis=2, keepdims=True)
    hearts.qrs = hearts.qrs + back * size * (np.arange(7) > 1)[:, None]
    voltage = sokolow_mv(hearts)
    wanted = np.where(where, patient.uniform("sokolow", 3.6, 5.5), np.minimum(voltage, 3.5))
    gain = np.clip(wanted / voltage, 0.4, 4.0)[:, None, None]
    hearts.qrs = hearts.qrs * np.where(where[:, None, None], gain, np.minimum(gain, 1.0))
    slow = np.where(where, patient.uniform("strain", 1.05, 1.2), 1.0)[:, None]
    hearts.qrs_at, hearts.qrs_width = hearts.qrs_at * slow, hearts.qrs_width * slow
    strain = np.where(where, patient.uniform("strain", 0.0, 1.5), 0.0)[:, None, None]
    mean = hearts.t[:, 2:].sum(1, keepdims=True)
    hearts.t = hearts.t - strain * np.array([0.10, 0.10, 0.5, 0.5])[:, None] * mean * np.array([1.3, 0.9, -0.3])


# Gaussians of blocked ventricles, for a QRS of about 160 ms: places and widths (s), vectors (mV).
_LEFT_AT = np.array([-0.048, -0.028, -0.004, 0.018, 0.040, 0.061, 0.080])
_LEFT_WIDTH = np.array([0.009, 0.011, 0.013, 0.013, 0.013, 0.013, 0.012])
_LEFT = np.array([[0.06, 0.02, -0.03], [0.30, 0.16, 0.20], [0.72, 0.30, 0.66], [0.62, 0.14, 0.86],
                  [0.72, 0.02, 0.84], [0.66, -0.06, 0.50], [0.26, -0.04, 0.16]])  # fmt: skip
_LEFT_T = np.array([[-0.16, -0.02, -0.26], [-0.20, -0.03, -0.28], [-0.24, -0.06, -0.26], [-0.24, -0.06, -0.20]])
_RIGHT_LATE = np.array([[-0.14, 0.02, -0.28], [-0.42, 0.04, -0.56], [-0.30, 0.02, -0.32]])
_RIGHT_T = np.array([[0.01, 0.0, 0.03], [0.02, 0.0, 0.06], [0.06, 0.0, 0.15], [0.05, 0.0, 0.12]])


def _left_block(hearts: Hearts, where: NDArray[np.bool_], patient: Draws) -> None:
    """Slow spread to the left and back without a septal start: QS or rS in V1, broad notched R in I and V6."""
    scale = patient.uniform("block_scale", 0.80, 1.0)[:, None]
    gain = patient.lognormal("block_gain", 1.0, 0.25)[:, None, None]
    own = np.linalg.norm(hearts.qrs, axis=(1, 2), keepdims=True) / 1.9
    tilt = 1 + 0.35 * (patient.uniform("block_shape")[:, None, None] - 0.5) * np.array([0.6, 4.0, -0.8])
    qrs = _LEFT * tilt * gain * np.clip(own, 0.6, 1.5)
    _wide(hearts, where, _LEFT_AT * scale, _LEFT_WIDTH * scale, qrs)
    t = _LEFT_T * tilt * gain * np.clip(own, 0.6, 1.5) + 0.25 * hearts.t
    hearts.t = np.where(where[:, None, None], t, hearts.t)


def _right_block(hearts: Hearts, where: NDArray[np.bool_], patient: Draws) -> None:
    """The usual start, then a slow end to the right and front: rSR' in V1, broad S in I and V6, T against it in V1."""
    scale = patient.uniform("block_scale", 0.88, 1.15)[:, None]
    gain = patient.lognormal("block_gain", 1.0, 0.28)[:, None, None]
    qrs = hearts.qrs.copy()
    qrs[:, 4:] = 0.45 * qrs[:, 4:] + _RIGHT_LATE * gain
    late = np.array([0.022, 0.047, 0.070]) * scale
    at = np.concatenate([hearts.qrs_at[:, :4], late], axis=1)
    width = np.concatenate([hearts.qrs_width[:, :4], np.array([0.011, 0.014, 0.013]) * scale], axis=1)
    _wide(hearts, where, at, width, qrs)
    hearts.t = hearts.t + where[:, None, None] * _RIGHT_T * gain


def _wide(hearts: Hearts, where: NDArray[np.bool_], at: NDArray, width: NDArray, qrs: NDArray) -> None:
    """Put in a wider QRS; PR and the time from its end to T stay."""
    onset = lambda: hearts.qrs_at[:, 0] - 1.7 * hearts.qrs_width[:, 0]  # noqa: E731
    end = lambda: hearts.qrs_at[:, 6] + 1.7 * hearts.qrs_width[:, 6]  # noqa: E731
    onset_before, end_before = onset(), end()
    hearts.qrs_at = np.where(where[:, None], at, hearts.qrs_at)
    hearts.qrs_width = np.where(where[:, None], width, hearts.qrs_width)
    hearts.qrs = np.where(where[:, None, None], qrs, hearts.qrs)
    hearts.p_before = hearts.p_before + onset_before - onset()
    hearts.t_at = hearts.t_at + 0.7 * (end() - end_before)
    hearts.gate_s = np.where(where, hearts.qrs_at[:, 5], hearts.gate_s)


def _long_qt(hearts: Hearts, where: NDArray[np.bool_], patient: Draws) -> None:
    """QT to 480–570 ms (Fridericia) plus what a block adds, by a wider T or a longer ST segment."""
    wide = 1 + np.where(where, 0.45 * patient.uniform("qt_by_width"), 0.0)
    hearts.t_scale = np.minimum(hearts.t_scale * wide, 1.6)
    block = np.maximum(hearts.qrs_at[:, 6] - hearts.qrs_at[:, 0] - 1.1 * (QRS_AT[6] - QRS_AT[0]), 0.0)
    wanted = patient.uniform("qtc", 0.480, 0.570) * np.cbrt(hearts.rr_s) + block
    hearts.set_qt(np.minimum(wanted, 0.80 * hearts.rr_s), where)


def _st(hearts: Hearts, where: NDArray[np.bool_], visit: Draws, code: str) -> None:
    """An ST vector of drawn size towards (elevation) or away from (depression) a territory, and T with it."""
    direction, leads = _TERRITORY[code[-1]]
    sign = 1.0 if code.startswith("STE") else -1.0
    low, high = (0.12, 0.45) if sign > 0 else (0.10, 0.28)
    wobble = np.stack([visit.gauss(f"st_{axis}", 0, 0.15) for axis in "xyz"], axis=1)
    seen = np.matmul(hearts.lead_field, (direction + wobble)[:, :, None])[:, list(leads), 0]
    scale = sign * visit.uniform("st_mv", low, high) / np.maximum(seen.max(1), 0.3)
    vector = where[:, None] * scale[:, None] * (direction + wobble)
    t_part = visit.uniform("st_t", -0.6, 1.2) if sign > 0 else visit.uniform("st_t", 0.0, 1.0)
    shape = np.stack([np.full_like(t_part, 0.80), np.full_like(t_part, 0.62), 0.5 * t_part, 0.5 * t_part], axis=1)
    hearts.t = hearts.t + shape[:, :, None] * vector[:, None, :]
    hearts.gate_s = np.where(where, hearts.qrs_at[:, 4], hearts.gate_s)


def ectopic(hearts: Hearts, patient: Draws) -> Hearts:
    """The same chests with a premature ventricular beat: no P, wide, of its own direction, T against QRS."""
    origin = patient.uniform("pvc_origin")
    angle = 2 * np.pi * origin
    main = np.stack([np.cos(angle), 0.9 * np.cos(2 * angle + 1.0), 0.9 * np.sin(angle) + 0.15], axis=1)
    main *= patient.lognormal("pvc_gain", 1.35, 0.25)[:, None] / np.linalg.norm(main, axis=1, keepdims=True)
    tilt = patient.gauss("pvc_tilt", 0, 0.5)[:, None] * np.roll(main, 1, axis=1)
    profile = np.array([0.05, 0.25, 0.55, 0.75, 0.70, 0.42, 0.12])[:, None]
    course = np.linspace(-0.8, 0.8, 7)[:, None]
    qrs = profile * (main[:, None] + course * tilt[:, None])
    scale = patient.uniform("pvc_scale", 1.55, 2.15)[:, None]
    t = np.array([-0.10, -0.17, -0.28, -0.25])[:, None] * main[:, None]
    late = 0.6 * (scale[:, 0] * QRS_AT[6] - hearts.qrs_at[:, 6]).clip(0)
    return dataclasses.replace(
        hearts,
        qrs=qrs,
        t=t,
        p=np.zeros_like(hearts.p),
        qrs_at=QRS_AT * scale,
        qrs_width=QRS_WIDTH * 1.15 * scale,
        t_at=hearts.t_at + late,
    )


