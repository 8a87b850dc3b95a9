"""Block *qrs_conduction*: how long QRS lasts, how it runs, and the signs of bundle-branch block.

**Source**: Surawicz et al. 2009, AHA/ACCF/HRS recommendations part III, J Am Coll Cardiol 53:976. Right: QRS ≥ 120 ms,
an R′ in V1 or V2 (or a broad R in V1 whose peak comes after 50 ms), and in I and V6 an S longer than R or than 40 ms.
Left: QRS ≥ 120 ms, no Q (of 0.05 mV, ours) in I, V5 and V6, in V5 or V6 an R that is notched (by 0.05 mV, ours) or peaks
after 60 ms, and an rS or QS in V1 (Strauss et al. 2011, Am J Cardiol 107:927). ST and T criteria, which may fail, are not
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import Feature
from .of_beats import per_beat_entries
from .reasons import Reason

if TYPE_CHECKING:
    from .measured import Measured

_CSE = "CSE Working Party 1985, Eur Heart J 6:815"
_AHA = "Surawicz et al. 2009, AHA/ACCF/HRS part III, J Am Coll Cardiol 53:976"
_PHYSIOCLR = "PhysioCLR feature vector"
_MEDIAN = "in the lead's median beat"
_BLOCK = "qrs_conduction"
_NOTCH_MV, _Q_MV = 0.05, 0.05


def _rbbb(m: Measured) -> Any:
    prime = np.fmax(m["r_prime_amplitude_mv.V1"], m["r_prime_amplitude_mv.V2"]) > 0
    late = (m["r_peak_time_ms.V1"] > 50) & (m["s_amplitude_mv.V1"] == 0)
    sign = prime | late
    for lead in ("I", "V6"):
        sign &= m[f"s_duration_ms.{lead}"] > np.minimum(40, m[f"r_duration_ms.{lead}"])
    return _if_wide(m, sign, ("V1", "V2", "I", "V6"))


def _lbbb(m: Measured) -> Any:
    sign = (m["s_amplitude_mv.V1"] < 0) & (m["r_prime_amplitude_mv.V1"] == 0)
    for lead in ("I", "V5", "V6"):
        sign &= m[f"q_amplitude_mv.{lead}"] > -_Q_MV
    late = [m[f"r_peak_time_ms.{lead}"] > 60 for lead in ("V5", "V6")]
    notched = [m[f"r_notch_mv.{lead}"] > _NOTCH_MV for lead in ("V5", "V6")]
    return _if_wide(m, sign & np.any(late + notched, axis=0), ("V1", "I", "V5", "V6"))


def _if_wide(m: Measured, sign: np.ndarray, leads: tuple[str, ...]) -> Any:
    """0 when QRS is narrow, else the sign; NaN when QRS or the deflections of one of the leads were not measured."""
    known = np.isfinite([m["qrs_ms"], *(m[f"r_duration_ms.{lead}"] for lead in leads)]).all(axis=0)
    return np.where(m["qrs_ms"] < 120, 0.0, np.where(known, sign, np.nan))


def _of_leads(names: tuple[str, ...], leads: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}.{lead}" for name in names for lead in leads)


def _deflection(
    name: str, unit: str, definition: str, plausible: tuple[float, float], attribute: str
) -> Feature:
    return Feature(
        name, unit, definition, _CSE if "notch" not in name and "prime" not in name else _AHA, plausible,
        "voltage_axis" if unit == "mV" and attribute in ("q_mv", "s_mv") else _BLOCK,
        lambda m: getattr(m.beats.deflections, attribute),
        needs=("qrs_ms",), otherwise=Reason.NO_R if attribute == "r_peak_ms" else Reason.NO_SIGNAL,
        per_record=False, per_lead=True,
    )  # fmt: skip


ENTRIES = (
    *per_beat_entries("qrs_ms", "ms", "the time from onset to offset of QRS", _CSE, (20, 400), _BLOCK),
    *per_beat_entries(
        "qrs_slope_mv_per_s", "mV/s",
        "the largest |dV/dt| (over 4 ms) between QRS onset and the QRS peak; the record's value is the root mean square "
        "over leads", _PHYSIOCLR, (0, 2000), _BLOCK,
    ),
    Feature(
        "qrs_wide_share", "1", "Part of the usual beats with QRS ≥ 120 ms.", _PHYSIOCLR, (0, 1), _BLOCK,
        lambda m: m.share("qrs_ms", m.of_beats("qrs_ms") >= 120), per_lead=True, physioclr=True,
    ),
    Feature(
        "qrs_incomplete_share", "1", "Part of the usual beats with QRS from 100 ms to below 120 ms.", _PHYSIOCLR, (0, 1),
        _BLOCK, lambda m: m.share("qrs_ms", (m.of_beats("qrs_ms") >= 100) & (m.of_beats("qrs_ms") < 120)),
        per_lead=True, physioclr=True,
    ),
    _deflection("q_amplitude_mv", "mV", f"Q, the negative deflection before R, {_MEDIAN}; ≤ 0, 0 = no Q.", (-10, 0), "q_mv"),
    _deflection("q_duration_ms", "ms", f"Duration of Q between zero crossings {_MEDIAN}; 0 = no Q.", (0, 300), "q_ms"),
    _deflection("r_duration_ms", "ms", f"Duration of the highest positive deflection {_MEDIAN}; 0 = no R.", (0, 400), "r_ms"),
    _deflection(
        "s_amplitude_mv", "mV", f"S, the deepest negative deflection after the first R, or the QS, {_MEDIAN}; ≤ 0, 0 = none.",
        (-10, 0), "s_mv",
    ),
    _deflection("s_duration_ms", "ms", f"Duration of that S or QS {_MEDIAN}; 0 = no S.", (0, 400), "s_ms"),
    _deflection(
        "r_prime_amplitude_mv", "mV", f"R′, the highest positive deflection after an S, {_MEDIAN}; 0 = no R′.", (0, 10), "r_prime_mv"
    ),
    _deflection("r_prime_duration_ms", "ms", f"Duration of that R′ {_MEDIAN}; 0 = no R′.", (0, 300), "r_prime_ms"),
    _deflection("r_peak_time_ms", "ms", f"From QRS onset to the highest point of R or R′ {_MEDIAN}.", (0, 300), "r_peak_ms"),
    _deflection("r_notch_mv", "mV", f"Depth of the deepest dip between two tops of R {_MEDIAN}; 0 = one top.", (0, 5), "r_notch_mv"),
    _deflection("qrs_terminal_mv", "mV", f"Mean of the last 40 ms of QRS {_MEDIAN}.", (-5, 5), "terminal_mv"),
    Feature(
        "rbbb_sign", "1", "1 = right bundle-branch block by QRS ≥ 120 ms, R′ or late R in V1 or V2, long S in I and V6; else 0.",
        _AHA, (0, 1), _BLOCK, _rbbb, needs=("qrs_ms", *_of_leads(("r_duration_ms",), ("V1", "V2", "I", "V6"))),
    ),
    Feature(
        "lbbb_sign", "1", "1 = left bundle-branch block by QRS ≥ 120 ms, no Q in I, V5, V6, late or notched R in V5 or V6, rS or QS in V1; else 0.",
        _AHA, (0, 1), _BLOCK, _lbbb, needs=("qrs_ms", *_of_leads(("r_duration_ms",), ("V1", "I", "V5", "V6"))),
    ),
)  # fmt: skip
