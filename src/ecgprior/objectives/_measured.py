"""Measured features that guide an objective: chosen by name, standardised on the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import ColumnMissing, CorpusError
from ..physiology.similarity import Standardiser
from ._feature_space import choose
from .base import Names


def standardiser(columns: Mapping[str, Tensor], names: Names, wanted: Sequence[str]) -> Standardiser:
    """Centre and unit of the wanted features; of the others it says that they were not measured.

    Parameters
    ----------
    columns, names : mapping
        As :meth:`~ecgprior.objectives.base.Objective.before_training` is given them.
    wanted : sequence of str
        See :func:`~ecgprior.objectives._feature_space.choose`.

    Raises
    ------
    ColumnMissing
        The features have no names, or none of the wanted ones is there and varies.
    """
    if "features" not in names:
        raise ColumnMissing("features: expected their names beside the training part, got none")
    given = names["features"]
    values = columns["features"].cpu().numpy()
    values = np.where(np.isin(given, choose(given, wanted)), values, np.nan)
    fitted = Standardiser.fit(values, given)
    refuse_alike(fitted, len(values))
    return fitted


def refuse_alike(fitted: Standardiser, n_rows: int) -> None:
    """Only noise would tell recordings apart that differ by no more than one that is measured twice.

    Of different people about a tenth of these features does (``log/2026-11-22-ssl-rivals.md``).

    Raises
    ------
    CorpusError
        Half of the features in ms, mV, bpm, Hz and degrees vary by their floor or less.
    """
    if fitted.at_floor >= 0.5:
        raise CorpusError(
            "training part: expected recordings of which some are physiologically alike and some are not, got "
            f"{n_rows} rows of features of which {fitted.at_floor:.0%} vary less than repeated measurements of one ECG; "
            "prepare recordings of more people"
        )


def mean_squares(one: Tensor, other: Tensor) -> Tensor:
    """Mean over features of the squared differences of all rows of (B, F) with all of (N, F): (B, N)."""
    return torch.cdist(one, other).square() / one.shape[1]
