"""Measured features that guide an objective: chosen by name, standardised on the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import ColumnMissing
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
    return Standardiser.fit(values, given)


def mean_squares(one: Tensor, other: Tensor) -> Tensor:
    """Mean over features of the squared differences of all rows of (B, F) with all of (N, F): (B, N)."""
    return torch.cdist(one, other).square() / one.shape[1]
