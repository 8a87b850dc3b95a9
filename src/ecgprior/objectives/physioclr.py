"""PhysioCLR: windows whose measured physiology is alike attract each other, others repel, and the signal is rebuilt.

Three views of a window: itself with leads masked (the anchor), itself with its beats shuffled, and the window after
it. The anchor's positives are its two other views and every window of the batch whose features are similar; its
negatives are the dissimilar ones. A decoder rebuilds the whole, un-masked, un-shuffled window from the anchor's
tokens, and peaks of P, QRS and T count once more.

    total = contrast + 0.2 · global + 0.1 · peak

What we changed by a switch: similarity block by block and a threshold at a quantile, so that the share of positives
does not depend on the feature set (``pairs``); a loss that has a lower bound (``loss``). And always: windows of one
patient and pairs of which too little was measured are never negatives; a window is never its own positive; rows
without negatives take no part and are counted. Up to three encoder passes a window. Extension, off unless a recipe asks:
a head that predicts the features (``regression_weight``). In ``physioclr-small`` it weighs 1
and the contrast 0.05, without the window after.

**Source** – Maghsoodi et al. 2025 (arXiv 2509.08116): δ, τ = 0.1, both weights, lead masking; widths of the windows
around peaks and the projection head are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import normalize

from ..batch import Batch, BatchRandom
from ..encoders.base import Embedding, Encoder
from ..errors import ShapeError
from ..recipe import Part
from ._contrast import projector
from ._decoder import Decoder, peak_windows, squared_errors
from ._distributed import check_windows, gather, n_processes, total
from ._feature_targets import FeatureTargets, TargetSettings
from ._pair_losses import Candidates, Form, row_losses
from ._physio_pairs import Pairs, PairSettings, Relations
from ._views import Augmentations, View, crop
from .base import NO_NAMES, Loss, Names, Objective

_FEWEST = 4
_RANK_ROWS = 256
_MOVES_TIME = {"crop_resize", "time_scale", "shuffle_beats"}


class PhysioCLR(Objective):
    """Contrast by measured physiology, and reconstruction.

    Terms: ``contrast``; ``positives``, how many an anchor has; ``skipped``, the share of anchors without a positive
    or a negative; ``rank``, the effective rank of the embedding; ``floor``, of ``mean_of_logs``; ``global``,
    ``peak``; ``regression``, ``r2``.
    """

    needs = frozenset({"features", "fiducials", "next"})
    passes = 3

    class Config(Part):
        """Settings.

        Parameters
        ----------
        loss : "mean_of_logs", "own_plus_neighbours", "bounded", "soft" or "paper"
            See :mod:`~ecgprior.objectives._pair_losses`.
        pairs : table
            See :class:`~ecgprior.objectives._physio_pairs.PairSettings`.
        similar : "positive", "ignore" or "negative", default "positive"
            What similar windows are. "negative": every window of another patient is one, and features play no part.
        own_view : bool, default True
            The second view of the anchor's own window is made and is a positive.
        shuffle : list of table
            What the second view goes through first, at full length; empty = nothing but `augmentations`.
        adjacent : bool, default True
            The window right after the anchor is a positive.
        views_of_others : bool, default False
            Second and adjacent views of other windows take part, with those windows' relation.
        symmetric : bool, default False
            Every view is an anchor in turn.
        split_projection : bool, default False
            Comparisons with the shuffled view use the first half of the projection only: rhythm may live in the other.
        temperature : float, default 0.1
        projection, hidden : int, default 128 and 0
            Widths of the projector's output and middle; 0 = the encoder's dim.
        lead_mask : float, default 0.5
            Probability that a lead is masked, in each view; at least one is kept.
        view_seconds : float or None
            Each view is cut to this length at its own random place; None = the whole window.
        whole_anchor : bool, default False
            The anchor is the whole window all the same: what it is to tell was measured there.
        augmentations : list of table
            What second and adjacent view go through, before leads are masked.
        anchor_augmentations : list of table
            What the anchor goes through; while the decoder is on, nothing that changes time.
        contrast_weight, global_weight, peak_weight : float, default 1, 0.2 and 0.1
        peak_ms : three floats, default 40, 50 and 80
            Half width of the windows around the peaks of P, R and T.
        decoder_hidden : int, default 0
            Width of the decoder; 0 = a third of the encoder's dim.
        regression_weight : float, default 0
            Of the features' prediction from the anchor.
        targets : table
            See :class:`~ecgprior.objectives._feature_targets.TargetSettings`.
        """

        loss: Form = "mean_of_logs"
        pairs: PairSettings = Field(default_factory=lambda: PairSettings.check({}))
        similar: Literal["positive", "ignore", "negative"] = "positive"
        own_view: bool = True
        shuffle: Augmentations = ({"name": "shuffle_beats"},)
        adjacent: bool = True
        views_of_others: bool = False
        symmetric: bool = False
        split_projection: bool = False
        temperature: float = Field(0.1, gt=0)
        projection: int = Field(128, ge=2)
        hidden: int = Field(0, ge=0)
        lead_mask: float = Field(0.5, ge=0, lt=1)
        view_seconds: float | None = Field(None, gt=0)
        whole_anchor: bool = False
        augmentations: Augmentations = ()
        anchor_augmentations: Augmentations = ()
        contrast_weight: float = Field(1.0, ge=0)
        global_weight: float = Field(0.2, ge=0)
        peak_weight: float = Field(0.1, ge=0)
        peak_ms: tuple[float, float, float] = (40.0, 50.0, 80.0)
        decoder_hidden: int = Field(0, ge=0)
        regression_weight: float = Field(0.0, ge=0)
        targets: TargetSettings = Field(default_factory=lambda: TargetSettings.check({}))

        @property
        def decodes(self) -> bool:
            """Whether there is a decoder."""
            return self.global_weight + self.peak_weight > 0

        @model_validator(mode="after")
        def _agrees(self) -> Self:
            if self.contrast_weight + self.global_weight + self.peak_weight + self.regression_weight == 0:
                raise ValueError("expected at least one weight above 0")
            if self.contrast_weight and not (self.own_view or self.adjacent or self.similar == "positive"):
                raise ValueError("own_view, adjacent, similar: expected at least one kind of positive")
            if self.similar == "negative" and self.loss == "soft":
                raise ValueError("similar = 'negative': physiology plays no part, but loss = 'soft' weighs by it")
            moved = [
                step.get("name") for step in self.anchor_augmentations if step.get("name") in _MOVES_TIME
            ]
            if self.decodes and moved:
                raise ValueError(
                    f"anchor_augmentations: '{moved[0]}' changes time, which the decoder cannot undo: expected it in "
                    "augmentations, or global_weight = peak_weight = 0"
                )
            return self

    config: Config

    @classmethod
    def asks(cls, config: Part) -> frozenset[str]:
        """The next window only where there is an adjacent view to be made of it."""
        assert isinstance(config, cls.Config)
        return cls.needs if config.adjacent and config.contrast_weight else cls.needs - {"next"}

    def __init__(self, encoder: Encoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        contrasts = config.contrast_weight > 0
        self.passes = 1 + contrasts * (config.own_view + config.adjacent)
        masking = ({"name": "lead_mask", "share": config.lead_mask},) if config.lead_mask else ()
        self.anchor = View((*config.anchor_augmentations, *masking), self.needs)
        self.other = View((*config.augmentations, *masking), self.needs)
        self.shuffle = View(config.shuffle, self.needs)
        self.projector = (
            projector(encoder.dim, config.hidden or encoder.dim, config.projection) if contrasts else None
        )
        self.pairs = Pairs(config.pairs) if contrasts else None
        self.decoder = Decoder(encoder, config.decoder_hidden) if config.decodes else None
        self.targets = FeatureTargets(encoder.dim, config.targets) if config.regression_weight else None

    def before_training(self, columns: Mapping[str, Tensor], names: Names = NO_NAMES) -> None:
        """Fit the space of similarity, δ and, if asked for, the targets on the training part."""
        for part in (self.pairs, self.targets):
            if part is not None:
                part.fit(columns, names)

    def learnt(self) -> dict[str, Any]:
        """The space's digest, δ, and the training part they are from."""
        parts = (part.learnt() for part in (self.pairs, self.targets) if part is not None)
        return {name: value for part in parts for name, value in part.items()}

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """The weighted sum of what is switched on."""
        config = self.config
        if self.pairs is not None and self.training:
            check_windows("PhysioCLR", len(batch) * n_processes(), _FEWEST)
        window = batch if config.whole_anchor else self._cut(batch, rng.split("anchor"))
        seen = self.anchor(window, rng.split("anchor"))
        embedded = self.encoder(seen.signal, seen.lead_mask, seen.valid)
        parts: list[Tensor] = []
        terms = {"rank": effective_rank(embedded.pooled.detach()[:_RANK_ROWS])}
        if self.pairs is not None:
            contrast, said = self._contrast(embedded.pooled, batch, rng)
            parts.append(config.contrast_weight * contrast)
            terms |= said
        if self.decoder is not None:
            overall, peak = self._rebuild(self.decoder, embedded, window)
            parts.append(config.global_weight * overall + config.peak_weight * peak)
            terms |= {"global": overall.detach(), "peak": peak.detach()}
        if self.targets is not None:
            regression, said = self.targets(embedded.pooled, batch.columns["features"])
            parts.append(config.regression_weight * regression)
            terms |= said
        return Loss(torch.stack(parts).sum(), terms)

    def _cut(self, batch: Batch, rng: BatchRandom) -> Batch:
        if self.config.view_seconds is None:
            return batch
        return crop(batch, rng, round(self.config.view_seconds * self.encoder.fs))

    def _rebuild(self, decoder: Decoder, embedded: Embedding, window: Batch) -> tuple[Tensor, Tensor]:
        """Errors over the whole window, and around the peaks: the target has all its leads and its own order."""
        samples, fs = window.signal.shape[2], self.encoder.fs
        half = [ms * fs / 1000 for ms in self.config.peak_ms]
        near = peak_windows(window.columns["fiducials"], samples, (half[0], half[1], half[2]))
        made = decoder(embedded.tokens, samples)
        return squared_errors(made, window.signal, window.lead_mask, window.valid, near)

    def _contrast(self, pooled: Tensor, batch: Batch, rng: BatchRandom) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.pairs is not None
        relations = self.pairs(batch.columns["features"], batch.patient)
        views = {"anchor": self._project(pooled)}
        if self.config.own_view:
            own = rng.split("own")
            views["own"] = self._view(self._cut(self.shuffle(batch, own.split("shuffle")), own), own)
        if self.config.adjacent:
            if batch.next is None:
                raise ShapeError("batch: expected the next window of each record (batch.next), got none")
            after = rng.split("adjacent")
            views["adjacent"] = self._view(self._cut(batch.next, after), after)
        return self._compare(views, relations)

    def _view(self, batch: Batch, rng: BatchRandom) -> Tensor:
        seen = self.other(batch, rng.split("view"))
        return self._project(self.encoder(seen.signal, seen.lead_mask, seen.valid).pooled)

    def _project(self, pooled: Tensor) -> Tensor:
        assert self.projector is not None
        made = self.projector(pooled)
        return made.float() if made.dtype in (torch.bfloat16, torch.float16) else made

    def _compare(self, views: dict[str, Tensor], relations: Relations) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over anchors of all processes."""
        everyone = {name: gather(view) for name, view in views.items()}
        losses, counts = [], []
        with torch.autocast(views["anchor"].device.type, enabled=False):
            for name in views if self.config.symmetric else ("anchor",):
                given = self._candidates(name, views[name], everyone, relations)
                each, kept = row_losses(self.config.loss, given)
                losses.append(each.sum() / (total(kept.sum()).clamp(min=1) / n_processes()))
                counts.append(_counts((given.own | given.similar).sum(1), kept))
        loss = torch.stack(losses).mean()
        positives, skipped, floor = torch.stack(counts).mean(0)
        terms = {"contrast": loss.detach(), "positives": positives, "skipped": skipped}
        return loss, terms | ({"floor": floor} if self.config.loss == "mean_of_logs" else {})

    def _candidates(
        self, name: str, anchors: Tensor, everyone: dict[str, Tensor], relations: Relations
    ) -> Candidates:
        """All views that an anchor meets, one kind of view after the other."""
        similar, negative = self._roles(relations)
        blank = torch.zeros_like(relations.itself)
        blocks = []
        for other, candidates in everyone.items():
            met = other == "anchor" or self.config.views_of_others
            blocks.append(
                (
                    self._logits(anchors, candidates, "own" in (name, other)),
                    blank if other == name else relations.itself,
                    similar if met else blank,
                    negative if met else blank,
                    relations.weight,
                )
            )
        return Candidates(*(torch.cat(block, 1) for block in zip(*blocks)))

    def _roles(self, relations: Relations) -> tuple[Tensor, Tensor]:
        """Who is similar and who is a negative, under the switch."""
        if self.config.similar == "negative":
            return torch.zeros_like(relations.itself), relations.stranger
        if self.config.similar == "ignore":
            return torch.zeros_like(relations.itself), relations.dissimilar
        return relations.similar, relations.dissimilar

    def _logits(self, anchors: Tensor, candidates: Tensor, shuffled: bool) -> Tensor:
        if shuffled and self.config.split_projection:
            half = self.config.projection // 2
            anchors, candidates = anchors[:, :half], candidates[:, :half]
        return normalize(anchors, dim=1) @ normalize(candidates, dim=1).T / self.config.temperature


def _counts(n_positive: Tensor, kept: Tensor) -> Tensor:
    """Positives a row, share of rows that take no part, mean log of the positives: (3,)."""
    n = n_positive.double()
    return torch.stack([n.mean(), 1 - kept.double().mean(), n.clamp(min=1).log().mean()])


def effective_rank(embedding: Tensor) -> Tensor:
    """exp of the entropy of the centred embedding's singular values, each over their sum: from 1 to min(n, D).

    **Source** – Roy & Vetterli 2007, *The effective rank*, EUSIPCO.
    """
    x = embedding if embedding.dtype == torch.float64 else embedding.float()
    with torch.autocast(x.device.type, enabled=False):
        x = (x - x.mean(0)).nan_to_num()
        x = x if len(x) <= x.shape[1] else x.T
        singular = torch.linalg.eigvalsh(x @ x.T).clamp(min=0).sqrt()
        share = singular / singular.sum().clamp(min=1e-12)
        return torch.exp(-torch.special.xlogy(share, share).sum())
