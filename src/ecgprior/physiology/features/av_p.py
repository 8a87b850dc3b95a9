"""Block *av_p*: the P wave and the way from atria to ventricles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import Feature
from .of_beats import per_beat_entries

if TYPE_CHECKING:
    from .measured import Measured

_CSE = "CSE Working Party 1985, Eur Heart J 6:815"


def _pr_range(m: Measured) -> Any:
    pr = m.of_beats("pr_ms")[0]
    known = np.isfinite(pr)
    longest = np.where(known, pr, -np.inf).max(axis=-1, initial=-np.inf)
    shortest = np.where(known, pr, np.inf).min(axis=-1, initial=np.inf)
    return np.where(known.sum(axis=-1) > 1, longest - shortest, np.nan)


ENTRIES = (
    *per_beat_entries("pr_ms", "ms", "the time from the onset of P to the onset of QRS", _CSE, (40, 700), "av_p"),
    *per_beat_entries("p_duration_ms", "ms", "the time from onset to offset of P", _CSE, (15, 300), "av_p"),
    *per_beat_entries(
        "p_amplitude_mv", "mV",
        "P at its peak (mean of ± 4 ms; the global peak where the lead's own is not seen) against the line before P; "
        "the record's value is the root mean square over leads", _CSE, (-2, 2), "av_p",
    ),
    Feature(
        "pr_long_share", "1", "Part of the usual beats with PR > 200 ms, of those with a PR.", "PhysioCLR feature vector",
        (0, 1), "av_p", lambda m: m.share("pr_ms", m.of_beats("pr_ms") > 200), per_lead=True, physioclr=True,
    ),
    Feature(
        "pr_range_ms", "ms", "Longest less shortest PR of the usual beats: Wenckebach, dissociation, wandering pacemaker.",
        "ours", (0, 660), "av_p", _pr_range, needs=("pr_ms", "pr_ms_sd"),
    ),
)  # fmt: skip
