"""Delineation: which wave each moment of each lead belongs to, learnt from marks.

Cross-entropy over none, P, QRS and T at every sample whose class is known, on the grid of the head: a moment that
stands for two samples of different classes is told half of each, so boundaries keep the precision of the marks. What
lies outside the marked part of a lead costs nothing. One encoder pass a window.

What we changed against a plain segmentation: the boundaries of simulated records cost nothing either (``guard_ms``),
for where a wave begins is a convention, and the simulator's is not the cardiologists'.

**Source** – Moskalenko et al. 2020 (arXiv 2001.04689): segmentation into P, QRS and T by a one-dimensional U-Net.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder, LeadEncoder
from ..errors import RecipeError, ShapeError
from ..recipe import Part
from ._distributed import n_processes, total
from ._views import Augmentations, View, crop
from .base import LeadHead, Loss, Objective

CLASSES = ("none", "P", "QRS", "T")


class Delineate(Objective):
    """Softmax over wave classes from lead tokens, by a linear layer.

    Terms: ``cross_entropy``; ``right``, the share of known moments whose most probable class is theirs.
    """

    needs = frozenset({"waves"})
    requires = frozenset({"lead_tokens"})

    class Config(Part):
        """Settings.

        Parameters
        ----------
        per_token : int, default 1
            Moments a token of the encoder speaks of.
        class_weight : list of float, default (1, 1, 1, 1)
            Factor of a sample of class none, P, QRS, T.
        boundary_weight : float, default 1
            Factor of samples within `boundary_ms` of a boundary.
        boundary_ms : float, default 20
        guard_ms : float, default 20
            Of simulated records, samples this close to a boundary are left out; 0 = none.
        view_seconds : float or None
            Training windows are cut to this length at a random place, after the augmentations.
        augmentations : list of table
            What training windows go through.
        """

        per_token: int = Field(1, ge=1)
        class_weight: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
        boundary_weight: float = Field(1.0, ge=0)
        boundary_ms: float = Field(20.0, ge=0)
        guard_ms: float = Field(20.0, ge=0)
        view_seconds: float | None = Field(None, gt=0)
        augmentations: Augmentations = ()

    config: Config
    class_weight: Tensor

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        if not isinstance(encoder, LeadEncoder):
            raise RecipeError(
                f"delineate: expected an encoder with tokens a lead, got {type(encoder).__name__}"
            )
        if encoder.lead_stride % config.per_token:
            raise RecipeError(
                f"per_token: expected a divisor of the encoder's {encoder.lead_stride} samples a token, "
                f"got {config.per_token}"
            )
        if min(config.class_weight) < 0:
            raise RecipeError(f"class_weight: expected no number below 0, got {config.class_weight}")
        self.classifier = nn.Linear(encoder.dim, config.per_token * len(CLASSES))
        self.view = View(config.augmentations, self.needs)
        self.register_buffer("class_weight", torch.tensor(config.class_weight), persistent=False)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Weighted mean over the known samples of all processes' windows."""
        if "waves" not in batch.columns:
            raise ShapeError("batch: expected a column 'waves' (B, L, T), got none")
        encoder = self.encoder
        assert isinstance(encoder, LeadEncoder)
        if self.training:
            batch = self.view(batch, rng.split("view"))
            if self.config.view_seconds is not None:
                batch = crop(batch, rng.split("crop"), round(self.config.view_seconds * encoder.fs))
        tokens = encoder.lead_tokens(batch.signal, batch.lead_mask, batch.valid)
        waves = self._known(batch)
        logits = self.classifier(tokens).unflatten(3, (-1, len(CLASSES))).flatten(2, 3)
        wide = torch.promote_types(logits.dtype, torch.float32)
        moments = F.log_softmax(logits.to(wide), 3)
        log_p = moments.repeat_interleave(encoder.lead_stride // self.config.per_token, 2)[
            :, :, : waves.shape[2]
        ]
        known = waves >= 0
        target = waves.clamp(min=0).long()
        weight = self.class_weight.to(wide)[target] * known
        if self.config.boundary_weight != 1.0:
            near = self._near(batch.columns["waves"], self.config.boundary_ms)
            weight = torch.where(near, weight * self.config.boundary_weight, weight)
        each = -log_p.gather(3, target[..., None])[..., 0]
        share = total(weight.sum()).clamp(min=1e-6) / n_processes()
        loss = (each * weight).sum() / share
        right = ((log_p.detach().argmax(3) == target) & known).sum() / known.sum().clamp(min=1)
        return Loss(loss, {"cross_entropy": loss.detach(), "right": right.to(torch.float32)})

    def _known(self, batch: Batch) -> Tensor:
        """Waves int8 (B, L, T), −1 also where nothing was recorded and around simulated boundaries."""
        waves = batch.columns["waves"]
        present = batch.lead_mask[:, :, None] & batch.valid[:, None, :]
        simulated = batch.columns.get("simulated")
        if self.config.guard_ms > 0 and simulated is not None:
            present = present & ~(simulated[:, None, None] & self._near(waves, self.config.guard_ms))
        return torch.where(present, waves, torch.full_like(waves, -1))

    def _near(self, waves: Tensor, ms: float) -> Tensor:
        """Bool (B, L, T): within `ms` of a change of class."""
        reach = round(ms / 1000 * self.encoder.fs)
        if not reach:
            return torch.zeros_like(waves, dtype=torch.bool)
        # Change i lies between samples i and i + 1; near it are samples i + 1 − reach to i + reach.
        change = (waves[:, :, 1:] != waves[:, :, :-1]).float()
        return F.max_pool1d(F.pad(change, (reach, reach)), 2 * reach, 1) > 0

    def lead_head(self) -> LeadHead:
        """The linear layer."""
        return LeadHead(self.classifier, CLASSES)
