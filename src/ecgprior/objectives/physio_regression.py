"""Physiological regression: the embedding must tell what the physiology engine measured in the ECG.

A linear head on the pooled embedding predicts the record's features – robust z, its magnitude, and whether it is
abnormal – wherever they were measured (:mod:`._feature_targets`). The features are self-supervision: no label and no
person is behind them. Leads may be masked, so that one lead has to stand for others. One encoder pass a window.

The idea of physiological guidance is PhysioCLR's (arXiv 2509.08116); the regression is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder
from ._feature_targets import FeatureTargets, TargetSettings
from ._views import Augmentations, View, crop
from .base import NO_NAMES, Loss, Names, Objective


class PhysioRegression(Objective):
    """Smooth L1 to measured features.

    Terms: ``regression``; ``r2``, the share of z's mean square that is explained.
    """

    needs = frozenset({"features"})

    class Config(TargetSettings):
        """Settings, beside those of :class:`~ecgprior.objectives._feature_targets.TargetSettings`.

        Parameters
        ----------
        view_seconds : float or None
            Training windows are cut to this length at a random place; None = the whole window.
        augmentations : list of table
            What training windows go through.
        """

        view_seconds: float | None = Field(None, gt=0)
        augmentations: Augmentations = ({"name": "lead_mask", "probability": 0.5, "share": 0.5},)

    config: Config

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        self.targets = FeatureTargets(encoder.dim, config)
        self.view = View(config.augmentations, self.needs)

    def before_training(self, columns: Mapping[str, Tensor], names: Names = NO_NAMES) -> None:
        """Fit the targets' centres and units on the training part."""
        self.targets.fit(columns, names)

    def learnt(self) -> dict[str, Any]:
        """How many features are predicted."""
        return self.targets.learnt()

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean loss over the measured features of all processes' windows."""
        features = batch.columns["features"]
        if self.training:
            if self.config.view_seconds is not None:
                batch = crop(batch, rng.split("crop"), round(self.config.view_seconds * self.encoder.fs))
            batch = self.view(batch, rng.split("view"))
        pooled = self.encoder(batch.signal, batch.lead_mask, batch.valid).pooled
        return Loss(*self.targets(pooled, features))
