"""A small transformer that says what stands at hidden tokens, and an encoder's slowly following copy."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..encoders._tokens import Layers, sine_positions, start_linear
from ..encoders.base import TokenEncoder
from ..errors import RecipeError


class TokenDecoder(nn.Module):
    """Visible tokens in, an answer for every token out.

    Tokens are projected, hidden ones replaced by one learnt vector, fixed positions added; then layers, norm and a
    projection to the answer.

    Parameters
    ----------
    dim : int
        Of the tokens.
    width, layers, heads : int
        Its own.
    out : int
        Of the answer.
    bias : bool, default True

    Raises
    ------
    RecipeError
        `width` is odd or no multiple of `heads`.
    """

    def __init__(self, dim: int, width: int, layers: int, heads: int, out: int, bias: bool = True) -> None:
        super().__init__()
        if width % heads or width % 2:
            raise RecipeError(f"width: expected an even multiple of heads = {heads}, got {width}")
        self.width = width
        self.enter, self.leave = nn.Linear(dim, width, bias=bias), nn.Linear(width, out, bias=bias)
        self.hidden = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.hidden, std=0.02)
        self.layers = Layers(layers, width, heads, bias=bias)
        self.norm = nn.LayerNorm(width, eps=1e-6, bias=bias)
        start_linear(self.enter)
        start_linear(self.leave)

    def forward(self, tokens: Tensor, visible: Tensor, present: Tensor) -> Tensor:
        """Tokens (N, P, D) and bool (N, P) twice → (N, P, out); what is not present has no influence."""
        x = self.enter(tokens)
        x = torch.where(visible[:, :, None], x, self.hidden.to(x.dtype))
        x = x + sine_positions(x[0, :, 0], self.width, x.dtype)
        return self.leave(self.norm(self.layers(x, present)))


class Follower(nn.Module):
    """A copy of an encoder that follows it as a moving average, always in evaluation mode, without gradient.

    Parameters
    ----------
    encoder : TokenEncoder
        Copied with the weights it has now.
    """

    def __init__(self, encoder: TokenEncoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Follower:
        """The copy stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor:
        """Its tokens, (B, P, D)."""
        return self.encoder(signal, lead_mask, valid).tokens

    @torch.no_grad()
    def follow(self, encoder: TokenEncoder, momentum: float) -> None:
        """Weights: momentum · own + (1 − momentum) · the encoder's; buffers (statistics) are copied."""
        for own, other in zip(self.encoder.parameters(), encoder.parameters(), strict=True):
            own.lerp_(other, 1.0 - momentum)
        for kept, now in zip(self.encoder.buffers(), encoder.buffers(), strict=True):
            kept.copy_(now)
