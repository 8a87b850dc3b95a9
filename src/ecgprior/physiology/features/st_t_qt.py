"""Block *st_t_qt*: repolarisation – ST level, T wave, QT and its corrections for rate.

The four corrections take the median QT and the mean RR of the record; ``beat_qtc_ms`` is each beat's own, by the RR
before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import Feature
from .of_beats import per_beat_entries
from .statistics import row_median

if TYPE_CHECKING:
    from .measured import Measured

_CSE = "CSE Working Party 1985, Eur Heart J 6:815"
_AHA = "Rautaharju et al. 2009, AHA/ACCF/HRS part IV, J Am Coll Cardiol 53:982"
_MI = "Thygesen et al. 2018, fourth universal definition of myocardial infarction, Circulation 138:e618"
_PHYSIOCLR = "PhysioCLR feature vector"
_BLOCK = "st_t_qt"
_QTC_MS = (150, 1000)
_INVERTED_MV = -0.1
_RMS = "; the record's value is the root mean square over leads"


def _qtc(name: str, formula: str, source: str, compute: Any) -> Feature:
    """Entry of a corrected QT; `compute` takes QT in ms and RR in s."""
    return Feature(
        f"qtc_{name}_ms", "ms", f"{formula}: median QT in ms, mean RR in s.", source, _QTC_MS, _BLOCK,
        lambda m: compute(m["qt_ms"], m["rr_ms_mean"] / 1000), needs=("qt_ms", "rr_ms_mean"),
    )  # fmt: skip


def _st_mad(m: Measured) -> Any:
    """Median absolute deviation of each lead's ST over the usual beats, as measured (no factor)."""
    median, codes = m.statistic("median", "st_j60_mv")
    return row_median(np.abs(m.of_beats("st_j60_mv") - median[..., None])), codes


def _inverted(m: Measured) -> Any:
    t = m.of_leads("t_amplitude_mv")
    return np.where(np.isnan(t), np.nan, t <= _INVERTED_MV)


def _lead_share(m: Measured, quantity: str, true: np.ndarray) -> Any:
    """A share in each lead and, for the record, over all leads and beats together."""
    share, codes = m.share(quantity, true)
    known = np.isfinite(m.of_beats(quantity)[1:])
    n = known.sum(axis=(0, 2))
    together = np.where(n > 0, (known & true[1:]).sum(axis=(0, 2)) / np.maximum(n, 1), np.nan)
    return np.concatenate([[together], share[1:]]), codes


ENTRIES = (
    *per_beat_entries("qt_ms", "ms", "the time from the onset of QRS to the offset of T", _AHA, (150, 900), _BLOCK, physioclr=False),
    _qtc("bazett", "QT / √RR", "Bazett 1920, Heart 7:353", lambda qt, rr: qt / np.sqrt(rr)),
    _qtc("fridericia", "QT / ∛RR", "Fridericia 1920, Acta Med Scand 53:469", lambda qt, rr: qt / np.cbrt(rr)),
    _qtc("framingham", "QT + 154 (1 − RR)", "Sagie et al. 1992, Am J Cardiol 70:797", lambda qt, rr: qt + 154 * (1 - rr)),
    _qtc("hodges", "QT + 1.75 (60/RR − 60)", "Hodges et al. 1983, J Am Coll Cardiol 1:694", lambda qt, rr: qt + 1.75 * (60 / rr - 60)),
    *per_beat_entries(
        "beat_qtc_ms", "ms", "each beat's QT over the square root of the RR before it in s (Bazett)",
        _PHYSIOCLR + "; Bazett 1920, Heart 7:353", _QTC_MS, _BLOCK,
    ),
    Feature(
        "qtc_long_share", "1", "Part of the usual beats whose own QTc (Bazett) is ≥ 500 ms.", _PHYSIOCLR, (0, 1), _BLOCK,
        lambda m: m.share("beat_qtc_ms", m.of_beats("beat_qtc_ms") >= 500), per_lead=True, physioclr=True,
    ),
    Feature(
        "jt_ms", "ms", "QT less QRS, medians.", _AHA, (80, 800), _BLOCK, lambda m: m["qt_ms"] - m["qrs_ms"],
        needs=("qt_ms", "qrs_ms"),
    ),
    *per_beat_entries("t_duration_ms", "ms", "the time from onset to offset of T", _PHYSIOCLR, (30, 600), _BLOCK),
    *per_beat_entries("tpe_ms", "ms", "the time from the peak to the offset of T", _AHA, (10, 400), _BLOCK, physioclr=False),
    *per_beat_entries(
        "t_amplitude_mv", "mV",
        "T at its peak (mean of ± 4 ms; the global peak where the lead's own is not seen) against the PQ level" + _RMS,
        _AHA, (-5, 5), _BLOCK,
    ),
    Feature(
        "t_inversion", "1", "1 = median T amplitude at or below −0.1 mV, else 0.", _AHA, (0, 1), _BLOCK, _inverted,
        needs=("t_amplitude_mv",), per_record=False, per_lead=True,
    ),
    Feature(
        "t_inverted_share", "1", "Part of the usual beats (record: of all leads' beats) whose T is at or below −0.1 mV.",
        _PHYSIOCLR + "; threshold as t_inversion", (0, 1), _BLOCK,
        lambda m: _lead_share(m, "t_amplitude_mv", m.of_beats("t_amplitude_mv") <= _INVERTED_MV), per_lead=True, physioclr=True,
    ),
    *per_beat_entries("st_j_mv", "mV", "ST at J (global QRS offset, mean of ± 4 ms) against the PQ level" + _RMS, _MI, (-3, 3), _BLOCK, physioclr=False),
    *per_beat_entries("st_j60_mv", "mV", "ST 60 ms after J against the PQ level" + _RMS, _PHYSIOCLR, (-3, 3), _BLOCK),
    *per_beat_entries("st_j80_mv", "mV", "ST 80 ms after J against the PQ level" + _RMS, _AHA, (-3, 3), _BLOCK, physioclr=False),
    Feature(
        "st_shift_share", "1", "Part of the usual beats (record: of all leads' beats) with |ST at J + 60 ms| ≥ 0.1 mV.",
        _PHYSIOCLR, (0, 1), _BLOCK, lambda m: _lead_share(m, "st_j60_mv", np.abs(m.of_beats("st_j60_mv")) >= 0.1),
        per_lead=True, physioclr=True,
    ),
    Feature(
        "st_mad_mv", "mV", "Median absolute deviation of ST at J + 60 ms over the usual beats" + _RMS + " first.", _PHYSIOCLR,
        (0, 3), _BLOCK, _st_mad, per_lead=True, physioclr=True,
    ),
)  # fmt: skip
