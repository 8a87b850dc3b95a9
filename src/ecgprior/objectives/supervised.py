"""Supervised multi-label training: the encoder and a linear head learn the published labels.

The loss is a mean over the labels that are known; a record that was not labelled in a vocabulary says nothing.
``bce`` is binary cross-entropy; ``focal`` weighs down what is already right (Lin et al. 2017, arXiv 1708.02002);
``asymmetric`` weighs down easy negatives only and forgets the very easy ones (Ridnik et al. 2021,
arXiv 2009.14119). One encoder pass a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder
from ..errors import RecipeError, ShapeError
from ..recipe import Part
from ._distributed import n_processes, total
from ._views import Augmentations, View, crop
from .base import NO_NAMES, Loss, Names, Objective


class Supervised(Objective):
    """Multi-label classification with a linear head on the pooled embedding."""

    needs = frozenset({"labels"})

    class Config(Part):
        """Settings.

        Parameters
        ----------
        loss : "bce", "focal" or "asymmetric", default "bce"
        positive_weight : "none", "balanced" or list of float, default "none"
            Factor of the positive part of each label's loss; "balanced" = negatives / positives of the
            training part, at most `largest_weight`.
        largest_weight : float, default 20
        focus : float, default 2
            Exponent of ``focal``, and of the negatives in ``asymmetric`` (whose paper takes 4).
        focus_positive : float, default 0
            Exponent of the positives in ``asymmetric``.
        margin : float, default 0.05
            ``asymmetric``: a negative whose probability is below it costs nothing.
        smoothing : float, default 0
            Labels 0 and 1 become smoothing / 2 and 1 − smoothing / 2.
        dropout : float, default 0
            On the pooled embedding, before the head.
        view_seconds : float or None
            Training windows are cut to this length at a random place; None = the whole window.
        augmentations : list of table
            What training windows go through.
        """

        loss: Literal["bce", "focal", "asymmetric"] = "bce"
        positive_weight: Literal["none", "balanced"] | tuple[float, ...] = "none"
        largest_weight: float = Field(20.0, ge=1)
        focus: float = Field(2.0, ge=0)
        focus_positive: float = Field(0.0, ge=0)
        margin: float = Field(0.05, ge=0, lt=1)
        smoothing: float = Field(0.0, ge=0, lt=1)
        dropout: float = Field(0.0, ge=0, lt=1)
        view_seconds: float | None = Field(None, gt=0)
        augmentations: Augmentations = ()

    config: Config
    positive_weight: Tensor

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        self.classifier = nn.Linear(encoder.dim, len(labels))
        self.dropout = nn.Dropout(config.dropout)
        self.view = View(config.augmentations, self.needs)
        weight = torch.ones(len(labels))
        if not isinstance(config.positive_weight, str):
            if len(config.positive_weight) != len(labels):
                n = len(config.positive_weight)
                raise RecipeError(f"positive_weight: expected one number a label ({len(labels)}), got {n}")
            weight = torch.tensor(config.positive_weight)
        self.register_buffer("positive_weight", weight)

    def before_training(self, columns: Mapping[str, Tensor], names: Names = NO_NAMES) -> None:
        """Count positives and negatives for ``positive_weight = "balanced"``."""
        if self.config.positive_weight == "balanced":
            positives = (columns["labels"] == 1).sum(0)
            negatives = (columns["labels"] == 0).sum(0)
            weight = negatives / positives.clamp(min=1)
            limit = self.config.largest_weight
            self.positive_weight = weight.clamp(1 / limit, limit).to(self.positive_weight)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean loss over the known labels of all processes' windows."""
        labels = batch.labels
        if labels is None:
            raise ShapeError("batch: expected labels (B, C), got none")
        if self.training:
            if self.config.view_seconds is not None:
                batch = crop(batch, rng.split("crop"), round(self.config.view_seconds * self.encoder.fs))
            batch = self.view(batch, rng.split("view"))
        pooled = self.encoder(batch.signal, batch.lead_mask, batch.valid).pooled
        logits = self.classifier(self.dropout(pooled))
        known = ~labels.isnan()
        target = torch.where(known, labels, 0.0).to(logits.dtype)
        target = target * (1 - self.config.smoothing) + self.config.smoothing / 2
        each = self._each(logits, target)
        count = total(known.sum()).clamp(min=1) / n_processes()
        loss = torch.where(known, each, 0.0).sum() / count
        return Loss(loss, {self.config.loss: loss.detach()})

    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of every label of every window, (B, C)."""
        weight = self.positive_weight.to(logits.dtype)
        if self.config.loss == "focal":
            positive = -_power(-logits, self.config.focus) * logsigmoid(logits)
            negative = -_power(logits, self.config.focus) * logsigmoid(-logits)
        elif self.config.loss == "asymmetric":
            positive = -_power(-logits, self.config.focus_positive) * logsigmoid(logits)
            shifted = (torch.sigmoid(logits) - self.config.margin).clamp(1e-12, 1 - 1e-6)
            negative = -(shifted**self.config.focus) * torch.log1p(-shifted)
        else:
            positive, negative = -logsigmoid(logits), -logsigmoid(-logits)
        return weight * target * positive + (1 - target) * negative

    def head(self) -> nn.Module:
        """The linear layer."""
        return self.classifier


def _power(logits: Tensor, exponent: float) -> Tensor:
    """sigmoid(logits) ** exponent, with a finite gradient where the sigmoid is 0."""
    return torch.exp(exponent * logsigmoid(logits))
