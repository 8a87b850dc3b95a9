"""One-dimensional residual network, the strongest plain supervised encoder of the PTB-XL benchmark.

Three-convolution stem, max pooling, four stages of residual blocks; where a stage halves the time axis the
shortcut averages pairs before its 1 × 1 convolution ("ResNet-D"). Kernel 5 throughout, as in that benchmark.

What we changed: padding and absent leads have no influence; pooling is the mean over valid tokens (there: mean
and maximum side by side); the last norm of each of n blocks starts at 1 / √n, not at 0, because the untrained
network is an arm of every benchmark and would lack its residual branches, and at 1 its values would grow with
depth. Sizes "0.3m", "0.5m" and "1m" are ours: narrow, for 100 Hz on a CPU.

``weakest_lead`` is ours too: what is wrong with one lead of twelve is lost where the first convolution adds the leads up.

Under ``torchrun`` norms take the statistics of each process' own windows: two processes do not equal one.

Source: He et al. 2019, *Bag of Tricks for Image Classification*, arXiv 1812.01187, section 4 (stem, shortcut);
Strodthoff et al. 2021, *Deep Learning for ECG Analysis*, arXiv 2004.13701 (one-dimensional form).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..recipe import Part
from ._masked import MaskedBatchNorm, halve, masked_input, mean_over, strided, zero_invalid
from .base import Embedding, Encoder

_STRIDE = 32  # five halvings
_FLAT_MV = 1e-3  # a lead at rest counts as this loud
_ABSENT = 3.0  # decades of mV, above any that is there


class _Size(NamedTuple):
    stem: tuple[int, int, int]
    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    bottleneck: bool


_SIZES = {
    "0.3m": _Size((16, 16, 32), (32, 48, 96, 128), (1, 1, 1, 1), False),
    "0.5m": _Size((16, 16, 32), (32, 64, 128, 192), (1, 1, 1, 1), False),
    "1m": _Size((16, 24, 32), (32, 64, 128, 256), (1, 1, 2, 1), False),
    "18": _Size((32, 32, 64), (64, 128, 256, 512), (2, 2, 2, 2), False),
    "50": _Size((32, 32, 64), (64, 128, 256, 512), (3, 4, 6, 3), True),
    "101": _Size((32, 32, 64), (64, 128, 256, 512), (3, 4, 23, 3), True),
}


class XResNet1d(Encoder):
    """xresnet1d: windows of at least 32 samples, which make one token.

    Parameters
    ----------
    config : XResNet1d.Config
    leads : tuple of str
    fs : float
    """

    min_samples = _STRIDE

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.3m", "0.5m", "1m", "18", "50" or "101"
            Millions of parameters at 12 leads, or the published depth (6.3 M for 18, 18.5 M for 50, 33.0 M for 101).
        kernel : int, odd
        weakest_lead : int, default 0
            Filters, learnt, the same for each lead, whose output's level in the lead where it is lowest joins the
            embedding, in decades of mV: -3 = flat.
        """

        size: Literal["0.3m", "0.5m", "1m", "18", "50", "101"] = "1m"
        kernel: int = Field(5, ge=3)
        weakest_lead: int = Field(0, ge=0)

        @model_validator(mode="after")
        def _odd(self) -> Self:
            if self.kernel % 2 == 0:
                raise ValueError("kernel must be odd")
            return self

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size, kernel = _SIZES[config.size], config.kernel
        n_in = [len(self.leads), *size.stem[:2]]
        self.stem = nn.ModuleList(
            _Layer(a, b, kernel, stride=2 if i == 0 else 1) for i, (a, b) in enumerate(zip(n_in, size.stem))
        )
        self.blocks = nn.ModuleList()
        gain = sum(size.blocks) ** -0.5
        width = size.stem[2]
        for stage, (n_mid, count) in enumerate(zip(size.widths, size.blocks)):
            n_out = n_mid * (4 if size.bottleneck else 1)
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                self.blocks.append(_Block(width, n_mid, n_out, kernel, stride, gain))
                width = n_out
        self.weakest = _WeakestLead(config.weakest_lead, kernel) if config.weakest_lead else None
        self.dim = width + config.weakest_lead

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌈T / 32⌉, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        level = None if self.weakest is None else self.weakest(x, lead_mask, mask)
        for layer in self.stem:
            x, mask = layer(x, mask)
        # After ReLU nothing is below 0, so the zeros of padding never win against a valid sample.
        x, mask = F.max_pool1d(x, 3, 2, 1), strided(mask, 2)
        x = zero_invalid(x, mask)
        for block in self.blocks:
            x, mask = block(x, mask)
        if level is not None:
            everywhere = level[:, :, None].to(x.dtype).expand(-1, -1, x.shape[2])
            x = torch.cat([x, zero_invalid(everywhere, mask)], 1)
        tokens = x.transpose(1, 2)
        return Embedding(tokens, mean_over(tokens, mask))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when the sample on which it stands is: every 32nd."""
        return valid[:, ::_STRIDE]


class _WeakestLead(nn.Module):
    """Level of each filter's output in the present lead where it is lowest: (B, L, T) → float32 (B, `n_filters`)."""

    def __init__(self, n_filters: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, n_filters, kernel, 2, kernel // 2, bias=False)
        weight = self.conv.weight
        nn.init.normal_(weight)
        weight.data /= weight.data.flatten(1).norm(dim=1)[:, None, None]

    def forward(self, x: Tensor, lead_mask: Tensor, mask: Tensor | None) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            made = self.conv(x.float().flatten(0, 1)[:, None]).unflatten(0, x.shape[:2])  # (B, L, F, T / 2)
            if mask is None:
                power = made.square().mean(3)
            else:
                kept = mask[:, None, None, ::2].float()
                power = (made.square() * kept).sum(3) / kept.sum(3).clamp(min=1)
            level = 0.5 * torch.log10(power + _FLAT_MV**2)
            return level.masked_fill(~lead_mask[:, :, None], _ABSENT).amin(1)


class _Layer(nn.Module):
    """Convolution, batch norm and, if asked for, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.conv.weight)
        self.norm = MaskedBatchNorm(n_out)
        self.stride, self.relu = stride, relu

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        mask = strided(mask, self.stride)
        x = self.norm(self.conv(x), mask)
        return (F.relu(x, inplace=True) if self.relu else x), mask


class _Block(nn.Module):
    """Residual block: two convolutions of width `kernel`, or 1, `kernel`, 1 when the middle is narrower."""

    def __init__(self, n_in: int, n_mid: int, n_out: int, kernel: int, stride: int, gain: float) -> None:
        super().__init__()
        if n_mid < n_out:
            layers = [
                _Layer(n_in, n_mid, 1),
                _Layer(n_mid, n_mid, kernel, stride),
                _Layer(n_mid, n_out, 1, relu=False),
            ]
        else:
            layers = [_Layer(n_in, n_out, kernel, stride), _Layer(n_out, n_out, kernel, relu=False)]
        nn.init.constant_(layers[-1].norm.weight, gain)
        self.branch = nn.ModuleList(layers)
        self.shortcut = _Layer(n_in, n_out, 1, relu=False) if n_in != n_out else None
        self.stride = stride

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        direct, after = (halve(x), strided(mask, 2)) if self.stride == 2 else (x, mask)
        if self.shortcut is not None:
            direct, _ = self.shortcut(direct, after)
        for layer in self.branch:
            x, mask = layer(x, mask)
        return F.relu(x + direct, inplace=True), mask
