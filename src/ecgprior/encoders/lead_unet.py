"""A U-Net over all leads at once that speaks of each lead: one stem for every lead, one trunk a record.

Each lead goes through the same small convolutions; the mean and the maximum over the leads that are there go through
a one-dimensional U-Net, once a record whatever the number of leads; what it found is given back to every lead, which
has its own high-resolution features beside it. So a wave that is hard to see in one lead is looked for where the
others have it, at a fraction of the cost of a U-Net a lead, and neither number nor order nor names of leads matter.

What we changed: the delineators that this follows (below) run their network on single leads; ours shares the trunk.
Baseline, mains and amplitude are dealt with inside, by a fixed front end (``_front.py``), so that an exported file
needs nothing but a resampled signal. Padding and absent leads have no influence; the
exported file takes no padding, and a multiple of 32 samples.

Source: Ronneberger et al. 2015, *U-Net*, arXiv 1505.04597; Moskalenko et al. 2020, arXiv 2001.04689, and Joung et al.
2023, arXiv 2304.06237 (one-dimensional, for ECG delineation).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..recipe import Part
from ._front import FrontEnd
from ._masked import MaskedBatchNorm, masked_input, mean_over
from .base import Embedding, LeadEncoder

_STRIDE = 16  # of the deepest layer


class _Size(NamedTuple):
    stem: int
    lead: int
    trunk: tuple[int, int, int]
    fine: int
    n_decode: int


_SIZES = {
    "0.04m": _Size(8, 12, (16, 20, 24), 8, 1),
    "0.5m": _Size(16, 24, (48, 64, 96), 16, 2),
    "0.9m": _Size(16, 32, (64, 96, 128), 16, 2),
}


class LeadUNet(LeadEncoder):
    """lead_unet: windows of any length ≥ 1 sample; one token a 2 samples.

    Parameters
    ----------
    config : LeadUNet.Config
    leads : tuple of str
    fs : float
        Made for 250 Hz; kernels are in samples, only the front end goes with the rate.
    """

    lead_stride = 2

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.04m", "0.5m" or "0.9m"
            Millions of parameters, for any number of leads.
        cut_hz : float
            Of the front end's low pass.
        floor_mv : float
            Of its amplitude.
        """

        size: Literal["0.04m", "0.5m", "0.9m"] = "0.5m"
        cut_hz: float = Field(35.0, gt=0)
        floor_mv: float = Field(0.05, gt=0)

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size = _SIZES[config.size]
        self.dim = size.fine
        self.front = FrontEnd(fs, config.cut_hz, config.floor_mv)
        self.stem = _Layer(1, size.stem, 9, 2)
        self.lead = nn.ModuleList([_Layer(size.stem, size.lead, 7, 2), _Separable(size.lead, 5)])
        self.trunk = _Trunk(2 * size.lead, size.trunk)
        self.back = _conv(size.trunk[0], size.lead, 1, bias=True)
        self.own = _conv(size.lead, size.lead, 1)
        self.norm = MaskedBatchNorm(size.lead)
        self.decode = nn.ModuleList(_Separable(size.lead, 7) for _ in range(size.n_decode))
        self.up = _conv(size.lead, 2 * size.fine, 1, bias=True)
        self.skip = _conv(size.stem, size.fine, 1)
        self.fine_norm = MaskedBatchNorm(size.fine)
        self.fine = _Layer(size.fine, size.fine, 5)

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → the mean over leads of their tokens (B, ⌈T / 2⌉, D), pooled (B, D)."""
        each = self.lead_tokens(signal, lead_mask, valid)
        weight = lead_mask[:, :, None, None].to(each.dtype)
        keep = self.token_valid(valid)
        tokens = (each * weight).sum(1) / weight.sum(1).clamp(min=1) * keep[:, :, None].to(each.dtype)
        return Embedding(tokens, mean_over(tokens, keep))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when the first of its two samples is."""
        return valid[:, ::2]

    def lead_tokens(self, signal: Tensor, lead_mask: Tensor, valid: Tensor | None) -> Tensor:
        """Signal (B, L, T) → (B, L, ⌈T / 2⌉, D); `valid` None = no padding, T a multiple of 16: a third quicker."""
        if valid is None:
            n_samples = signal.shape[2]
            x = torch.where(lead_mask[:, :, None], signal, torch.zeros((), dtype=signal.dtype))
            time, mask = _Mask(None), _Mask(None)
        else:
            x, _ = masked_input(self, signal, lead_mask, valid)
            n_samples = x.shape[2]
            more = -n_samples % _STRIDE
            x, valid = F.pad(x, (0, more)), F.pad(valid, (0, more))
            time, mask = _Mask(valid), _Mask((lead_mask[:, :, None] & valid[:, None, :]).flatten(0, 1))
        x = x.flatten(0, 1)[:, None]
        x = self.front(x, torch.ones_like(x) if mask.weight is None else mask.weight[:, :, 0].to(x.dtype))
        half, mask_2 = self.stem(x[:, :, None], mask)
        y, mask_4 = half, mask_2
        for layer in self.lead:
            y, mask_4 = layer(y, mask_4)
        own = y.unflatten(0, lead_mask.shape)  # (B, L, C, 1, P / 2)
        weight = lead_mask[:, :, None, None, None].to(y.dtype)
        mean = (own * weight).sum(1) / weight.sum(1).clamp(min=1)
        most = (own * weight).amax(1)  # after ReLU nothing is below 0, so an absent lead never wins
        common = self.trunk(torch.cat([mean, most], 1), time.strided(4))
        given = self.back(common)[:, None] + self.own(y).unflatten(0, lead_mask.shape)
        y = _active(self.norm, given.flatten(0, 1), mask_4)
        for layer in self.decode:
            y, _ = layer(y, mask_4)
        wide = self.up(y)[:, :, 0].unflatten(1, (-1, 2)).transpose(2, 3).flatten(2)[:, :, None]  # two tokens of each
        y = _active(self.fine_norm, wide + self.skip(half), mask_2)
        y, _ = self.fine(y, mask_2)
        return y[:, :, 0].unflatten(0, lead_mask.shape)[..., : (n_samples + 1) // 2].transpose(2, 3)


class _Mask:
    """Where rows (N, T) are valid, as truth and as factor (N, 1, 1, T); None = everywhere."""

    def __init__(self, valid: Tensor | None) -> None:
        self.valid = valid
        self.weight = None if valid is None else valid[:, None, None, :].float()

    def strided(self, stride: int) -> _Mask:
        return self if stride == 1 or self.valid is None else _Mask(self.valid[:, ::stride])

    def __call__(self, x: Tensor) -> Tensor:
        return x if self.weight is None else x * self.weight.to(x.dtype)


def _active(norm: MaskedBatchNorm, x: Tensor, mask: _Mask) -> Tensor:
    """Norm, ReLU, and 0 where invalid."""
    return mask(F.relu(_normed(norm, x, mask)))


def _normed(norm: MaskedBatchNorm, x: Tensor, mask: _Mask) -> Tensor:
    """The norm of (N, C, 1, T); in evaluation in a form that a runtime fuses with the convolution before it."""
    if norm.training:
        return norm(x[:, :, 0], mask.valid)[:, :, None]
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


def _conv(
    n_in: int, n_out: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution in time of (N, C, 1, T): two-dimensional, since ONNX Runtime has no fast layout for one dimension."""
    pad = kernel // 2 * dilation
    return nn.Conv2d(n_in, n_out, (1, kernel), (1, stride), (0, pad), (1, dilation), groups, bias)


class _Layer(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = _conv(n_in, n_out, kernel, stride, dilation)
        self.norm = MaskedBatchNorm(n_out)
        self.stride = stride

    def forward(self, x: Tensor, mask: _Mask) -> tuple[Tensor, _Mask]:
        mask = mask.strided(self.stride)
        return _active(self.norm, self.conv(x), mask), mask


class _Separable(nn.Module):
    """Residual: each channel in time, then all channels at each time."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.time = _conv(width, width, kernel, groups=width)
        self.mix = _conv(width, width, 1)
        self.norm = MaskedBatchNorm(width)

    def forward(self, x: Tensor, mask: _Mask) -> tuple[Tensor, _Mask]:
        return _added(x, self.norm, self.mix(self.time(x)), mask), mask


class _Residual(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _Layer(width, width, 5, dilation=dilation)
        self.second = _conv(width, width, 5, dilation=dilation)
        self.norm = MaskedBatchNorm(width)

    def forward(self, x: Tensor, mask: _Mask) -> Tensor:
        return _added(x, self.norm, self.second(self.first(x, mask)[0]), mask)


def _added(x: Tensor, norm: MaskedBatchNorm, change: Tensor, mask: _Mask) -> Tensor:
    return mask(F.relu(x + _normed(norm, change, mask)))


class _Trunk(nn.Module):
    """The U-Net that a record goes through once: (B, n_in, P) → (B, its first width, P), P a multiple of 4."""

    def __init__(self, n_in: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        top, middle, deep = widths
        self.enter, self.down_1 = _Layer(n_in, top, 1), _Residual(top)
        self.halve_1, self.down_2 = _Layer(top, middle, 5, 2), _Residual(middle)
        self.halve_2 = _Layer(middle, deep, 5, 2)
        self.deep = nn.ModuleList(_Residual(deep, dilation) for dilation in (1, 2, 4))
        self.narrow_2, self.up_2 = _Layer(deep, middle, 1), _Residual(middle)
        self.narrow_1, self.up_1 = _Layer(middle, top, 1), _Residual(top)

    def forward(self, x: Tensor, mask: _Mask) -> Tensor:
        high = self.down_1(self.enter(x, mask)[0], mask)
        low, mask_2 = self.halve_1(high, mask)
        low = self.down_2(low, mask_2)
        deep, mask_4 = self.halve_2(low, mask_2)
        for layer in self.deep:
            deep = layer(deep, mask_4)
        low = self.up_2(self.narrow_2(_doubled(deep), mask_2)[0] + low, mask_2)
        return self.up_1(self.narrow_1(_doubled(low), mask)[0] + high, mask)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=(1.0, 2.0), mode="nearest")
