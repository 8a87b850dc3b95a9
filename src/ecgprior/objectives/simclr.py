"""SimCLR: two augmented views of a window must find each other among the views of all other windows.

NT-Xent on a projection that is dropped after pre-training. The paper's batch of thousands becomes the
recipe's; views may be cropped to ``view_seconds`` first, each at its own place, which costs the encoder less
and makes the task harder. Two encoder passes a window.

**Source** – Chen et al. 2020 (arXiv 2002.05709); on ECG: Mehari & Strodthoff 2022
(10.1016/j.compbiomed.2021.105114), random resized crop and time-out.
"""

from __future__ import annotations

from pydantic import Field

from ..batch import Batch, BatchRandom
from ._contrast import nt_xent, top1
from ._two_views import TwoViews
from .base import Loss


class SimCLR(TwoViews):
    """NT-Xent between two views.

    Terms: ``contrast``; ``top1``, the share of this process' windows whose first view finds its partner first.
    """

    class Config(TwoViews.Config):
        """Settings, beside those of two views.

        Parameters
        ----------
        temperature : float, default 0.1
        """

        temperature: float = Field(0.1, gt=0)

    config: Config

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean NT-Xent over this process' windows, negatives from all processes."""
        first, second = self.views(batch, rng)
        loss = nt_xent(first, second, self.config.temperature)
        return Loss(loss, {"contrast": loss.detach(), "top1": top1(first, second)})
