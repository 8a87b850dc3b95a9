"""Every feature that :func:`~ecgprior.physiology.features.measure.measure` gives: the list, in order.

An entry says what a feature is *and* computes it: ``FEATURES["qtc_fridericia_ms"].compute``. To add a feature, write one
entry in the file of its block (``rhythm.py``, ``av_p.py``, ``qrs_conduction.py``, ``st_t_qt.py``, ``voltage_axis.py``,
``signal.py``) and its two rows in ``tests/physiology/features/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...record.record import LEADS
from . import av_p, qrs_conduction, rhythm, signal, st_t_qt, voltage_axis
from .entry import BLOCKS, Feature

FEATURES: dict[str, Feature] = {
    entry.name: entry
    for block in (rhythm, av_p, qrs_conduction, st_t_qt, voltage_axis, signal)
    for entry in block.ENTRIES
}
"""Base name → entry, in the order in which they are computed: an entry may read those before it."""


def feature_names(leads: Sequence[str] = LEADS) -> tuple[str, ...]:
    """Names of the values of an ECG: the record's own first, then each per-lead feature in each lead.

    Parameters
    ----------
    leads : sequence of str, (L,)

    Returns
    -------
    tuple of str
        ``"qrs_ms"``, …, ``"t_amplitude_mv.V3"``, …

    Examples
    --------
    >>> names = feature_names(["II"])
    >>> "qtc_fridericia_ms" in names, "t_amplitude_mv.II" in names
    (True, True)
    """
    return _names(tuple(leads))


@lru_cache(maxsize=64)
def _names(leads: tuple[str, ...]) -> tuple[str, ...]:
    whole = [f.name for f in FEATURES.values() if f.per_record]
    return (*whole, *(f"{f.name}.{lead}" for f in FEATURES.values() if f.per_lead for lead in leads))


__all__ = ["BLOCKS", "FEATURES", "Feature", "feature_names"]
