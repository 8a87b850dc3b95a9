"""PCLR: two ECGs of one patient, taken at different times, must find each other – what stays is the patient.

As published: temperature 0.1, whole ECGs without augmentation, a projector of one hidden layer of 320 and an output
of 320, one pair a patient and step, all other ECGs of the batch negative. The authors add the two directions' losses;
here they are averaged, which halves the number. Their own encoder is ``pclr``, 320 wide too.
Two encoder passes a patient.

**Source** – Diamant et al. 2022 (arXiv 2104.04569); sizes as in the authors' released model.
"""

from __future__ import annotations

from pydantic import Field

from ..batch import Batch, BatchRandom
from ..errors import ShapeError
from ._contrast import nt_xent, top1
from ._two_views import TwoViews
from ._views import Augmentations
from .base import Loss


class PCLR(TwoViews):
    """NT-Xent between two records of one patient.

    Terms: ``contrast``; ``top1``, the share of this process' patients whose first record finds the second first.
    """

    needs = frozenset({"same_patient"})

    class Config(TwoViews.Config):
        """Settings, beside those of two views.

        Parameters
        ----------
        temperature : float, default 0.1
        projection, hidden : int, default 320
        augmentations : list of table
            None by default, as published.
        """

        temperature: float = Field(0.1, gt=0)
        projection: int = Field(320, ge=1)
        hidden: int = Field(320, ge=0)
        augmentations: Augmentations = ()

    config: Config

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean NT-Xent over this process' patients, negatives from all processes."""
        if batch.other is None:
            raise ShapeError("batch: expected another record of each patient, got none")
        first = self.project(batch, rng.split("view 1"))
        second = self.project(batch.other, rng.split("view 2"))
        loss = nt_xent(first, second, self.config.temperature)
        return Loss(loss, {"contrast": loss.detach(), "top1": top1(first, second)})
