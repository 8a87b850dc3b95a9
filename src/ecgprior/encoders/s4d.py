"""Diagonal structured state spaces: every channel is filtered by its own sum of damped oscillations.

A layer convolves each of its D channels with a kernel as long as the window, K(l) = 2 Re Σ_n C′_n exp(l Δ A_n), whose
N / 2 poles A, step Δ and weights C are learnt; A starts as S4D-Lin (evenly spaced frequencies) or S4D-Inv. Then GELU,
a gated linear mix of the channels, the residual and layer norm. Both directions of time have weights of their own.

What we changed: a strided convolution before the first layer (4 samples a token); the kernel is computed in real
numbers throughout; padding and absent leads have no influence; pooling is the mean over valid tokens. Sizes are ours.

In training the convolution goes through the Fourier transform. Exported and compiled code, which has no complex
numbers, convolves directly with the same real kernel, for any length; that costs tokens² × channels a window.

Source: Gu et al. 2022, *On the Parameterization and Initialization of Diagonal State Space Models*, arXiv 2206.11893,
equations 6–9 (kernel, zero-order hold, S4D-Inv, S4D-Lin); Goel et al. 2022, *It's Raw!*, arXiv 2202.09729 (both
directions).
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..recipe import Part
from ._masked import masked_input, mean_over, strided, traced, zero_invalid
from .base import Embedding, Encoder

_SLOWEST, _FASTEST = 0.001, 0.1  # range of the first steps Δ, in tokens


class _Size(NamedTuple):
    dim: int
    state: int
    layers: int


_SIZES = {
    "0.2m": _Size(128, 32, 4),
    "0.5m": _Size(224, 32, 4),
    "1m": _Size(256, 64, 5),
    "4m": _Size(512, 64, 6),
}


class S4D(Encoder):
    """s4d: windows of at least 8 samples; one token a `stride` samples.

    Parameters
    ----------
    config : S4D.Config
    leads : tuple of str
    fs : float
    """

    min_samples = 8

    class Config(Part):
        """Fields of the recipe's ``encoder`` section.

        Attributes
        ----------
        size : "0.2m", "0.5m", "1m" or "4m"
            Millions of parameters at 12 leads.
        init : "lin" or "inv"
            S4D-Lin or S4D-Inv.
        stride : 1, 2, 4 or 8
            Samples a token.
        dropout : float
            After each filter and before each residual.
        """

        size: Literal["0.2m", "0.5m", "1m", "4m"] = "0.5m"
        init: Literal["lin", "inv"] = "lin"
        stride: Literal[1, 2, 4, 8] = 4
        dropout: float = Field(0.1, ge=0, lt=1)

    def __init__(self, config: Config, leads: tuple[str, ...], fs: float) -> None:
        super().__init__(config, leads, fs)
        size = _SIZES[config.size]
        self.dim, self.stride = size.dim, config.stride
        kernel = 2 * config.stride + 1
        self.stem = nn.Conv1d(len(self.leads), size.dim, kernel, config.stride, kernel // 2)
        self.layers = nn.ModuleList(
            _Layer(size.dim, size.state, config.init, config.dropout) for _ in range(size.layers)
        )

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Embedding:
        """Signal (B, L, T) → tokens (B, ⌈T / stride⌉, D), pooled (B, D)."""
        x, mask = masked_input(self, signal, lead_mask, valid)
        keep = strided(mask, self.stride)
        x = zero_invalid(self.stem(x), keep)
        for layer in self.layers:
            x = layer(x, keep)
        tokens = x.transpose(1, 2)
        return Embedding(tokens, mean_over(tokens, keep))

    def token_valid(self, valid: Tensor) -> Tensor:
        """A token is valid when the sample on which it stands is."""
        return valid[:, :: self.stride]


class _Layer(nn.Module):
    """Filter, GELU, gated mix of the channels; added to the input and normed. (B, D, P) → (B, D, P)."""

    def __init__(self, dim: int, state: int, init: str, dropout: float) -> None:
        super().__init__()
        self.kernel = _Kernel(dim, state, init)
        self.direct = nn.Parameter(torch.randn(dim))
        self.mix = nn.Linear(dim, 2 * dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        forwards, backwards = self.kernel(x.shape[2])
        y = long_convolution(x, forwards, backwards, self.mix.in_features) + self.direct[:, None] * x
        y = F.glu(self.mix(self.dropout(F.gelu(y)).transpose(1, 2)), 2)
        y = self.norm(x.transpose(1, 2) + self.dropout(y))
        return zero_invalid(y.transpose(1, 2), keep)


class _Kernel(nn.Module):
    """Impulse responses of D channels, each of N / 2 pairs of conjugate poles, forwards and backwards in time.

    Poles and steps are vectors, not matrices, so that weight decay, which would slow them, passes them over.
    """

    def __init__(self, dim: int, state: int, init: str) -> None:
        super().__init__()
        pairs = state // 2
        n = torch.arange(pairs, dtype=torch.float32)
        turn = math.pi * n if init == "lin" else state / math.pi * (state / (2 * n + 1) - 1)
        self.shape = (dim, pairs)
        self.log_damping = nn.Parameter(torch.full((dim * pairs,), math.log(0.5)))
        self.turn = nn.Parameter(turn.repeat(dim))
        spread = math.log(_FASTEST) - math.log(_SLOWEST)
        self.log_step = nn.Parameter(torch.rand(dim) * spread + math.log(_SLOWEST))
        self.weight = nn.Parameter(
            torch.randn(2, 2, dim, pairs) * 0.5**0.5
        )  # direction, real and imaginary part

    def forward(self, length: int) -> tuple[Tensor, Tensor]:
        """The two kernels, each (D, length), of lags 0, 1, … forwards and 1, 2, … backwards."""
        with torch.autocast(self.turn.device.type, enabled=False):
            return self._kernels(length)

    def _kernels(self, length: int) -> tuple[Tensor, Tensor]:
        step = torch.exp(self.log_step)[:, None]
        damping, turn = torch.exp(self.log_damping).view(self.shape), self.turn.view(self.shape)
        fade, angle = damping * step, turn * step  # minus the real part of Δ A, and its imaginary part
        real, imaginary = self._held(damping, turn, fade, angle)
        lag = torch.arange(length, dtype=step.dtype, device=step.device)
        envelope = 2 * torch.exp(-fade[:, :, None] * lag)  # (D, N / 2, length)
        phase = angle[:, :, None] * lag
        cosine, sine = envelope * torch.cos(phase), envelope * torch.sin(phase)
        both = torch.einsum("sdn,dnl->sdl", real, cosine) - torch.einsum("sdn,dnl->sdl", imaginary, sine)
        return both[0], both[1]

    def _held(self, damping: Tensor, turn: Tensor, fade: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """C (exp(Δ A) − 1) / A, the weights under zero-order hold with B = 1, in real and imaginary parts."""
        shrink = torch.exp(-fade)
        up, across = shrink * torch.cos(angle) - 1, shrink * torch.sin(angle)
        size = damping.square() + turn.square()
        real, imaginary = (across * turn - up * damping) / size, -(up * turn + across * damping) / size
        a, b = self.weight[:, 0], self.weight[:, 1]
        return a * real - b * imaginary, a * imaginary + b * real


def long_convolution(x: Tensor, forwards: Tensor, backwards: Tensor, dim: int) -> Tensor:
    """Each channel with its own two-sided kernel: y[i] = Σ_{j ≤ i} f[i − j] x[j] + Σ_{j > i} b[j − i − 1] x[j].

    Parameters
    ----------
    x : Tensor, float, (B, D, P)
    forwards, backwards : Tensor, float, (D, P)
    dim : int
        D: traced code does not know it as a number.

    Returns
    -------
    Tensor, (B, D, P), of the type of `x`
    """
    length = x.shape[2]
    if traced():
        taps = torch.cat([forwards.flip(1), backwards[:, :-1]], 1)[:, None].to(x.dtype)
        wide = F.pad(x, (length - 1, length - 1))
        if torch.jit.is_tracing():
            return _Correlation.apply(wide, taps, dim)
        return F.conv1d(wide, taps, groups=dim)
    with torch.autocast(x.device.type, enabled=False):
        wide = x.to(forwards.dtype)
        gap = forwards.new_zeros(dim, 1)
        circle = torch.cat([forwards, gap, backwards[:, :-1].flip(1)], 1)  # lag −l stands at 2 P − l
        spectrum = torch.fft.rfft(wide, 2 * length) * torch.fft.rfft(circle)
        return torch.fft.irfft(spectrum, 2 * length)[:, :, :length].to(x.dtype)


class _Correlation(torch.autograd.Function):
    """A grouped convolution whose taps are computed in the graph: the exporter wants to know how many there are."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor, groups: int) -> Tensor:
        """`x` (B, D, P + taps − 1), `taps` (D, 1, taps) → (B, D, P)."""
        return F.conv1d(x, taps, groups=groups)

    @staticmethod
    def symbolic(g: Any, x: Any, taps: Any, groups: int) -> Any:
        """The same as an ONNX node."""
        return g.op("Conv", x, taps, group_i=groups).setType(x.type().with_sizes([None, groups, None]))
