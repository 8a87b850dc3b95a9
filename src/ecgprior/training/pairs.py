"""Two records of one patient a step, for objectives that need ``"same_patient"``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..batch import Batch, BatchRandom
from ..errors import CorpusError
from .windows import Windows, WindowStore


def several_records(store: WindowStore, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some records have a patient with another of them; a record of an unknown patient has none.

    Raises
    ------
    CorpusError
        None has.
    """
    _, group, count = np.unique(store.patient[positions], return_inverse=True, return_counts=True)
    found: NDArray[np.bool_] = np.asarray(count[group] > 1)
    if not found.any():
        raise CorpusError(
            f"same patient: expected at least one patient with two usable records among {len(positions)}, got none; "
            "prepare a source whose catalog names patients that were recorded twice"
        )
    return found


@dataclass(frozen=True, eq=False)
class PatientWindows(Windows):
    """Batches of patients: a window of one of their records, and (``Batch.other``) one of another.

    ``positions`` holds one record of each patient, each once an epoch, so no patient is twice in a step; which two of
    a patient's records a step takes is keyed by seed, step and patient. Build it with :func:`patient_windows`.

    Attributes
    ----------
    group : dict of int to ndarray, int64
        Each of ``positions`` → all records of its patient, two at least.
    """

    group: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def n_records(self) -> int:
        """All records of these patients."""
        return sum(len(records) for records in self.group.values())

    def batch(self, step: int, positions: NDArray[np.int64]) -> Batch:
        """Windows at random places of one record of each patient, and of another."""
        draw = BatchRandom(self.seed, step, torch.from_numpy(self.store.rows[positions])).uniform("pair", 2)
        first, second = positions.copy(), positions.copy()
        for i, (position, (a, b)) in enumerate(zip(positions.tolist(), draw.double().tolist())):
            records = self.group[position]
            one = int(a * len(records))
            first[i], second[i] = (
                records[one],
                records[(one + 1 + int(b * (len(records) - 1))) % len(records)],
            )
        return super().batch(step, first).with_(other=super().batch(step, second))


def patient_windows(
    store: WindowStore, positions: NDArray[np.int64], samples: int, **more: Any
) -> PatientWindows:
    """Windows of patients with two records or more among `positions`; further arguments as of :class:`Windows`."""
    positions = np.sort(positions[several_records(store, positions)])
    order = np.argsort(store.patient[positions], kind="stable")
    ends = np.flatnonzero(np.diff(store.patient[positions[order]])) + 1
    group = {int(records[0]): records for records in np.split(positions[order], ends)}
    return PatientWindows(store, np.array(sorted(group), np.int64), samples, **more, group=group)
