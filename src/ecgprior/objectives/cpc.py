"""Contrastive predictive coding: from its past a token must tell the one 5 steps on from others of the same window.

A linear map without bias predicts the later local token from the context; the dot product with the true one stands
against those with tokens drawn from the same sequence. Encoder and numbers of the authors' ECG study: ``cpc`` (strided
convolutions and a two-layer LSTM of 512), 128 distractors. One encoder pass a window.

What we changed: the mean over all moments, where the release sums. The release predicts one distance, `steps`;
``each_step`` predicts 1 … steps, each by its own map, as the method's first paper does. An encoder whose context is
not causal is shown the window up to one random moment only.

**Source** – van den Oord et al. 2018 (arXiv 1807.03748), equations 3–4; on ECG: Mehari & Strodthoff 2022
(10.1016/j.compbiomed.2021.105114).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..batch import Batch, BatchRandom
from ..encoders.base import TokenEncoder
from ..recipe import Part
from ._distributed import n_processes, total
from ._token_masks import only_in_time
from ._views import Augmentations, View
from .base import Loss, Objective


class CPC(Objective):
    """Cross-entropy of the true later token among distractors.

    Terms: ``contrast``; ``right``, the share of predictions for which the true token scores highest.
    """

    requires = frozenset({"token_mask"})

    class Config(Part):
        """Settings.

        Parameters
        ----------
        steps : int, default 5
            How many tokens ahead.
        each_step : bool, default False
            Predict 1 … steps ahead instead of exactly `steps`.
        n_distractors : int, default 128
        augmentations : list of table
        """

        steps: int = Field(5, ge=1)
        each_step: bool = False
        n_distractors: int = Field(128, ge=1)
        augmentations: Augmentations = ()

    config: Config
    encoder: TokenEncoder

    def __init__(self, encoder: TokenEncoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        only_in_time(encoder, "cpc")
        self.ahead = tuple(range(1, config.steps + 1)) if config.each_step else (config.steps,)
        self.predict = nn.ModuleList(nn.Linear(encoder.dim, encoder.dim, bias=False) for _ in self.ahead)
        self.view = View(config.augmentations, self.needs)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean over the predictions of all processes; a window without room for one says nothing."""
        seen = self.view(batch, rng)
        tokens = self.encoder.patchify(seen.signal, seen.lead_mask, seen.valid)
        present = self.encoder.token_present(seen.lead_mask, seen.valid)
        context, at = self._context(tokens, present, rng)
        n = present.sum(1)[:, None]
        losses, rights = [], []
        for ahead, predict in zip(self.ahead, self.predict):
            draw = rng.uniform(f"distractors {ahead}", at.shape[1], self.config.n_distractors)
            logits = later_among_others(predict(context), tokens, at + ahead, n, draw)[at + ahead < n]
            nought = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
            losses.append(functional.cross_entropy(logits, nought, reduction="none"))
            rights.append(logits.detach().argmax(1) == 0)
        each, right = torch.cat(losses), torch.cat(rights)
        count = total(torch.full_like(n[0, 0], len(each))).clamp(min=1) / n_processes()
        loss = each.sum() / count
        return Loss(loss, {"contrast": loss.detach(), "right": right.sum() / max(len(right), 1)})

    def _context(self, tokens: Tensor, present: Tensor, rng: BatchRandom) -> tuple[Tensor, Tensor]:
        """Contexts (B, A, D) and the tokens with which they end, int64 (B, A)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        if self.encoder.causal:
            return self.encoder.contextualise(tokens, present).tokens, places.expand(len(tokens), -1)
        room = (present.sum(1) - max(self.ahead)).clamp(min=1)
        at = (rng.uniform("moment") * room).long()[:, None]
        context = self.encoder.contextualise(tokens, present & (places <= at)).tokens
        return context.gather(1, at[:, :, None].expand(-1, -1, context.shape[2])), at


def later_among_others(prediction: Tensor, tokens: Tensor, later: Tensor, n: Tensor, draw: Tensor) -> Tensor:
    """Dot products of predictions with the true later token, first, and with distractors of the same sequence.

    Parameters
    ----------
    prediction : Tensor, float, (B, A, D)
    tokens : Tensor, float, (B, P, D)
    later : Tensor, int64, (B, A)
        Which token is the true one; where it is n or more, the answer means nothing.
    n : Tensor, int64, (B, 1)
        Present tokens of each sequence, at its front.
    draw : Tensor, float, (B, A, N)
        Uniform in [0, 1): which other token, each as probable, with repetition.

    Returns
    -------
    Tensor, float, (B, A, 1 + N)
    """
    scores = prediction @ tokens.transpose(1, 2)
    other = (draw * (n[:, :, None] - 1)).long()
    other = other + (other >= later[:, :, None])
    chosen = torch.cat([later[:, :, None], other], 2).clamp(min=0, max=tokens.shape[1] - 1)
    return scores.gather(2, chosen)
