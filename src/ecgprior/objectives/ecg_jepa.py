"""ECG-JEPA: from a fifth of the tokens a predictor must say what a slowly following encoder makes of the rest.

Blocks of tokens are hidden, 15–25 % stay; the encoder sees only those. A narrower transformer predicts, at each hidden
place, the token that a moving average of the encoder gives for the whole window; loss = mean absolute difference.
Momentum rises from 0.998 to 0.9995 in a straight line over the run. Two encoder passes a window, one of them on a
fifth of the tokens, one without gradient. Encoder ``vit`` (patches of 25 samples at 500 Hz).

What we changed: the share that stays is drawn a window, not a batch; padding is neither seen nor predicted.

**Source** – Weimann & Conrad 2024 (arXiv 2410.13867), section 3; numbers from the authors' configurations. (Another
method of that name: Kim 2024, arXiv 2410.08559.)
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from torch import Tensor

from ..batch import Batch, BatchRandom
from ..encoders.base import TokenEncoder
from ..recipe import Part
from ._distributed import n_processes, total
from ._token_decoder import Follower, TokenDecoder
from ._token_masks import only_in_time, visible_blocks
from ._views import Augmentations, View
from .base import Loss, Objective


class ECGJEPA(Objective):
    """L1 between predicted and followed tokens at hidden places.

    Terms: ``l1``; ``target_sd``, the targets' standard deviation over hidden tokens, mean over their dimensions: it
    falls to 0 when the encoder collapses.
    """

    requires = frozenset({"token_mask"})
    passes = 2

    class Config(Part):
        """Settings; defaults are those of the paper's ViT-S.

        Parameters
        ----------
        least_visible, most_visible : float
            Share of tokens that stay.
        smallest_block : int
            Tokens a hidden block, at least.
        width, layers, heads : int
            Of the predictor.
        first_momentum, last_momentum : float
        augmentations : list of table
        """

        least_visible: float = Field(0.15, gt=0, lt=1)
        most_visible: float = Field(0.25, gt=0, lt=1)
        smallest_block: int = Field(10, ge=1)
        width: int = Field(192, ge=2)
        layers: int = Field(8, ge=1)
        heads: int = Field(6, ge=1)
        first_momentum: float = Field(0.998, ge=0, le=1)
        last_momentum: float = Field(0.9995, ge=0, le=1)
        augmentations: Augmentations = ()

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.least_visible > self.most_visible:
                raise ValueError("least_visible must not be above most_visible")
            return self

    config: Config
    encoder: TokenEncoder

    def __init__(self, encoder: TokenEncoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        only_in_time(encoder, "ecg_jepa")
        self.target = Follower(encoder)
        self.predictor = TokenDecoder(
            encoder.dim, config.width, config.layers, config.heads, encoder.dim, bias=False
        )
        self.view = View(config.augmentations, self.needs)

    def after_step(self, progress: float) -> None:
        """The target's turn."""
        first, last = self.config.first_momentum, self.config.last_momentum
        self.target.follow(self.encoder, first + (last - first) * progress)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean over the hidden tokens of all processes."""
        seen = self.view(batch, rng)
        inputs = seen.signal, seen.lead_mask, seen.valid
        present = self.encoder.token_present(*inputs[1:])
        visible = visible_blocks(
            present, self.config.least_visible, self.config.most_visible, self.config.smallest_block, rng
        )
        target = self.target(*inputs)
        context = self.encoder.contextualise(self.encoder.patchify(*inputs), visible).tokens
        guess = self.predictor(context, visible, present)
        hidden = present & ~visible
        loss = hidden_l1(guess, target, hidden)
        return Loss(loss, {"l1": loss.detach(), "target_sd": _spread(target, hidden)})


def hidden_l1(guess: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Mean |guess − target| over hidden tokens and dimensions: (B, P, D) twice, bool (B, P) → ().

    This process' part, so that the mean over processes is the mean over all.
    """
    each = (guess - target).abs().mean(2)
    return (each * hidden).sum() / (total(hidden.sum()).clamp(min=1) / n_processes())


def _spread(tokens: Tensor, keep: Tensor) -> Tensor:
    few = tokens[keep].detach().float()
    return few.std(0, correction=0).mean() if len(few) else tokens.new_zeros(())
