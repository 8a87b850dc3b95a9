"""What encoders of tokens share: masks, positions, and transformer layers in which tokens not kept cost nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError
from ._masked import traced

_TEMPERATURE = 10_000.0


def kept(tokens: Tensor, keep: Tensor | None) -> Tensor:
    """Tokens (B, P, D) with 0 where `keep`, bool (B, P), is False, whatever was there; None = all are kept."""
    if keep is None:
        return tokens
    return torch.where(keep[:, :, None], tokens, torch.zeros((), dtype=tokens.dtype, device=tokens.device))


def keys(keep: Tensor) -> Tensor:
    """Bool (B, 1, 1, P): which tokens may be looked at; a row without any looks at all, or it would be 0 / 0."""
    return (keep | ~keep.any(1, keepdim=True))[:, None, None, :]


def check_tokens(tokens: Tensor, keep: Tensor, dim: int, rows: int = 1) -> None:
    """Refuse tokens or a mask of other shapes than (B, P, dim) and bool (B, P), P a multiple of `rows`.

    Raises
    ------
    ShapeError
    """
    if tokens.ndim != 3 or tokens.shape[2] != dim or tokens.shape[1] % rows:
        several = f" (a multiple of {rows})" if rows > 1 else ""
        raise ShapeError(f"tokens: expected (batch, tokens{several}, {dim}), got {tuple(tokens.shape)}")
    if keep.dtype != torch.bool or keep.shape != tokens.shape[:2]:
        raise ShapeError(
            f"keep: expected bool {tuple(tokens.shape[:2])}, got {keep.dtype} {tuple(keep.shape)}"
        )


def sine_positions(row: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """Fixed positions 0 … P − 1 as sines and cosines of wavelengths 2π … 10,000 · 2π: (P, dim), dim even.

    `row`, (P,), finite, says how many and on which device; its values do not matter.

    **Source** – Vaswani et al. 2017 (arXiv 1706.03762), section 3.5; sines first, then cosines.
    """
    half = dim // 2
    rate = torch.exp(
        torch.arange(half, device=row.device, dtype=torch.float32) * (-math.log(_TEMPERATURE) / half)
    )
    if torch.jit.is_tracing():  # counted from the values: the exporter would take the length for a constant
        at = (row.float() * 0 + 1).cumsum(0) - 1
    else:
        at = torch.arange(row.shape[0], device=row.device, dtype=torch.float32)
    angle = at[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], 1).to(dtype)


class Layer(nn.Module):
    """A transformer layer that norms before attention and before the feed-forward part (four times as wide).

    Parameters
    ----------
    dim, heads : int
    bias : bool, default True
        Of every linear layer and of every norm.
    dropout : float, default 0
        After attention weights and after each half.
    """

    def __init__(self, dim: int, heads: int, bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.attention_norm = nn.LayerNorm(dim, eps=1e-6, bias=bias)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=bias), nn.Linear(dim, dim, bias=bias)
        self.feed_norm = nn.LayerNorm(dim, eps=1e-6, bias=bias)
        self.expand, self.contract = nn.Linear(dim, 4 * dim, bias=bias), nn.Linear(4 * dim, dim, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        """(B, P, D) → (B, P, D); `attend` bool (B, 1, 1, P) says which tokens may be looked at."""
        q, k, v = (
            self.qkv(self.attention_norm(x))
            .unflatten(2, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attend, dropout_p=rate)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.contract(F.gelu(self.expand(self.feed_norm(x)))))


class Layers(nn.ModuleList):
    """Several :class:`Layer`; linear weights start at a standard deviation of 0.02, what is added at 0.02 / √(2n)."""

    def __init__(self, n: int, dim: int, heads: int, bias: bool = True, dropout: float = 0.0) -> None:
        layers = [Layer(dim, heads, bias, dropout) for _ in range(n)]
        super().__init__(layers)
        self.apply(start_linear)
        for layer in layers:
            for added in (layer.out, layer.contract):
                nn.init.trunc_normal_(added.weight, std=0.02 / math.sqrt(2 * n))

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """(B, P, D) → (B, P, D), 0 where `keep`, bool (B, P), is False; only kept tokens are computed."""
        if keep is None:
            return _through(self, x, None)
        if traced():
            return kept(_through(self, kept(x, keep), keys(keep)), keep)
        most = max(int(keep.sum(1).max()), 1)
        if most == x.shape[1]:
            return kept(_through(self, kept(x, keep), keys(keep)), keep)
        order = keep.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :most]
        inside, index = keep.gather(1, order), order[:, :, None].expand(-1, -1, x.shape[2])
        few = kept(x.gather(1, index), inside)
        few = kept(_through(self, few, None if bool(inside.all()) else keys(inside)), inside)
        return torch.zeros_like(x, dtype=few.dtype).scatter(1, index, few)


def _through(layers: Iterable[nn.Module], x: Tensor, attend: Tensor | None) -> Tensor:
    for layer in layers:
        x = layer(x, attend)
    return x


def start_linear(module: nn.Module) -> None:
    """Weights of a linear layer or convolution: truncated normal of standard deviation 0.02, biases 0."""
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
