"""White noise of a random level: the crudest model of muscle and electronics."""

from __future__ import annotations

from pydantic import Field

from ..batch import Batch, BatchRandom
from ._waves import add
from .base import Augmentation


class GaussianNoise(Augmentation):
    """Add independent normal noise to every recorded sample.

    Parameters
    ----------
    sd : float, default 0.05
        Largest standard deviation, in the unit of the preprocessed signal (mV when it is not normalised);
        each window draws its own, evenly from 0 to `sd`.
    """

    sd: float = Field(0.05, ge=0)

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """Absent leads and padding stay 0."""
        level = self.sd * rng.uniform("level", 1, 1)
        return add(batch, level * rng.normal("noise", *batch.signal.shape[1:]))
