"""The encoder of PCLR: the residual network of Ribeiro et al., widened to 320 and without its dropout.

A convolution of 64 channels, then four units of two convolutions, each of kernel 16; the second shortens the time
axis four times, and max pooling and a 1 × 1 convolution bring the way past it to the same shape. Norm and ReLU stand
after the sum and only on the way through the convolutions: the way past them is never normed. Sizes as published:
128, 196, 256 and 320 channels, one token a 256 samples (0.6 s), 6.39 M parameters at 12 leads; with the projector of
PCLR's recipe 6.60 M. Norms as in Keras, where the authors' code lives: ε 0.001, of the running values 0.01 is new.

What we changed: padding and absent leads have no influence; a length that 256 does not divide is taken as if silence
followed (there: 4,096 samples, always). Size "0.4m" is ours: a quarter as wide. Under ``torchrun`` norms take the
statistics of each process' own windows.

Source: Diamant et al. 2022, *Patient contrastive learning*, 10.1371/journal.pcbi.1009862 (arXiv 2104.04569), by the
authors' code; Ribeiro et al. 2020, *Automatic diagnosis of the 12-lead ECG*, 10.1038/s41467-020-15432-4.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..recipe import Part
from ._masked import MaskedBatchNorm, masked_input, mean_over, strided
from .base import Embedding, Encoder

_KERNEL, _SHORTER = 16, 4
_SIZES = {"0.4m": (16, 32, 48, 64, 80), "paper": (64, 128, 196, 256, 320)}
_STRIDE = _SHORTER**4


class PCLR(Encoder):
    """pclr: windows of at least 256 samples; one token a 256 samples, the last begun.

    Parameters
    ----------
    config : PCLR.Config
    leads : tuple of str
    fs : float
        Made for 409.6 Hz: 4,096 samples in 10 s.
    """

    min_samples = _STRIDE

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.4m" or "paper"
            A quarter of the published widths, or those.
        """

        size: Literal["0.4m", "paper"] = "0.4m"

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        widths = _SIZES[config.size]
        self.dim = widths[-1]
        self.stem = _Wide(len(self.leads), widths[0])
        self.norm = _norm(widths[0])
        self.units = nn.ModuleList(_Unit(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌈T / 256⌉, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        x = past = F.relu(self.norm(self.stem(x), mask))
        for unit in self.units:
            x, past, mask = unit(x, past, mask)
        tokens = x.transpose(1, 2)
        return Embedding(tokens, mean_over(tokens, mask))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when the first of its 256 samples is."""
        return valid[:, ::_STRIDE]


def _norm(width: int) -> MaskedBatchNorm:
    return MaskedBatchNorm(width, eps=1e-3, momentum=0.01)


class _Wide(nn.Module):
    """Convolution of kernel 16 whose output i stands on samples s · i − (16 − s) / 2 … (rounded down), s = stride.

    So it lies as TensorFlow's padding "same" puts it when the stride divides the length.
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, _KERNEL, stride, bias=False)
        nn.init.kaiming_normal_(self.conv.weight)
        before = (_KERNEL - stride) // 2
        self.around = (before, _KERNEL - 1 - before)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T), 0 where invalid → (B, D, ⌈T / s⌉)."""
        out: Tensor = self.conv(F.pad(x, self.around))
        return out


class _Unit(nn.Module):
    """From the way through and the way past: both a quarter as long; the sum is the new way past."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first, self.second = _Wide(n_in, n_out), _Wide(n_out, n_out, _SHORTER)
        self.first_norm, self.second_norm = _norm(n_out), _norm(n_out)
        self.past = nn.Conv1d(n_in, n_out, 1, bias=False)
        nn.init.kaiming_normal_(self.past.weight)

    def forward(self, x: Tensor, past: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        x = self.second(F.relu(self.first_norm(self.first(x), mask)))
        past = self.past(_largest(past, mask))
        mask = strided(mask, _SHORTER)
        past = x + past
        return F.relu(self.second_norm(past, mask)), past, mask


def _largest(x: Tensor, mask: Tensor | None) -> Tensor:
    """Of every four samples (B, C, T) → (B, C, ⌈T / 4⌉); 0 where none of them is valid."""
    low = float("-inf")
    if mask is not None:
        x = torch.where(mask[:, None], x, torch.full((), low, dtype=x.dtype, device=x.device))
    x = F.max_pool1d(F.pad(x, (0, _SHORTER - 1), value=low), _SHORTER)
    return (
        x
        if mask is None
        else torch.where(mask[:, None, ::_SHORTER], x, torch.zeros((), dtype=x.dtype, device=x.device))
    )
