"""The beats of a record: R peaks found over all leads at once, and of what kind each is.

Beats are the QRS complexes of :func:`~ecgprior.physiology.delineate.delineate`: pooled over the leads, so that flat,
inverted, noisy or absent leads do no harm. The kind comes from prematurity, width and shape
(:mod:`~ecgprior.physiology.ectopy`).
"""

from __future__ import annotations

import numpy as np

from ..record.beats import Beats, Delineation
from ..record.record import Record
from .delineate import delineate
from .ectopy import beat_kinds
from .windows import Network


def detect_beats(record: Record, *, network: Network | None = None) -> Beats:
    """The beats of one record.

    Parameters
    ----------
    record : Record
        Any leads in any order, one or more; 40 to 20,000 Hz.
    network : WaveNetwork or None
        None = the one that comes with the package.

    Returns
    -------
    Beats
        Main deflection of each QRS over all leads, in samples of the record; no beat on noise, flat lines, asystole.

    Raises
    ------
    CheckpointError
        The network cannot be loaded. No signal raises.
    """
    return beats_of(record, delineate(record, network=network))


def beats_of(record: Record, delineation: Delineation) -> Beats:
    """The beats of a delineation that is there already.

    Parameters
    ----------
    record : Record
    delineation : Delineation
        Of this record.

    Returns
    -------
    Beats
    """
    qrs = delineation.global_[:, 1]
    kinds = beat_kinds(record.signal, record.fs, qrs[:, 1], qrs[:, 0], qrs[:, 2])
    return Beats(np.clip(np.round(qrs[:, 1]), 0, record.n_samples - 1), kinds)
