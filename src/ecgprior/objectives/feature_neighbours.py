"""Feature neighbours: a window's positives are its other view and the window that was measured most alike.

Supervised contrast, temperature 0.07, with the nearest neighbour in standardised features; after epoch 40 also
cross-entropy to 128 prototypes (k-means over projections, moving average 0.5), with a weight that rises from 0 to 1
over 1,000 epochs.

What we changed, beside the authors' code: there the prototypes are clusters of the features, found once
before training; each is the moving average of the projections of its windows, taken every step, and has a
temperature of its own, by how far these lie from it. Here they are found once an epoch over the latest
projections, have one temperature, and the prototype of a window is the one nearest to the sum of its views.
Ours, where nothing is said: the neighbour, sought in the batch of all processes, is not the same patient. As
there, the relation goes one way, and a feature that was not measured is the training median; distance = mean
of squared differences, of robust z (there: z); windows in which nothing was measured have no neighbour. Their
own encoder is ``resnet1d``.
An epoch is as many windows as the training part has rows of features. Two encoder passes a window.

**Source** – Gu et al. 2025, 10.1038/s44172-025-00467-6 (Communications Engineering), and the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder
from ._contrast import sup_con, top1
from ._distributed import gather
from ._feature_space import Standard
from ._measured import mean_squares, standardiser
from ._prototypes import Prototypes
from ._two_views import TwoViews
from .base import NO_NAMES, Loss, Names


def neighbours(values: Tensor, everyone: Tensor, allowed: Tensor) -> Tensor:
    """The nearest of all windows for each of some: bool (B, N), one True a row, or none where none is allowed.

    Parameters
    ----------
    values, everyone : Tensor, float, (B, F) and (N, F)
    allowed : Tensor, bool, (B, N)
    """
    far = mean_squares(values, everyone).masked_fill(~allowed, torch.inf)
    nearest = torch.zeros_like(allowed).scatter(1, far.argmin(1, keepdim=True), True)
    return nearest & allowed


class FeatureNeighbours(TwoViews):
    """Supervised contrast with the nearest neighbour in measured features, then prototypes.

    Terms: ``contrast``; ``prototypes``, before its weight; ``prototype_weight``; ``top1``, the share of windows whose
    first view finds its partner first.
    """

    needs = frozenset({"features"})

    class Config(TwoViews.Config):
        """Settings, beside those of two views.

        Parameters
        ----------
        temperature : float, default 0.07
        features : list of str, default ["physiology"]
            What is compared; see :func:`~ecgprior.objectives._feature_space.choose`.
        prototypes : int, default 128
            0 = none.
        prototype_epoch : float, default 40
            The epoch after which they count.
        prototype_epochs : float, default 1000
            Epochs over which their weight rises to 1.
        prototype_average : float, default 0.5
            Weight of the prototypes before, when they are found anew.
        bank : int, default 4096
            Projections that k-means sees.
        """

        temperature: float = Field(0.07, gt=0)
        features: tuple[str, ...] = ("physiology",)
        prototypes: int = Field(128, ge=0)
        prototype_epoch: float = Field(40.0, ge=0)
        prototype_epochs: float = Field(1000.0, gt=0)
        prototype_average: float = Field(0.5, ge=0, lt=1)
        bank: int = Field(4096, ge=1)

    config: Config
    seen: Tensor
    an_epoch: Tensor

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        self.standard = Standard()
        self.prototypes = Prototypes(
            config.prototypes, config.projection, config.bank, config.prototype_average
        )
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("an_epoch", torch.zeros((), dtype=torch.int64))

    def before_training(self, columns: Mapping[str, Tensor], names: Names = NO_NAMES) -> None:
        """Learn centre and unit of each feature, and how long an epoch is."""
        self.standard.set(standardiser(columns, names, self.config.features))
        self.an_epoch.fill_(len(columns["features"]))

    @property
    def epoch(self) -> float:
        """Epochs of training so far."""
        return int(self.seen) / max(1, int(self.an_epoch))

    @property
    def prototype_weight(self) -> float:
        """Weight of the prototypes: min(1, (epoch − 40) / 1000), at least 0."""
        after = (self.epoch - self.config.prototype_epoch) / self.config.prototype_epochs
        return min(1.0, max(0.0, after)) if self.config.prototypes else 0.0

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean over this process' windows, negatives from all processes."""
        first, second = self.views(batch, rng)
        related = self._related(batch)
        contrast = sup_con(first, second, related, self.config.temperature)
        weight = self.prototype_weight
        pulled = (
            self.prototypes.loss(first, second, self.config.temperature) if weight else contrast.new_zeros(())
        )
        if self.training and self.config.prototypes:
            self._remember(first, related.shape[1])
        terms = {
            "contrast": contrast.detach(),
            "prototypes": pulled.detach(),
            "prototype_weight": contrast.new_tensor(weight),
            "top1": top1(first, second),
        }
        return Loss(contrast + weight * pulled, terms)

    def _related(self, batch: Batch) -> Tensor:
        values, measured = self.standard(batch.columns["features"])
        some = measured.any(1)
        allowed = (
            (batch.patient[:, None] != gather(batch.patient)) & some[:, None] & gather(some.long()).bool()
        )
        return neighbours(values, gather(values), allowed)

    def _remember(self, projections: Tensor, n: int) -> None:
        """Count the windows; at the end of an epoch, and shortly before prototypes first count, find them."""
        self.prototypes.remember(projections)
        before = int(self.epoch)
        self.seen += n
        if int(self.epoch) > before and self.epoch >= self.config.prototype_epoch - 1:
            self.prototypes.find()
