"""Mains hum: 50 or 60 Hz and its first harmonic. At a low sampling rate it appears where it would alias to."""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import add, seconds
from .base import Augmentation


class Mains(Augmentation):
    """Add hum of a random size to each lead.

    Parameters
    ----------
    amplitude : float, default 0.05
        Largest amplitude, in the unit of the preprocessed signal; the harmonic has a fifth of it.
    hz : tuple of float, default (50, 60)
        Each window draws one of these.
    """

    amplitude: float = Field(0.05, ge=0)
    hz: tuple[float, ...] = Field((50.0, 60.0), min_length=1)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Absent leads and padding stay 0."""
        choice = rng.integers("hz", 0, len(self.hz), 1)
        hz = torch.tensor(self.hz, device=choice.device)[choice]
        phase = 2 * torch.pi * (hz * seconds(batch) + rng.uniform("phase", 1))
        hum = torch.sin(phase) + 0.2 * torch.sin(2 * phase + 2 * torch.pi * rng.uniform("harmonic", 1))
        return add(batch, self.amplitude * rng.uniform("size", batch.signal.shape[1], 1) * hum[:, None, :])
