"""CLEF-type weighting: negatives weigh by how far apart they were measured, and embeddings are aligned to that distance.

NT-Xent whose negatives are weighted by a row-softmax of a distance between what was measured of the two patients, and
a mean squared error between cosines (brought to 0–1) and one minus that distance; half of each. As published:
temperature 0.07, distances from 0.2 to 1, no projector: the encoder's own embedding is compared. The weights of a row
sum to 1 over all views, its own and its partner's included, so negatives as a whole weigh about as much as one
positive: that is how the authors' code has it.

What we changed: the authors' clinical risk score (SCORE2, from age, sex, smoking, blood pressure, cholesterol) is not
in these corpora; in its place stand measured features, standardised robustly on the training part, with the mean of
their squared differences; one feature gives the published form. A feature that was not measured counts as the
training median, and a pair of which much is missing counts as nearer: its distance is multiplied by exp(−m_i m_j),
m = the share that is missing. The paper shows the encoder one random lead of twelve; here the recipe's
augmentations decide. Their own encoder is ``net1d``. Two encoder passes a window.

**Source** – Shu et al. 2025, CLEF (arXiv 2512.02180), section 3; what the text leaves open, by the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import mse_loss, normalize

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder
from ..errors import ShapeError
from ._contrast import top1
from ._distributed import gather
from ._feature_space import Standard
from ._measured import mean_squares, standardiser
from ._two_views import TwoViews
from .base import NO_NAMES, Loss, Names

_SMALLEST = 1e-6  # of a range, before it is divided by


def distances(values: Tensor, missing: Tensor, nearest: float) -> Tensor:
    """How far apart windows were measured.

    Parameters
    ----------
    values : Tensor, float, (N, F)
        Standardised; 0 where not measured.
    missing : Tensor, float, (N,)
        The share that was not measured, 0 to 1.
    nearest : float
        The smallest distance between two windows that were measured in full, 0 to 1.

    Returns
    -------
    Tensor, float, (N, N)
        From `nearest` to 1 where nothing is missing, else less, down to exp(−1) of it; 0 for a window and itself.

    Notes
    -----
    d = nearest + (1 − nearest) · minmax(mean_f (r_if − r_jf)²), then d · exp(−m_i m_j).
    """
    d = nearest + (1 - nearest) * _unit_range(mean_squares(values, values))
    d = d * torch.exp(-missing[:, None] * missing)
    return d.masked_fill(torch.eye(len(d), dtype=torch.bool, device=d.device), 0.0)


def clef(first: Tensor, second: Tensor, distance: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The weighted contrast and the alignment.

    Parameters
    ----------
    first, second : Tensor, float, (N, D)
        Embeddings of two views of all processes' windows; normalised here.
    distance : Tensor, float, (N, N)
        Of :func:`distances`.
    temperature : float

    Returns
    -------
    contrast : Tensor, float, ()
        Mean over all 2N views.
    alignment : Tensor, float, ()
        Mean over all pairs of views.

    Raises
    ------
    ShapeError
        The views' shapes differ or are not (N, D), or there is only one window in all.

    Notes
    -----
    With s over all 2N views, p(i) the partner of i and w_i = softmax over all views j of d_ij:
    mean_i −log [e^{s(i,p)/τ} / (e^{s(i,p)/τ} + Σ_{j≠i,p} w_ij e^{s(i,j)/τ})]; mean_ij (minmax s_ij − (1 − d_ij))².
    """
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise ShapeError(
            f"embeddings: expected two of shape (N, D), N at least 2, got {first.shape}, {second.shape}"
        )
    views = normalize(torch.cat([first, second]), dim=1)
    cosine, d = views @ views.T, distance.to(views.dtype).repeat(2, 2)
    n = len(views)
    partner = torch.arange(n, device=views.device).roll(n // 2)[:, None]
    log_weight = d.log_softmax(1).scatter(1, partner, 0.0)
    logits = cosine / temperature + log_weight.masked_fill(
        torch.eye(n, dtype=torch.bool, device=d.device), float("-inf")
    )
    contrast = (logits.logsumexp(1, keepdim=True) - logits.gather(1, partner)).mean()
    return contrast, mse_loss(_unit_range(cosine), 1 - d)


class CLEF(TwoViews):
    """Contrast with weighted negatives, and alignment to measured distances.

    Terms: ``contrast``, ``alignment``; ``top1``, the share of windows whose first view finds its partner first.
    """

    needs = frozenset({"features"})

    class Config(TwoViews.Config):
        """Settings, beside those of two views; ``projection`` and ``hidden`` play no part.

        Parameters
        ----------
        temperature : float, default 0.07
        nearest : float, default 0.2
            The smallest distance between two windows.
        features : list of str, default ["physiology"]
            What is compared; see :func:`~ecgprior.objectives._feature_space.choose`.
        """

        temperature: float = Field(0.07, gt=0)
        nearest: float = Field(0.2, ge=0, lt=1)
        features: tuple[str, ...] = ("physiology",)

    config: Config

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        self.standard = Standard()

    def make_projector(self) -> nn.Module:
        """None."""
        return nn.Identity()

    def before_training(self, columns: Mapping[str, Tensor], names: Names = NO_NAMES) -> None:
        """Learn centre and unit of each feature."""
        self.standard.set(standardiser(columns, names, self.config.features))

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Half of both, over all processes' windows."""
        first, second = self.views(batch, rng)
        values, measured = self.standard(batch.columns["features"])
        missing = 1 - measured.double().mean(1)
        distance = distances(gather(values), gather(missing), self.config.nearest)
        contrast, alignment = clef(gather(first), gather(second), distance, self.config.temperature)
        terms = {"contrast": contrast.detach(), "alignment": alignment.detach(), "top1": top1(first, second)}
        return Loss((contrast + alignment) / 2, terms)


def _unit_range(x: Tensor) -> Tensor:
    """From its smallest to its largest value → from 0 to 1."""
    return (x - x.min()) / (x.max() - x.min() + _SMALLEST)
