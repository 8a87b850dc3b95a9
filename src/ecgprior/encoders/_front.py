"""A fixed front end for single leads: baseline off, mains and muscle off, one amplitude. Nothing in it is trained.

The baseline is what block means of about 0.13 s, smoothed by a triangle of about 1.2 s and joined by straight lines,
follow; the low pass is a windowed sinc; the amplitude is a root mean square in which nothing counts more than twelve
times the mean magnitude, so that spikes do not set it. All means are over valid samples only, so padding has no
influence.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BLOCK_S, _TRIANGLE = 0.128, 5  # the triangle spans 9 blocks
_LOWPASS_S, _KAISER = 0.2, 5.0
_SPIKE, _LARGEST = 12.0, 15.0


class FrontEnd(nn.Module):
    """(N, 1, T) in mV → (N, 1, T) without unit, 0 at invalid samples.

    Parameters
    ----------
    fs : float
        Hz.
    cut_hz : float
        Where the low pass has fallen to one half; without one when `fs` / 2 is not above it.
    floor_mv : float
        Added to every amplitude, so that noise on a flat lead stays small.
    """

    lowpass: Tensor
    triangle: Tensor

    def __init__(self, fs: float, cut_hz: float, floor_mv: float) -> None:
        super().__init__()
        self.block, self.floor_mv = max(1, round(_BLOCK_S * fs)), floor_mv
        rising = torch.arange(1, _TRIANGLE + 1, dtype=torch.float32)
        self.register_buffer("triangle", _unit(torch.cat([rising, rising[:-1].flip(0)])), persistent=False)
        kernel = low_pass(fs, cut_hz) if cut_hz < fs / 2 else torch.ones(1)
        self.register_buffer("lowpass", _unit(kernel), persistent=False)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """`x` is 0 where `valid`, of the same shape and type, is 0; else it is 1.

        In mixed precision it still computes in single: a small wave on a large baseline needs the digits.
        """
        with torch.autocast(x.device.type, enabled=False):
            return self._cleaned(x, valid)

    def _cleaned(self, x: Tensor, valid: Tensor) -> Tensor:
        n = valid.sum(2, keepdim=True).clamp(min=1)
        x = (x - x.sum(2, keepdim=True) / n) * valid
        x = (x - self._baseline(x, valid)) * valid
        x = F.conv1d(x, self.lowpass.to(x.dtype), padding=self.lowpass.shape[2] // 2) * valid
        most = _SPIKE * x.abs().sum(2, keepdim=True) / n
        kept = torch.maximum(torch.minimum(x, most), -most)
        amplitude = torch.sqrt(kept.square().sum(2, keepdim=True) / n + 1e-12)  # its gradient is finite at 0
        return (x / (amplitude + self.floor_mv)).clamp(-_LARGEST, _LARGEST)

    def _baseline(self, x: Tensor, valid: Tensor) -> Tensor:
        # Two blocks more than fit: whatever follows the last sample, the line to it has both its ends.
        both = F.pad(torch.cat([x, valid], 1), (0, 2 * self.block))
        means = F.avg_pool1d(both, self.block, self.block)
        smooth = F.conv1d(means, self.triangle.to(x.dtype).repeat(2, 1, 1), padding=_TRIANGLE - 1, groups=2)
        at = smooth[:, :1] / smooth[:, 1:].clamp(min=1e-3)
        line = F.interpolate(at, scale_factor=float(self.block), mode="linear", align_corners=False)
        return line[:, :, : x.shape[2]]


def low_pass(fs: float, cut_hz: float) -> Tensor:
    """A sinc under a Kaiser window of 0.2 s: float32 (odd number of taps,)."""
    half = round(_LOWPASS_S * fs / 2)
    n = torch.arange(-half, half + 1, dtype=torch.float64)
    window = torch.special.i0(_KAISER * torch.sqrt((1 - (n / max(half, 1)) ** 2).clamp(min=0)))
    return (torch.sinc(2 * cut_hz / fs * n) * window / math.exp(_KAISER)).float()


def _unit(kernel: Tensor) -> Tensor:
    """The kernel with sum 1, (1, 1, taps)."""
    return (kernel / kernel.sum()).view(1, 1, -1)
