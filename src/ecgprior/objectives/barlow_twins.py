"""Barlow twins: across the batch, each dimension of one view equals the same of the other and no other one.

No negatives. As published: weight 5e-3 beside the diagonal, and a projector of three layers, four times as wide as
the encoder (8,192 over the paper's 2,048), without bias, batch norm and ReLU after its first two. The authors' code
also scales the whole loss by 1/40, for their optimiser; here it is not scaled. Two encoder passes a window.

**Source** – Zbontar et al. 2021 (arXiv 2103.03230), equations 1–2 and section 2.2.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, BatchRandom
from ._redundancy import everybody, expander, off_diagonal
from ._two_views import TwoViews
from .base import Loss


def barlow(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """On and beside the diagonal of the cross-correlation of two projections, (B, D) each: Σ (1 − C_ii)², Σ_{i≠j} C_ij².

    Each dimension is standardised over all processes' windows (biased variance + 1e-5, as batch norm does).
    """
    one, two = ((z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in everybody(first, second))
    correlation = one.T @ two / len(one)
    return (1 - correlation.diagonal()).square().sum(), off_diagonal(correlation).square().sum()


class BarlowTwins(TwoViews):
    """Cross-correlation of two views towards the identity.

    Terms: ``on_diagonal``; ``off_diagonal``, before its weight.
    """

    class Config(TwoViews.Config):
        """Settings, beside those of two views; ``hidden`` plays no part.

        Parameters
        ----------
        redundancy_weight : float, default 5e-3
        projection : int, default 0
            Width of the projector; 0 = four times the encoder's dim.
        """

        redundancy_weight: float = Field(5e-3, ge=0)
        projection: int = Field(0, ge=0)

    config: Config

    def make_projector(self) -> nn.Module:
        """The expander, without bias."""
        return expander(self.encoder.dim, self.config.projection or 4 * self.encoder.dim, bias=False)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Both sums, the second weighted."""
        first, second = self.views(batch, rng)
        with torch.autocast(first.device.type, enabled=False):  # sums of squares need more than 16 bits
            on, beside = barlow(first, second)
        total = on + self.config.redundancy_weight * beside
        return Loss(total, {"on_diagonal": on.detach(), "off_diagonal": beside.detach()})
