"""The plain residual network with convolutions in time: one wide convolution, max pooling, four stages of blocks.

First kernel 7, then 3; where a stage halves the time axis or widens, a 1 × 1 convolution of the same stride is the
shortcut; ReLU after the sum. Depth 18 has 3.84 M parameters at one lead.

What we changed: padding and absent leads have no influence. The authors below keep PyTorch's uniform initial weights,
and so do we; pooling is the mean over tokens there, too. Under ``torchrun`` norms take the statistics of each
process' own windows.

Source: He et al. 2016, *Deep Residual Learning for Image Recognition*, arXiv 1512.03385, table 1; in one dimension at
depth 18, one lead and 125 Hz: Gu et al. 2025, 10.1038/s44172-025-00467-6, by the authors' code. The same network is
among those in code of 3KG's first author; which of them that paper used, we could not establish.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ..recipe import Part
from ._masked import MaskedBatchNorm, masked_input, mean_over, strided, zero_invalid
from .base import Embedding, Encoder

_STRIDE = 32  # five halvings
_STEM, _WIDTHS = 64, (64, 128, 256, 512)
_BLOCKS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 6, 3), "101": (3, 4, 23, 3)}
_WIDER = {"18": 1, "34": 1, "50": 4, "101": 4}  # a block's output by its middle


class ResNet1d(Encoder):
    """resnet1d: windows of at least 32 samples, which make one token.

    Parameters
    ----------
    config : ResNet1d.Config
    leads : tuple of str
    fs : float
    """

    min_samples = _STRIDE

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "18", "34", "50" or "101"
            The published depth.
        """

        size: Literal["18", "34", "50", "101"] = "18"

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        wider, width = _WIDER[config.size], _STEM
        self.stem = _Layer(len(self.leads), width, 7, 2)
        self.blocks = nn.ModuleList()
        for stage, (n_mid, count) in enumerate(zip(_WIDTHS, _BLOCKS[config.size])):
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                self.blocks.append(_Block(width, n_mid, n_mid * wider, stride))
                width = n_mid * wider
        self.dim = width

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌈T / 32⌉, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        x, mask = self.stem(x, mask)
        # After ReLU nothing is below 0, so the zeros of padding never win against a valid sample.
        x, mask = F.max_pool1d(x, 3, 2, 1), strided(mask, 2)
        x = zero_invalid(x, mask)
        for block in self.blocks:
            x, mask = block(x, mask)
        tokens = x.transpose(1, 2)
        return Embedding(tokens, mean_over(tokens, mask))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when the sample on which it stands is: every 32nd."""
        return valid[:, ::_STRIDE]


class _Layer(nn.Module):
    """Convolution, batch norm and, if asked for, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        self.norm = MaskedBatchNorm(n_out)
        self.stride, self.relu = stride, relu

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        mask = strided(mask, self.stride)
        x = self.norm(self.conv(x), mask)
        return (F.relu(x) if self.relu else x), mask


class _Block(nn.Module):
    """Two convolutions of 3, or 1, 3 and 1 around a narrower middle; the stride is with the first of 3."""

    def __init__(self, n_in: int, n_mid: int, n_out: int, stride: int) -> None:
        super().__init__()
        layers = (
            [_Layer(n_in, n_mid, 1), _Layer(n_mid, n_mid, 3, stride), _Layer(n_mid, n_out, 1, relu=False)]
            if n_mid < n_out
            else [_Layer(n_in, n_out, 3, stride), _Layer(n_out, n_out, 3, relu=False)]
        )
        self.branch = nn.ModuleList(layers)
        same = stride == 1 and n_in == n_out
        self.shortcut = None if same else _Layer(n_in, n_out, 1, stride, relu=False)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        direct = x if self.shortcut is None else self.shortcut(x, mask)[0]
        for layer in self.branch:
            x, mask = layer(x, mask)
        return F.relu(x + direct), mask
