"""The four entries that each per-beat quantity has: median, mean, SD and IQR over the usual beats."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .entry import Feature

if TYPE_CHECKING:
    from .measured import Measured

_STATISTICS = {
    "": ("median", "Median over the usual beats"),
    "_mean": ("mean", "Mean over the usual beats"),
    "_sd": ("sd", "Standard deviation (n − 1) over the usual beats"),
    "_iqr": ("iqr", "Interquartile range over the usual beats"),
}


def per_beat_entries(
    name: str,
    unit: str,
    of: str,
    source: str,
    plausible: tuple[float, float],
    block: str,
    *,
    physioclr: bool = True,
) -> tuple[Feature, ...]:
    """Entries ``name``, ``name_mean``, ``name_sd``, ``name_iqr``, for the record and for each lead.

    Parameters
    ----------
    name : str
        One of :data:`~ecgprior.physiology.features.per_beat.QUANTITIES`.
    unit, source, block : str
    of : str
        What the quantity is, after "… over the usual beats of".
    plausible : tuple of float
        A beat's value beyond it does not count; spreads are believed up to the width of the range.
    """
    spread = (0.0, plausible[1] - plausible[0])
    return tuple(
        Feature(
            name=name + ending,
            unit=unit,
            definition=f"{words} of {of}.",
            source=source,
            plausible=spread if ending in ("_sd", "_iqr") else plausible,
            block=block,
            compute=partial(_statistic, which=which, quantity=name),
            per_lead=True,
            physioclr=physioclr,
        )
        for ending, (which, words) in _STATISTICS.items()
    )


def _statistic(m: Measured, which: str, quantity: str) -> Any:
    return m.statistic(which, quantity)
