"""Block *quality*: how alike the beats are, and how much noise lies on the quiet part before QRS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .entry import Feature
from .reasons import Reason

if TYPE_CHECKING:
    from .measured import Measured

_PHYSIOCLR = "PhysioCLR feature vector"


def _correlation(m: Measured, which: str) -> Any:
    rows = m.adjacent_correlation
    if which == "min":
        known = np.isfinite(rows)
        lowest = np.where(known, rows, np.inf).min(axis=-1, initial=np.inf)
        return np.where(np.isfinite(lowest), lowest, np.nan)
    return getattr(m.correlation_statistics, which)


ENTRIES = (
    *(
        Feature(
            f"beat_correlation_{which}", "1",
            f"{words} of the correlation of adjacent usual beats (−200 … +400 ms about R); record: all leads together.",
            _PHYSIOCLR, (0, 2) if which == "sd" else (-1, 1), "quality", partial(_correlation, which=which),
            otherwise=Reason.FEW_BEATS, per_lead=True, physioclr=True,
        )
        for which, words in (("mean", "Mean"), ("sd", "Standard deviation (n − 1)"), ("min", "Smallest value"))
    ),
    Feature(
        "noise_mv", "mV", "1.4826 × median absolute deviation of the signal from the PQ level in the 20 ms before QRS.", "ours",
        (0, 5), "quality", lambda m: m.beats.noise_mv, needs=("qrs_ms",), per_record=False, per_lead=True,
    ),
)  # fmt: skip
