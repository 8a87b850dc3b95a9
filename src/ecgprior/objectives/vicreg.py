"""VICReg: two views of a window become equal, each dimension keeps its spread, and no two say the same.

No negatives. As published: weights 25, 25, 1; the hinge on the standard deviation at 1; an expander of three layers,
four times as wide as the encoder (8,192 over the paper's 2,048), batch norm and ReLU after its first two. As in the
authors' code the variance term is the *mean* of both views' (½ [v(Z) + v(Z′)], some libraries leave the ½ out at the
same weight), the covariance term the sum. Two encoder passes a window.

**Source** – Bardes, Ponce & LeCun 2022 (arXiv 2105.04906), equations 1–6 and section 4.2.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..batch import Batch, BatchRandom
from ._redundancy import everybody, expander, off_diagonal
from ._two_views import TwoViews
from .base import Loss


def vicreg(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Invariance, variance and covariance of two projections, (B, D) each, not yet weighted.

    Notes
    -----
    mean (Z − Z′)²; ½ [v(Z) + v(Z′)], v = mean_d max(0, 1 − √(var + 1e-4)); c(Z) + c(Z′), c = Σ_{i≠j} cov_ij² / D.
    Variances and covariances are over all processes' windows, with N − 1 below.
    """
    every = everybody(first, second)
    invariance = functional.mse_loss(first.to(every[0].dtype), second.to(every[0].dtype))
    variance = torch.stack([torch.relu(1 - (z.var(0) + 1e-4).sqrt()).mean() for z in every]).mean()
    covariance = torch.stack([off_diagonal(z.T.cov()).square().sum() / z.shape[1] for z in every]).sum()
    return invariance, variance, covariance


class VICReg(TwoViews):
    """Variance, invariance and covariance of the expanded embeddings.

    Terms: ``invariance``, ``variance``, ``covariance``, each before its weight.
    """

    class Config(TwoViews.Config):
        """Settings, beside those of two views; ``hidden`` plays no part.

        Parameters
        ----------
        invariance_weight, variance_weight : float, default 25
        covariance_weight : float, default 1
        projection : int, default 0
            Width of the expander; 0 = four times the encoder's dim.
        """

        invariance_weight: float = Field(25.0, ge=0)
        variance_weight: float = Field(25.0, ge=0)
        covariance_weight: float = Field(1.0, ge=0)
        projection: int = Field(0, ge=0)

    config: Config

    def make_projector(self) -> nn.Module:
        """The expander."""
        return expander(self.encoder.dim, self.config.projection or 4 * self.encoder.dim)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """The weighted sum of the three."""
        names = ("invariance", "variance", "covariance")
        first, second = self.views(batch, rng)
        with torch.autocast(first.device.type, enabled=False):  # sums of squares need more than 16 bits
            terms = dict(zip(names, vicreg(first, second)))
        total = sum(getattr(self.config, f"{name}_weight") * term for name, term in terms.items())
        return Loss(torch.as_tensor(total), {name: term.detach() for name, term in terms.items()})
