"""The encoder of CLOCS: three convolutions on a single lead, and one linear map from all of their output.

Kernel 7, stride 3, 4, 16 and 32 channels, batch norm, ReLU, max pooling by 2 and dropout 0.1 after each: 4,216
parameters, one token a 216 samples, ten tokens in 5 s at 500 Hz. These ten are laid side by side and go through one
linear layer of 320 inputs; its E outputs (128 here; 32–320 in the paper) are the embedding. With E = 128 there are
45,304 parameters, whatever the number of leads.

What we changed, so that a window may have any length: the linear layer, kept as it is, is read as ten maps, one for
each of ten tokens, and a token is ten times what its map makes of it, plus the bias. The mean over ten tokens is then
the published layer to the letter; after ten tokens the first map follows again, so longer windows give the mean of
their 5-s stretches, and a shorter one what its tokens say, scaled up. The window must hold one whole token (388
samples). Several leads go through the same convolutions, and their outputs are averaged before that layer: there,
every lead of a recording is an example of its own. Padding and absent leads have no influence. Under ``torchrun``
norms take the statistics of each process' own windows.

Source: Kiyasseh et al. 2021, CLOCS (arXiv 2005.13249), by the authors' code.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..recipe import Part
from ._masked import MaskedBatchNorm, masked_input, mean_over, traced, zero_invalid
from ._tokens import kept
from .base import Embedding, Encoder

_KERNEL, _STRIDE, _POOL = 7, 3, 2
_WIDTHS = (1, 4, 16, 32)
_TOKENS = 10  # that the linear layer takes
_SPAN, _REACH = (_STRIDE * _POOL) ** 3, 388  # samples from token to token, and that one token sees


class CLOCS(Encoder):
    """clocs: windows of at least 388 samples; one token a 216 samples.

    Parameters
    ----------
    config : CLOCS.Config
    leads : tuple of str
    fs : float
        Made for 500 Hz.
    """

    min_samples = _REACH

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "32", "64", "128", "256" or "320"
            Width of the embedding.
        dropout : float
        """

        size: Literal["32", "64", "128", "256", "320"] = "128"
        dropout: float = Field(0.1, ge=0, lt=1)

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        self.dim = int(config.size)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, _KERNEL, _STRIDE) for a, b in zip(_WIDTHS, _WIDTHS[1:])
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in _WIDTHS[1:])
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(_WIDTHS[-1] * _TOKENS, self.dim)

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌊(T − 172) / 216⌋, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        whole = mask is None and not traced() and bool(lead_mask.all())
        rows = None if whole else (lead_mask[:, :, None] & valid[:, None, :]).flatten(0, 1)
        found = self._convolved(x.flatten(0, 1)[:, None], rows).unflatten(0, lead_mask.shape)  # (B, L, C, P)
        some = lead_mask.sum(1).clamp(min=1).to(found.dtype)
        found = found.sum(1) / some[:, None, None]
        keep = self.token_valid(valid)
        maps = self.linear.weight.unflatten(1, (-1, _TOKENS)).permute(2, 0, 1)[
            self._places(keep[0])
        ]  # (P, D, C)
        tokens = torch.einsum("bcp,pdc->bpd", found, maps.to(found.dtype)) * _TOKENS + self.linear.bias
        tokens = kept(tokens, None if mask is None else keep)
        return Embedding(tokens, mean_over(tokens, None if mask is None else keep))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when all of the 388 samples that it sees are."""
        return valid[:, _REACH - 1 :: _SPAN]

    def _convolved(self, x: Tensor, rows: Tensor | None) -> Tensor:
        """Single leads (N, 1, T), `rows` bool (N, T) or None → (N, C, P), 0 where not all samples are valid."""
        for conv, norm in zip(self.convolutions, self.norms):
            rows = None if rows is None else rows[:, _KERNEL - 1 :: _STRIDE]
            x = F.max_pool1d(F.relu(norm(conv(x), rows)), _POOL)
            rows = None if rows is None else rows[:, _POOL - 1 :: _POOL]
            x = self.dropout(zero_invalid(x, rows))
        return x

    def _places(self, row: Tensor) -> Tensor:
        """Int64 (P,): which of the ten maps is each token's; `row`, (P,), says how many there are."""
        if (
            torch.jit.is_tracing()
        ):  # counted from the values: the exporter would take the length for a constant
            return ((row.to(torch.int64) * 0 + 1).cumsum(0) - 1) % _TOKENS
        return torch.arange(row.shape[0], device=row.device) % _TOKENS
