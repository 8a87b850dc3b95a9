"""SimCLR: two augmented views of a window must find each other among the views of all other windows.

NT-Xent on a projection that is dropped after pre-training. The paper's batch of thousands becomes the
recipe's; views may be cropped to ``view_seconds`` first, each at its own place, which costs the encoder less
and makes the task harder. Two encoder passes a window.

**Source** – Chen et al. 2020 (arXiv 2002.05709); on ECG: Mehari & Strodthoff 2022
(10.1016/j.compbiomed.2021.105114), random resized crop and time-out.
"""

from __future__ import annotations

import torch
from pydantic import Field

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder
from ..recipe import Part
from ._contrast import nt_xent, projector
from ._views import Augmentations, View, crop
from .base import Loss, Objective


class SimCLR(Objective):
    """NT-Xent between two views.

    Terms: ``contrast``; ``top1``, the share of this process' windows whose first view finds its partner first.
    """

    passes = 2

    class Config(Part):
        """Settings.

        Parameters
        ----------
        temperature : float, default 0.1
        projection : int, default 128
            Width of the projector's output.
        hidden : int, default 0
            Width of its middle; 0 = the encoder's dim.
        view_seconds : float or None
            Each view is cut to this length at its own random place; None = the whole window.
        augmentations : list of table
            Both views draw from the same list; see :class:`~ecgprior.objectives._views.View`.
        """

        temperature: float = Field(0.1, gt=0)
        projection: int = Field(128, ge=1)
        hidden: int = Field(0, ge=0)
        view_seconds: float | None = Field(None, gt=0)
        augmentations: Augmentations = ({"name": "crop_resize"}, {"name": "time_out"})

    config: Config

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        self.projector = projector(encoder.dim, config.hidden or encoder.dim, config.projection)
        self.view = View(config.augmentations, self.needs)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean NT-Xent over this process' windows, negatives from all processes."""
        first = self._project(batch, rng.split("view 1"))
        second = self._project(batch, rng.split("view 2"))
        loss = nt_xent(first, second, self.config.temperature)
        return Loss(loss, {"contrast": loss.detach(), "top1": _top1(first.detach(), second.detach())})

    def _project(self, batch: Batch, rng: BatchRandom) -> torch.Tensor:
        if self.config.view_seconds is not None:
            batch = crop(batch, rng, round(self.config.view_seconds * self.encoder.fs))
        seen = self.view(batch, rng)
        return self.projector(self.encoder(seen.signal, seen.lead_mask, seen.valid).pooled)


def _top1(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    cosine = torch.nn.functional.normalize(first, dim=1) @ torch.nn.functional.normalize(second, dim=1).T
    return (cosine.argmax(1) == torch.arange(len(first), device=first.device)).float().mean()
