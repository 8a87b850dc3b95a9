"""3KG: two views of an ECG as another heart's position and size would show it, through the vectorcardiogram.

Each view is the window brought to three orthogonal leads, rotated, scaled, brought back
(``augmentations/vcg_rotation.py``), and silent in half of its time, on each lead another half
(``augmentations/lead_time_out.py``). Views of one patient are positives, all others negatives; temperature 0.1.
Several positives are averaged outside the logarithm; with one record a patient in the batch it is NT-Xent.
Two encoder passes a window. Which encoder the paper's figures come from could not be established: code that others
built on the first author's offers several, a one-dimensional ResNet-18 (``resnet1d``) among them.

**Source** – Gopal et al. 2021 (arXiv 2106.04452): rotation ± 45°, scale 1–1.5 an axis, half of the time masked.
"""

from __future__ import annotations

from pydantic import Field

from ..batch import Batch, BatchRandom
from ._contrast import sup_con, top1
from ._distributed import gather
from ._two_views import TwoViews
from ._views import Augmentations
from .base import Loss


class ThreeKG(TwoViews):
    """NT-Xent between views through the vectorcardiogram.

    Terms: ``contrast``; ``top1``, the share of this process' windows whose first view finds its partner first.
    """

    class Config(TwoViews.Config):
        """Settings, beside those of two views.

        Parameters
        ----------
        temperature : float, default 0.1
        augmentations : list of table
            By default the published ones.
        """

        temperature: float = Field(0.1, gt=0)
        augmentations: Augmentations = ({"name": "vcg_rotation"}, {"name": "lead_time_out"})

    config: Config

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean over this process' windows, negatives from all processes."""
        first, second = self.views(batch, rng)
        own = batch.patient[:, None] == gather(batch.patient)
        loss = sup_con(first, second, own, self.config.temperature)
        return Loss(loss, {"contrast": loss.detach(), "top1": top1(first, second)})
