"""What a cardiologist reads first, as text: the line on a printout, and a table with a reason where nothing stands."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..physiology.features.measure import Features
from ..physiology.quality.assess import Quality

_LINE = (
    ("{:.0f}/min", "rate_bpm"),
    ("PR {:.0f} ms", "pr_ms"),
    ("QRS {:.0f} ms", "qrs_ms"),
    ("QT {:.0f} ms", "qt_ms"),
    ("QTcF {:.0f} ms", "qtc_fridericia_ms"),
    ("QRS axis {:.0f}°", "qrs_axis_deg"),
)
_TABLE = (
    ("Beats", "n_beats", "{:.0f}", ""),
    ("Rate", "rate_bpm", "{:.0f}", "/min"),
    ("RR", "rr_ms", "{:.0f}", "ms"),
    ("RR variation", "rr_cv", "{:.1%}", ""),
    ("Ectopic beats", "ectopic_share", "{:.0%}", ""),
    ("Beats with P", "p_presence", "{:.0%}", ""),
    ("P without QRS", "lone_p_share", "{:.0%}", ""),
    ("PP", "pp_ms", "{:.0f}", "ms"),
    ("P", "p_duration_ms", "{:.0f}", "ms"),
    ("PR", "pr_ms", "{:.0f}", "ms"),
    ("QRS", "qrs_ms", "{:.0f}", "ms"),
    ("QT", "qt_ms", "{:.0f}", "ms"),
    ("QTc Fridericia", "qtc_fridericia_ms", "{:.0f}", "ms"),
    ("QTc Bazett", "qtc_bazett_ms", "{:.0f}", "ms"),
    ("P axis", "p_axis_deg", "{:.0f}", "°"),
    ("QRS axis", "qrs_axis_deg", "{:.0f}", "°"),
    ("T axis", "t_axis_deg", "{:.0f}", "°"),
    ("Sokolow-Lyon", "sokolow_lyon_mv", "{:.2f}", "mV"),
    ("Cornell", "cornell_mv", "{:.2f}", "mV"),
)


def printout_line(features: Mapping[str, float]) -> str:
    """The measured ones of rate, PR, QRS, QT, QTc and axis in one line, as on a cart's printout; and P without QRS, if any.

    >>> printout_line({"rate_bpm": 71.8, "pr_ms": float("nan"), "qrs_ms": 92.0})
    '72/min · QRS 92 ms'
    """
    told = [(text, features.get(name, math.nan)) for text, name in _LINE]
    lone = features.get("lone_p_share", math.nan)
    told.append(("P without QRS {:.0%}", lone if lone > 0 else math.nan))
    return " · ".join(text.format(value) for text, value in told if math.isfinite(value)).replace("-", "−")


def quality_lines(judged: Quality, most: int = 6) -> str:
    """Score and verdict as a line of the table, and a line for each finding, the record's own first."""
    verdict = "acceptable" if judged.acceptable else "unacceptable"
    found = [f"  {finding}" for finding in judged.all_findings]
    more = [f"  and {len(found) - most} more"] if len(found) > most else []
    return "\n".join([f"{'Quality':<16}{judged.score:>6.2f} {verdict}", *found[:most], *more])


def interval_table(features: Features) -> str:
    """Names, values and units in columns; where a value is missing, the reason."""
    rows = []
    for title, name, form, unit in _TABLE:
        if name not in features:
            continue
        value = features[name]
        if math.isfinite(value):
            rows.append(f"{title:<16}{form.format(value).replace('-', '−'):>6} {unit}".rstrip())
        else:
            rows.append(f"{title:<16}{'–':>6} {features.reasons.get(name, '')}".rstrip())
    return "\n".join(rows)
