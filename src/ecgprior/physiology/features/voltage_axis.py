"""Block *voltage_axis*: how large R is, how it grows over the chest, the frontal axes, and voltage sums.

An axis is the direction of a wave's area (mV·ms within its global on- and offset) in the frontal plane: x = I,
y = (2 II − I)/√3, which for leads that obey Einthoven is 2 aVF/√3; 0° to the left, +90° to the feet.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cuts import cut, level_before
from .entry import Feature
from .of_beats import per_beat_entries
from .reasons import Reason
from .statistics import row_median

if TYPE_CHECKING:
    from .measured import Measured

Array = NDArray[np.float64]
_CSE = "CSE Working Party 1985, Eur Heart J 6:815"
_BLOCK = "voltage_axis"
_LEAST_MV_MS = {"P": 0.5, "QRS": 1.0, "T": 1.0}
_LONGEST_S = 0.7
_CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
_PAIRS = {
    ("I", "II"): lambda a, b: (a, b),
    ("I", "III"): lambda a, b: (a, a + b),
    ("II", "III"): lambda a, b: (a - b, a),
    ("I", "aVF"): lambda a, b: (a, b + a / 2),
    ("II", "aVF"): lambda a, b: (2 * (a - b), a),
    ("III", "aVF"): lambda a, b: (2 * (b - a), 2 * b - a),
}
"""Two limb leads → I and II."""


def _areas(m: Measured, wave: str, rows: list[int]) -> Array:
    """Median area of a wave over the usual beats in some leads: (rows, N), mV·ms."""
    place = ("P", "QRS", "T").index(wave)
    strip, marks = m.strip.rows(rows).beats(m.usual), m.marks[0, m.usual]
    onset, offset = marks[:, place, 0], marks[:, place, 2]
    length = offset - onset
    known = (length >= 0) & (length <= _LONGEST_S * m.fs)
    if not known.any():
        return np.full((len(rows), m.n_records), np.nan)
    onset, length = np.where(known, onset, np.nan), np.where(known, length, 0)
    grid = np.arange(int(np.ceil(length.max())) + 1)
    x = cut(strip, onset, grid)
    if wave == "P":
        zero = level_before(strip, onset)[0][..., None]
    else:
        after = (np.round(np.where(known, onset, 0)) - marks[:, 1, 0])[:, None] + grid
        zero = m.beats.level[rows][:, m.usual, None] + m.beats.slope[rows][:, m.usual, None] * after
    inside = known[:, None] & (grid <= np.round(length)[:, None])
    area = np.where(inside, x - zero, 0.0).sum(axis=2) * (1000 / m.fs)
    return row_median(m.usual_records.table(np.where(known, area, np.nan)))


def _axis(m: Measured, wave: str) -> tuple[Array, NDArray[np.uint8]]:
    """Direction of a wave's area in degrees, −180 … 180, and the reason of a NaN: (N,) each."""
    angle, why = np.full(m.n_records, np.nan), np.full(m.n_records, Reason.NO_LEAD, np.uint8)
    seen = m.seen[("P", "QRS", "T").index(wave), 0]
    areas: dict[str, Array] = {}
    recorded = dict(zip(m.leads, m.recorded))
    waiting = seen.copy()
    for pair, to_one_two in _PAIRS.items():
        if not all(lead in m.leads for lead in pair) or not waiting.any():
            continue
        more = [lead for lead in pair if lead not in areas]
        areas |= zip(more, _areas(m, wave, [m.leads.index(lead) for lead in more])) if more else {}
        tried = waiting & recorded[pair[0]] & recorded[pair[1]]
        one, two = to_one_two(*(areas[lead] for lead in pair))
        x, y = one, (2 * two - one) / np.sqrt(3)
        known, large = tried & np.isfinite(one + two), np.hypot(x, y) >= _LEAST_MV_MS[wave]
        why[tried] = Reason.NO_EDGE
        why[known] = Reason.TOO_SMALL
        why[known & large] = Reason.MEASURED
        angle = np.where(known & large, np.degrees(np.arctan2(y, x)), angle)
        waiting &= ~known
    absent = {"P": Reason.NO_P, "QRS": Reason.NO_EDGE, "T": Reason.NO_T}[wave]
    why = np.where(m.n_beats == 0, Reason.NO_BEATS, np.where(seen, why, absent)).astype(np.uint8)
    return np.where(seen, angle, np.nan), why


