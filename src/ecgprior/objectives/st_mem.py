"""ST-MEM: a masked autoencoder whose tokens are patches of single leads.

Of each lead three quarters of the patches are hidden, each lead's own ones; the encoder sees the rest of all leads at
once. A small decoder (256 wide, 4 layers), the same for every lead, then gets one lead at a time and must draw its
hidden patches; loss = squared error against patches normalised to mean 0 and standard deviation 1. One encoder pass a
window, on a quarter of the tokens. Encoder ``st_vit`` (patches of 75 samples at 250 Hz).

What we changed: the decoder has no separator tokens; padding and absent leads are neither seen nor drawn. With an
encoder of all leads together a token is a stretch of all leads, and so is what is drawn, normalised lead by lead.

**Source** – Na et al. 2024 (ICLR, arXiv 2402.09450), section 3; He et al. 2022 (arXiv 2111.06377), section 3.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from ..batch import Batch, BatchRandom
from ..encoders.base import TokenEncoder
from ..recipe import Part
from ._distributed import n_processes, total
from ._token_decoder import TokenDecoder
from ._token_masks import visible_share
from ._views import Augmentations, View
from .base import Loss, Objective


class STMEM(Objective):
    """Squared error at hidden patches.

    Terms: ``mse``.
    """

    requires = frozenset({"token_mask"})

    class Config(Part):
        """Settings; defaults are the paper's.

        Parameters
        ----------
        hidden_share : float
        width, layers, heads : int
            Of the decoder.
        normalise : bool
            Each patch to mean 0 and standard deviation 1 before it is compared.
        augmentations : list of table
        """

        hidden_share: float = Field(0.75, gt=0, lt=1)
        width: int = Field(256, ge=2)
        layers: int = Field(4, ge=1)
        heads: int = Field(4, ge=1)
        normalise: bool = True
        augmentations: Augmentations = ()

    config: Config
    encoder: TokenEncoder

    def __init__(self, encoder: TokenEncoder, config: Config, labels: tuple[str, ...] = ()) -> None:
        super().__init__(encoder, config, labels)
        out = encoder.token_stride * len(encoder.leads) // encoder.token_rows
        self.decoder = TokenDecoder(encoder.dim, config.width, config.layers, config.heads, out)
        self.view = View(config.augmentations, self.needs)

    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """Mean over the hidden patches of all processes."""
        seen = self.view(batch, rng)
        inputs, rows = (seen.signal, seen.lead_mask, seen.valid), self.encoder.token_rows
        present = self.encoder.token_present(*inputs[1:])
        times = present.shape[1] // rows
        draw = rng.uniform("hidden", times, rows)
        grid = _by_row(present, rows)
        visible_grid = visible_share(grid, 1 - self.config.hidden_share, draw.transpose(1, 2).flatten(0, 1))
        visible = visible_grid.unflatten(0, (-1, rows)).transpose(1, 2).flatten(1)
        context = self.encoder.contextualise(self.encoder.patchify(*inputs), visible).tokens
        guess = self.decoder(_by_row(context, rows), visible_grid, grid)
        n_leads, stride = seen.signal.shape[1], self.encoder.token_stride
        # (B · rows, P, leads of a token · stride) → (B, L, P, stride)
        guess = (
            guess.unflatten(2, (n_leads // rows, stride)).transpose(1, 2).reshape(-1, n_leads, times, stride)
        )
        pieces = seen.signal[:, :, : times * stride].unflatten(2, (times, stride))
        hidden = (grid & ~visible_grid).unflatten(0, (-1, rows)) & seen.lead_mask[:, :, None]
        loss = hidden_mse(guess, pieces, hidden, self.config.normalise)
        return Loss(loss, {"mse": loss.detach()})


def hidden_mse(guess: Tensor, pieces: Tensor, hidden: Tensor, normalise: bool) -> Tensor:
    """Mean squared error over hidden patches: (B, L, P, patch) twice, bool (B, L, P) → ().

    With `normalise` each patch of the target is (x − mean) / √(variance + 1e-6), the variance unbiased. This
    process' part, so that the mean over processes is the mean over all.
    """
    if normalise:
        pieces = (pieces - pieces.mean(3, keepdim=True)) / (pieces.var(3, keepdim=True) + 1e-6).sqrt()
    each = (guess - pieces).square().mean(3)
    return (each * hidden).sum() / (total(hidden.sum()).clamp(min=1) / n_processes())


def _by_row(x: Tensor, rows: int) -> Tensor:
    """Tokens or their mask (B, P · rows, …), in the order of time, → (B · rows, P, …)."""
    return x.unflatten(1, (-1, rows)).transpose(1, 2).flatten(0, 1)
