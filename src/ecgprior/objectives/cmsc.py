"""CMSC: two adjacent windows of a record must find each other – what changes within seconds is not the patient.

Contrastive multi-segment coding of CLOCS. As published: temperature 0.1, no augmentation – the second window is the
view –, every pair of one patient in the batch is positive, and a single linear layer to 128 numbers follows the
convolutions, with no projector after it. There that layer stays. So it does with their own encoder, ``clocs``, of
which it is a part, and ``projection = 0``; with any other encoder it is dropped after pre-training, as every other
objective's projector, so that embeddings have the encoder's width. Two encoder passes a record.

**Source** – Kiyasseh et al. 2021, CLOCS (arXiv 2005.13249), section 4 and equations 1–3; E = 128 (appendix: 32–256).
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from ..batch import Batch, BatchRandom
from ..errors import ShapeError
from ._contrast import same_patient, top1
from ._two_views import TwoViews
from ._views import Augmentations
from .base import Loss


class CMSC(TwoViews):
    """Symmetric InfoNCE between a window and the next.

    Terms: ``contrast``; ``top1``, the share of this process' windows that find their next one first.
    """

    needs = frozenset({"next"})

    class Config(TwoViews.Config):
        """Settings, beside those of two views; ``hidden`` plays no part.

        Parameters
        ----------
        temperature : float, default 0.1
        projection : int, default 128
            0 = the encoder's embedding itself is compared.
        augmentations : list of table
            None by default, as published.
        """

        temperature: float = Field(0.1, gt=0)
        projection: int = Field(128, ge=0)
        augmentations: Augmentations = ()

    config: Config

    def make_projector(self) -> nn.Module:
        """One linear layer, or none."""
        width = self.config.projection
        return nn.Linear(self.encoder.dim, width) if width else nn.Identity()

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """This process' part of the loss over all records."""
        if batch.next is None:
            raise ShapeError("batch: expected the next window of each record, got none")
        first = self.project(batch, rng.split("view 1"))
        second = self.project(batch.next, rng.split("view 2"))
        loss = same_patient(first, second, batch.patient, self.config.temperature)
        return Loss(loss, {"contrast": loss.detach(), "top1": top1(first, second)})
