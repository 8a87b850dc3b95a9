"""A wav2vec 2.0 encoder for ECGs, in the shape of ECG-FM and of PhysioCLR's release.

Four convolutions (kernel 2, stride 2: one token a 16 samples), layer norm, projection, convolutional positional
encoding, post-norm transformer layers; at size "paper" 90.37 M parameters at 12 leads (stem 0.40, projection
0.20, positional 4.72, layers 85.05).

What we changed: padding and absent leads have no influence; pooling is the mean over valid tokens; there is no
quantiser and no mask vector (objectives that mask own theirs). Sizes below "paper" are ours.

Source: Baevski et al. 2020, *wav2vec 2.0*, arXiv 2006.11477, section 2 and appendix B; McKeen et al. 2024,
*ECG-FM*, arXiv 2408.05178 (stem of stride 16 for 12 leads at 500 Hz).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..recipe import Part
from ._masked import MaskedGroupNorm, masked_input, mean_over, traced
from ._tokens import check_tokens, kept, keys
from .base import Embedding, LocalTokens, TokenEncoder, share_of_gradient

_STRIDE = 16  # four halvings
_POSITIONS, _GROUPS = 128, 16


class _Size(NamedTuple):
    stem: int
    dim: int
    inner: int
    heads: int
    layers: int


_SIZES = {
    "0.5m": _Size(64, 96, 384, 4, 4),
    "1m": _Size(64, 128, 512, 4, 4),
    "5m": _Size(128, 256, 1024, 4, 6),
    "23m": _Size(256, 384, 1536, 6, 12),
    "paper": _Size(256, 768, 3072, 12, 12),
}


class Transformer(TokenEncoder):
    """transformer: windows of at least 16 samples; one token a 16 samples, a rest is not used.

    Parameters
    ----------
    config : Transformer.Config
    leads : tuple of str
    fs : float
    """

    min_samples = token_stride = _STRIDE

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.5m", "1m", "5m", "23m" or "paper"
            Millions of parameters at 12 leads; "paper" has 90.37.
        dropout : float
            After attention weights, after each half of a layer and after the positional encoding.
        """

        size: Literal["0.5m", "1m", "5m", "23m", "paper"] = "1m"
        dropout: float = Field(0.1, ge=0, lt=1)

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size = _SIZES[config.size]
        self.dim = size.dim
        self.stem = nn.ModuleList(
            nn.Conv1d(len(self.leads) if i == 0 else size.stem, size.stem, 2, 2, bias=False) for i in range(4)
        )
        self.stem_norm = MaskedGroupNorm(size.stem, size.stem)
        self.project_norm = nn.LayerNorm(size.stem)
        self.project = nn.Linear(size.stem, size.dim)
        self.position = _Position(size.dim)
        self.norm = nn.LayerNorm(size.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            _TransformerLayer(size.dim, size.inner, size.heads, config.dropout) for _ in range(size.layers)
        )
        self.apply(_initialise)

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌊T / 16⌋, D), pooled (B, D)."""
        tokens, mask = self._patchify(signal, lead_mask, valid)
        return self._contextualise(tokens, mask)

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when all of its 16 samples are."""
        return valid[:, _STRIDE - 1 :: _STRIDE]

    def patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Local tokens, 0 where padding: (B, L, T) → (B, ⌊T / 16⌋, D)."""
        return self._patchify(signal, lead_mask, valid)[0]

    def contextualise(self, tokens: Tensor, keep: Tensor) -> Embedding:
        """Add positions and attention over the kept tokens: (B, P, D), bool (B, P) → Embedding, 0 where not kept."""
        if not traced():
            check_tokens(tokens, keep, self.dim)
            if bool(keep.all()):
                return self._contextualise(tokens, None)
        return self._contextualise(tokens, keep)

    @property
    def local_dim(self) -> int:
        """The stem's width."""
        return self.project.in_features

    def local(self, signal: Tensor, lead_mask: Tensor, valid: Tensor, gradient: float = 1.0) -> LocalTokens:
        """The stem's output (B, P, stem), the same normed, and projected (B, P, D)."""
        raw, keep = self._stem(signal, lead_mask, valid)
        raw = share_of_gradient(raw, gradient)
        normed = self.project_norm(raw)
        return LocalTokens(kept(raw, keep), kept(normed, keep), kept(self.project(normed), keep))

    def _patchify(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        x, keep = self._stem(signal, lead_mask, valid)
        return kept(self.project(self.project_norm(x)), keep), keep

    def _stem(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Convolutions only, (B, P, stem), and which tokens are valid."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        for i, conv in enumerate(self.stem):
            x = conv(x)
            if i == 0:  # windows do not overlap, so only statistics could carry padding into a valid token
                x = self.stem_norm(x, None if mask is None else mask[:, 1::2])
            x = F.gelu(x)
        return x.transpose(1, 2), None if mask is None else self.token_valid(mask)

    def _contextualise(self, tokens: Tensor, keep: Tensor | None) -> Embedding:
        x = kept(tokens, keep)
        x = self.dropout(self.norm(x + self.position(x)))
        attend = None if keep is None else keys(keep)
        for layer in self.layers:
            x = layer(x, attend)
        return Embedding(kept(x, keep), mean_over(x, keep))


class _Position(nn.Module):
    """Convolution over 128 tokens in 16 groups, GELU; its kernel's norm at each of the 128 places is a parameter."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        spread = (4.0 / (_POSITIONS * dim)) ** 0.5
        self.direction = nn.Parameter(torch.randn(dim, dim // _GROUPS, _POSITIONS) * spread)
        self.length = nn.Parameter(self.direction.detach().norm(dim=(0, 1), keepdim=True))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.direction * (self.length / self.direction.norm(dim=(0, 1), keepdim=True))
        y = F.conv1d(x.transpose(1, 2), kernel, self.bias, padding=_POSITIONS // 2, groups=_GROUPS)
        return F.gelu(y[:, :, :-1]).transpose(1, 2)  # an even kernel gives one token too many


class _TransformerLayer(nn.Module):
    """Self-attention and feed-forward, each added to its input and then normed."""

    def __init__(self, dim: int, inner: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim)
        self.expand, self.contract = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.feed_norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        q, k, v = (
            self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        )  # (B, H, P, D/H)
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attend, dropout_p=rate)
        x = self.attention_norm(x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2))))
        return self.feed_norm(x + self.dropout(self.contract(F.gelu(self.expand(x)))))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv1d):
        nn.init.kaiming_normal_(module.weight)
