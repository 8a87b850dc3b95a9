"""A vision transformer over time: patches of all leads at once, as in ECG-JEPA.

One strided convolution makes a token of each patch of all leads, fixed sine positions are added, one register token
is put in front (it takes part in attention and is then dropped), pre-norm layers and a last norm follow. No bias
anywhere. Sizes "xs", "s" and "b" are the published ones: 3,600,000, 14,277,888 and 85,185,024 parameters at 12 leads
and patches of 25 samples (0.05 s at 500 Hz).

What we changed: padding and absent leads have no influence; any length; pooling is the mean over valid tokens. Size
"0.5m" is ours.

Source: Weimann & Conrad 2024, *Self-Supervised Pre-Training with Joint-Embedding Predictive Architecture Boosts ECG
Classification Performance*, arXiv 2410.13867 (sizes: the authors' configurations).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from ..recipe import Part
from ._masked import masked_input, mean_over, traced
from ._tokens import Layers, check_tokens, kept, sine_positions, start_linear
from .base import Embedding, TokenEncoder


class _Size(NamedTuple):
    dim: int
    heads: int
    layers: int


_SIZES = {"0.5m": _Size(104, 4, 4), "xs": _Size(192, 4, 8), "s": _Size(384, 6, 8), "b": _Size(768, 12, 12)}


class ViT(TokenEncoder):
    """vit: windows of at least one patch; a rest is not used.

    Parameters
    ----------
    config : ViT.Config
    leads : tuple of str
    fs : float
    """

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.5m", "xs", "s" or "b"
        patch : int
            Samples a token; 25 at 500 Hz in the paper.
        dropout : float
        """

        size: Literal["0.5m", "xs", "s", "b"] = "0.5m"
        patch: int = Field(25, ge=1)
        dropout: float = Field(0.0, ge=0, lt=1)

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size = _SIZES[config.size]
        self.dim = size.dim
        self.min_samples = self.token_stride = config.patch
        self.patch = nn.Conv1d(len(self.leads), size.dim, config.patch, config.patch, bias=False)
        start_linear(self.patch)
        self.register = nn.Parameter(torch.empty(1, 1, size.dim))
        nn.init.trunc_normal_(self.register, std=0.02)
        self.layers = Layers(size.layers, size.dim, size.heads, bias=False, dropout=config.dropout)
        self.norm = nn.LayerNorm(size.dim, eps=1e-6, bias=False)

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌊T / patch⌋, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        return self._contextualise(
            self.patch(x).transpose(1, 2), None if mask is None else self.token_valid(mask)
        )

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when all of its samples are."""
        return valid[:, self.token_stride - 1 :: self.token_stride]

    def patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Local tokens, 0 where padding: (B, L, T) → (B, ⌊T / patch⌋, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        return kept(self.patch(x).transpose(1, 2), None if mask is None else self.token_valid(mask))

    def contextualise(self, tokens: Tensor, keep: Tensor) -> Embedding:
        """Add positions and attention over the kept tokens: (B, P, D), bool (B, P) → Embedding, 0 where not kept."""
        if not traced():
            check_tokens(tokens, keep, self.dim)
        return self._contextualise(tokens, keep)

    def _contextualise(self, tokens: Tensor, keep: Tensor | None) -> Embedding:
        x = kept(tokens, keep)
        x = x + sine_positions(x[0, :, 0], self.dim, x.dtype)
        first = self.register.to(x.dtype).expand(x.shape[0], -1, -1)
        inside = None if keep is None else torch.cat([torch.ones_like(keep[:, :1]), keep], 1)
        x = kept(self.norm(self.layers(torch.cat([first, x], 1), inside)[:, 1:]), keep)
        return Embedding(x, mean_over(x, keep))
