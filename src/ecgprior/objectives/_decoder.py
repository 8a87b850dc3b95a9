"""Reconstruction: a small convolutional decoder from tokens to the signal, and its errors.

Three convolutions over tokens of any encoder; the last gives the samples of each token, so the output has exactly
the input's length, whatever the stride (PhysioCLR's release up-samples by 4 only, which cannot). What follows the
last whole token is decoded from a copy of it.

**Source** – PhysioCLR (arXiv 2509.08116); kernel 3 and a third of the encoder's width are ours (0.94 M parameters beside
the paper's encoder; 0.92 M in the release).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoders.base import Encoder
from ._distributed import n_processes, total

_PROBE = 100_000


class Decoder(nn.Module):
    """Tokens (B, P, D) → signal (B, L, T).

    Parameters
    ----------
    encoder : Encoder
        Whose tokens are decoded; it is not kept.
    hidden : int, default 0
        Width; 0 = a third of the encoder's.
    """

    def __init__(self, encoder: Encoder, hidden: int = 0) -> None:
        super().__init__()
        self.rows = int(getattr(encoder, "token_rows", 1))
        self.stride, self.n_leads = _stride(encoder, self.rows), len(encoder.leads)
        hidden = hidden or -(-encoder.dim // 3)
        widths = (encoder.dim, hidden, hidden, self.n_leads * self.stride)
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))

    def forward(self, tokens: Tensor, samples: int) -> Tensor:
        """The signal of exactly `samples`.

        Parameters
        ----------
        tokens : Tensor, float, (B, P, D)
            0 where padding. Of an encoder with a token a lead those of one time are averaged.
        samples : int
        """
        x = tokens.unflatten(1, (-1, self.rows)).mean(2) if self.rows > 1 else tokens
        x = x.transpose(1, 2)
        missing = -(-samples // self.stride) - x.shape[2]
        if missing > 0:
            x = F.pad(x, (0, missing), mode="replicate")
        for number, layer in enumerate(self.layers):
            x = layer(F.gelu(x) if number else x)
        # (B, L · stride, P) → (B, L, P · stride): each token's samples in the order of time.
        x = x.unflatten(1, (self.n_leads, self.stride)).transpose(2, 3).flatten(2)
        return x[:, :, :samples]


def _stride(encoder: Encoder, rows: int) -> int:
    """Samples of a token, as the encoder itself counts them."""
    tokens = encoder.token_valid(torch.ones(1, _PROBE, dtype=torch.bool)).shape[1] // rows
    return max(1, round(_PROBE / tokens))


def squared_errors(
    made: Tensor, signal: Tensor, lead_mask: Tensor, valid: Tensor, windows: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean squared error over every present sample, and over those inside `windows`, of all processes.

    Parameters
    ----------
    made, signal : Tensor, float, (B, L, T)
    lead_mask : Tensor, bool, (B, L)
        Leads that were recorded, also those the encoder did not see.
    valid, windows : Tensor, bool, (B, T)

    Returns
    -------
    global, peak : Tensor, float, ()
        This process' sum divided by the mean count of a process; 0 when there is no sample.
    """
    leads = lead_mask.to(signal.dtype)
    of_time = torch.einsum("blt,bl->bt", (made.to(signal.dtype) - signal).square(), leads)
    n_leads = leads.sum(1, keepdim=True)
    return _share(of_time, n_leads, valid), _share(of_time, n_leads, valid & windows)


def _share(of_time: Tensor, n_leads: Tensor, where_: Tensor) -> Tensor:
    chosen = where_.to(of_time.dtype)
    count = total((chosen * n_leads).sum()).clamp(min=1) / n_processes()
    return (of_time * chosen).sum() / count


def peak_windows(fiducials: Tensor, samples: int, half: tuple[float, float, float]) -> Tensor:
    """Which samples lie around a peak.

    Parameters
    ----------
    fiducials : Tensor, float, (B, K, 3, 3)
        P, QRS, T × onset, peak, offset in samples; NaN = absent.
    samples : int
    half : tuple of float
        Half width around P, R and T in samples: what is at most so far away is inside.

    Returns
    -------
    Tensor, bool, (B, samples)
    """
    peak = fiducials[..., 1].double()
    width = torch.tensor(half, dtype=peak.dtype, device=peak.device)
    there = peak.isfinite()
    first = (peak - width).ceil().nan_to_num().clamp(0, samples).long().flatten(1)
    after = ((peak + width).floor() + 1).nan_to_num().clamp(0, samples).long().flatten(1)
    one = (there.flatten(1) & (after > first)).to(torch.int32)
    steps = torch.zeros(len(peak), samples + 1, dtype=torch.int32, device=peak.device)
    steps.scatter_add_(1, first, one).scatter_add_(1, after, -one)
    return steps.cumsum(1)[:, :samples] > 0