def _depth(m: Measured, lead: str) -> Array:
    """Depth of the deepest negative deflection of QRS, mV, ≥ 0."""
    return -np.minimum(m[f"q_amplitude_mv.{lead}"], m[f"s_amplitude_mv.{lead}"])


def _angle(m: Measured) -> Array:
    apart = np.abs(m["qrs_axis_deg"] - m["t_axis_deg"])
    return np.minimum(apart, 360 - apart)


def _r_share(m: Measured) -> Array:
    r, s = m.of_leads("r_amplitude_mv"), -m.of_leads("s_amplitude_mv")
    with np.errstate(invalid="ignore"):
        return np.where(r + s > 0, r / np.where(r + s > 0, r + s, 1), np.nan)


def _transition(m: Measured) -> Array:
    """Where on the way from V1 (1) to V6 (6) R becomes as large as S; 1 = from V1 on, 7 = nowhere."""
    share = np.array([m[f"r_share.{lead}"] for lead in _CHEST])
    reached = share >= 0.5
    k = np.argmax(reached, axis=0)
    here, before = (np.take_along_axis(share, at[None], axis=0)[0] for at in (k, np.maximum(k - 1, 0)))
    between = k + (0.5 - before) / np.where(here > before, here - before, 1.0)
    zone = np.where(reached.any(axis=0), np.where(k == 0, 1.0, between), 7.0)
    return np.where(np.isnan(share).any(axis=0), np.nan, zone)


ENTRIES = (
    *per_beat_entries(
        "r_amplitude_mv", "mV",
        "the highest point of QRS (R or R′) above the PQ level, 0 = none; the record's value is the root mean square over leads",
        _CSE, (0, 10), _BLOCK,
    ),
    *(
        Feature(
            f"{wave.lower()}_axis_deg", "deg", f"Frontal direction of the area of {wave}, 0° = left, +90° = down.",
            "Surawicz & Knilans, Chou's Electrocardiography, ch. 1; by areas", (-180, 180), _BLOCK,
            partial(_axis, wave=wave),
        )
        for wave in ("P", "QRS", "T")
    ),
    Feature(
        "qrs_t_angle_deg", "deg", "Frontal QRS–T angle: between the axes of QRS and T, 0 … 180.",
        "Oehler et al. 2014, Ann Noninvasive Electrocardiol 19:534", (0, 180), _BLOCK, _angle,
        needs=("qrs_axis_deg", "t_axis_deg"),
    ),
    Feature(
        "r_share", "1", "R / (R + |S|): 0 = only S, 1 = only R; R progression along V1 … V6.", "ours", (0, 1), _BLOCK, _r_share,
        needs=("r_amplitude_mv", "s_amplitude_mv"), otherwise=Reason.NO_R, per_record=False, per_lead=True,
    ),
    Feature(
        "transition_zone", "V lead",
        "Where from V1 (1) to V6 (6) R first equals S, between leads by a straight line; 1 = from V1 on, 7 = nowhere.",
        "Surawicz & Knilans, Chou's Electrocardiography, ch. 1", (1, 7), _BLOCK, _transition,
        needs=tuple(f"r_share.{lead}" for lead in _CHEST),
    ),
    Feature(
        "sokolow_lyon_mv", "mV", "Depth of S or QS (or a deeper Q) in V1 plus the larger R of V5 and V6.",
        "Sokolow & Lyon 1949, Am Heart J 37:161", (0, 15), _BLOCK,
        lambda m: _depth(m, "V1") + np.maximum(m["r_amplitude_mv.V5"], m["r_amplitude_mv.V6"]),
        needs=("s_amplitude_mv.V1", "r_amplitude_mv.V5", "r_amplitude_mv.V6"),
    ),
    Feature(
        "cornell_mv", "mV", "R in aVL plus the depth of S or QS (or a deeper Q) in V3.",
        "Casale et al. 1985, J Am Coll Cardiol 6:572", (0, 15), _BLOCK,
        lambda m: m["r_amplitude_mv.aVL"] + _depth(m, "V3"), needs=("r_amplitude_mv.aVL", "s_amplitude_mv.V3"),
    ),
)  # fmt: skip
