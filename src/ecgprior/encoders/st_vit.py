"""A vision transformer whose tokens are patches of single leads, as in ST-MEM.

Each patch of each lead goes through norm, linear layer and norm; positions (fixed sines) say when, a learnt embedding
says which lead, and a learnt separator stands before and after each lead. Pre-norm layers let every token look at
every other. Size "base" is the published one (ViT-B: 85.13 M parameters at 12 leads and patches of 75 samples, 0.3 s
at 250 Hz), "small" its smaller sister (ViT-S, 21.33 M).

What we changed: padding and absent leads have no influence; any length; the last norm comes before the mean over
tokens, not after it. Size "0.5m" is ours. Cost grows with the square of leads × patches.

Source: Na et al. 2024, *Guiding Masked Representation Learning to Capture Spatio-Temporal Relationship of
Electrocardiogram* (ST-MEM), ICLR 2024, arXiv 2402.09450, section 3.
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


_SIZES = {"0.5m": _Size(104, 4, 4), "small": _Size(384, 6, 12), "base": _Size(768, 12, 12)}


class STViT(TokenEncoder):
    """st_vit: windows of at least one patch; a rest is not used; L tokens a patch, in the order of time, then leads.

    Parameters
    ----------
    config : STViT.Config
    leads : tuple of str
    fs : float
    """

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.5m", "small" or "base"
        patch : int
            Samples a token; 75 at 250 Hz in the paper.
        dropout : float
        """

        size: Literal["0.5m", "small", "base"] = "0.5m"
        patch: int = Field(75, ge=2)
        dropout: float = Field(0.0, ge=0, lt=1)

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size = _SIZES[config.size]
        self.dim, self.token_rows = size.dim, len(self.leads)
        self.min_samples = self.token_stride = config.patch
        self.patch_norm, self.patch = nn.LayerNorm(config.patch), nn.Linear(config.patch, size.dim)
        start_linear(self.patch)
        self.token_norm = nn.LayerNorm(size.dim)
        self.separator = nn.Parameter(torch.randn(size.dim) * 0.02)
        self.lead = nn.Parameter(torch.randn(len(self.leads), size.dim) * 0.02)
        self.layers = Layers(size.layers, size.dim, size.heads, dropout=config.dropout)
        self.norm = nn.LayerNorm(size.dim, eps=1e-6)

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌊T / patch⌋ · L, D), pooled (B, D)."""
        tokens = self.patchify(signal, lead_mask, valid)
        return self._contextualise(tokens, self.token_present(lead_mask, valid))

    def token_valid(self, valid: Tensor) -> Tensor:
        """The L tokens of a patch are valid when all of its samples are."""
        whole = valid[:, self.token_stride - 1 :: self.token_stride]
        return whole[:, :, None].expand(-1, -1, self.token_rows).flatten(1)

    def token_present(self, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Bool (B, P): the token's samples are valid and its lead is there."""
        whole = valid[:, self.token_stride - 1 :: self.token_stride]
        return (whole[:, :, None] & lead_mask[:, None, :]).flatten(1)

    def patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Local tokens, 0 where padding or absent: (B, L, T) → (B, ⌊T / patch⌋ · L, D)."""
        x, _ = masked_input(self, signal, lead_mask, valid)
        whole = x.shape[2] // self.token_stride * self.token_stride
        pieces = x[:, :, :whole].unflatten(2, (-1, self.token_stride)).transpose(1, 2)  # (B, P, L, patch)
        tokens = self.token_norm(self.patch(self.patch_norm(pieces))).flatten(1, 2)
        return kept(tokens, self.token_present(lead_mask, valid))

    def contextualise(self, tokens: Tensor, keep: Tensor) -> Embedding:
        """Add when, which lead, and attention over the kept tokens: (B, P · L, D) → Embedding, 0 where not kept."""
        if not traced():
            check_tokens(tokens, keep, self.dim, self.token_rows)
        return self._contextualise(tokens, keep)

    def _contextualise(self, tokens: Tensor, keep: Tensor) -> Embedding:
        n_leads = self.token_rows
        x = kept(tokens, keep).unflatten(1, (-1, n_leads))  # (B, P, L, D)
        x = x + sine_positions(keep[0, ::n_leads], self.dim, x.dtype)[:, None] + self.lead
        there = keep.unflatten(1, (-1, n_leads))
        some = there.any(1, keepdim=True)  # a lead without any token has no separators either
        between = some[:, :, :, None].to(x.dtype) * (self.separator + self.lead)
        inside = torch.cat([some, there, some], 1).flatten(1)
        x = self.layers(torch.cat([between, x, between], 1).flatten(1, 2), inside)
        x = kept(self.norm(x[:, n_leads:-n_leads]), keep)
        return Embedding(x, mean_over(x, keep))
