"""Net1D, the encoder of CLEF: a residual network with grouped convolutions and a gate for every channel.

A convolution of kernel 16, then stages of blocks of three convolutions (1, 16, 1), the middle one in groups of 8, 16 or
32 channels; Swish before each; a gate from the mean over time multiplies what a block adds (squeeze and excitation,
ratio 2). The first block of a stage halves the time axis; the way past it is max-pooled, and where a stage is wider,
zeros are put on both sides of its channels: it has no parameters. As the authors use it there is no norm and no
dropout anywhere. At one lead: "small" 0.44 M, "medium" 30.6 M and "large" 296 M parameters.

The authors print 448 K, 30.7 M and 296 M: their modules also hold the batch norms that are switched off, 4,608, 66,368
and 322,048 numbers at these sizes, which nothing reads or trains. Here they are left out.

What we changed: padding and absent leads have no influence, on the gate neither.

Source: Shu et al. 2025, CLEF (arXiv 2512.02180), by the authors' code, which adapts a network of Hong's; Xie et al.
2017, arXiv 1611.05431 (groups); Hu et al. 2018, arXiv 1709.01507 (gate).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..recipe import Part
from ._masked import masked_input, mean_over, strided, zero_invalid
from .base import Embedding, Encoder

_KERNEL = 16
_AROUND = (7, 8)  # samples before and after, for stride 1 and for stride 2


class _Size(NamedTuple):
    stem: int
    middle: float  # a block's middle by its output
    group: int  # channels of the output to a group
    widths: tuple[int, ...]
    blocks: tuple[int, ...]


_SIZES = {
    "small": _Size(32, 0.5, 8, (32, 64, 64, 128, 128, 256), (1, 1, 2, 2, 2, 2)),
    "medium": _Size(64, 1.0, 16, (64, 160, 160, 400, 400, 1024, 1024), (2, 2, 2, 3, 3, 4, 4)),
    "large": _Size(
        128, 1.5, 32, (128, *[256] * 2, *[512] * 2, *[1024] * 2, *[2048] * 2), (2, 3, 3, 4, 4, 5, 5, 6, 6)
    ),
}


class Net1D(Encoder):
    """net1d: windows of at least 128 samples ("small"), 256 ("medium") or 1,024 ("large"), which make one token.

    Parameters
    ----------
    config : Net1D.Config
    leads : tuple of str
        One, as published, or any number.
    fs : float
        Made for 500 Hz.
    """

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "small", "medium" or "large"
            As published.
        """

        size: Literal["small", "medium", "large"] = "small"

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size = _SIZES[config.size]
        self.min_samples = self.stride = 2 ** (1 + len(size.widths))
        self.stem = nn.Conv1d(len(self.leads), size.stem, _KERNEL, 2)
        self.blocks = nn.ModuleList()
        width = size.stem
        for n_out, count in zip(size.widths, size.blocks):
            for i in range(count):
                n_mid, groups = int(n_out * size.middle), n_out // size.group
                first = not len(self.blocks)  # what precedes it has been through Swish
                self.blocks.append(_Block(width, n_mid, n_out, groups, 2 if i == 0 else 1, first))
                width = n_out
        self.dim = width

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌈T / stride⌉, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        mask = strided(mask, 2)
        x = F.silu(zero_invalid(self.stem(F.pad(x, _AROUND)), mask))
        for block in self.blocks:
            x, mask = block(x, mask)
        tokens = x.transpose(1, 2)
        return Embedding(tokens, mean_over(tokens, mask))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when the first of its samples is."""
        return valid[:, :: self.stride]


class _Block(nn.Module):
    """Adds what three convolutions find, by as much as the gate lets through."""

    def __init__(self, n_in: int, n_mid: int, n_out: int, groups: int, stride: int, first: bool) -> None:
        super().__init__()
        self.narrow = nn.Conv1d(n_in, n_mid, 1)
        self.time = nn.Conv1d(n_mid, n_mid, _KERNEL, stride, groups=groups)
        self.widen = nn.Conv1d(n_mid, n_out, 1)
        self.squeeze, self.excite = nn.Linear(n_out, n_out // 2), nn.Linear(n_out // 2, n_out)
        self.stride, self.first = stride, first
        more = n_out - n_in
        self.more = (more // 2, more - more // 2)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        y = self.narrow(x if self.first else F.silu(x))
        y = F.silu(zero_invalid(y, mask))
        y = F.silu(self.time(F.pad(y, _AROUND)))
        mask = strided(mask, self.stride)
        y = zero_invalid(self.widen(y), mask)
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(mean_over(y.transpose(1, 2), mask)))))
        past = F.max_pool1d(F.pad(x, (0, 1)), 2) if self.stride == 2 else x
        return y * gate[:, :, None] + F.pad(past, (0, 0, *self.more)), mask
