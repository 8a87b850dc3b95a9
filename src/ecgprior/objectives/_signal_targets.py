"""A head that tells from the embedding what each lead's trace is like: large or small, steep or calm, steady or not.

Six numbers a lead, over the seconds of the window: the largest, smallest and mean standard deviation, the largest and
smallest mean steepness, and the range of the medians. They are computed from the window itself, before leads are masked
or anything is augmented, so they cost neither a table nor a label. Where an electrode is off, one is zero; in noise the
smallest steepness is high: an embedding that can tell them knows a lead that shows nothing from one that was masked.
Targets are decadic logarithms, shifted and scaled so that those of ECGs lie within a few units of 0; smooth L1.
The idea and constants are ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from ..batch import Batch
from ._distributed import n_processes, total

N_KINDS = 6
_FLOOR_MV, _MOST_MV = 0.003, 1000.0
_STEEP_S = 0.05  # what a slope in mV/s is multiplied by, to lie where standard deviations lie
_CENTRE, _UNIT = -0.8, 0.4


class SignalTargets(nn.Module):
    """From the pooled embedding (B, D) to six numbers a lead, (B, L, 6), and their loss.

    Parameters
    ----------
    dim : int
        D.
    n_leads : int
        L.
    fs : float
        Hz.
    """

    def __init__(self, dim: int, n_leads: int, fs: float) -> None:
        super().__init__()
        self.fs = fs
        self.head = nn.Linear(dim, N_KINDS * n_leads)

    def forward(self, pooled: Tensor, window: Batch) -> Tensor:
        """Mean loss over the leads of all processes' windows, ().

        Parameters
        ----------
        pooled : Tensor, float, (B, D)
        window : Batch
            Signals (B, L, T) in mV, as they were before anything was masked. Absent leads, and windows of which no
            second is whole, cost nothing.
        """
        targets, known = trace_numbers(window.signal, window.lead_mask, window.valid, self.fs)
        made = self.head(pooled).unflatten(1, (-1, N_KINDS))
        made = made.float() if made.dtype in (torch.bfloat16, torch.float16) else made
        each = smooth_l1_loss(made, targets.to(made.dtype), reduction="none").mean(2)
        return (each * known).sum() / (total(known.sum()).clamp(min=1) / n_processes())


@torch.no_grad()
def trace_numbers(signal: Tensor, lead_mask: Tensor, valid: Tensor, fs: float) -> tuple[Tensor, Tensor]:
    """What each lead's trace is like.

    Parameters
    ----------
    signal : Tensor, float, (B, L, T), mV
    lead_mask : Tensor, bool, (B, L)
        False = absent.
    valid : Tensor, bool, (B, T)
        False = padding. Only seconds that are wholly valid count; a window under a second is one.
    fs : float
        Hz.

    Returns
    -------
    numbers : Tensor, float, (B, L, 6)
        Largest, smallest, mean standard deviation of a second; largest, smallest mean steepness; range of the medians.
    known : Tensor, bool, (B, L)
    """
    with torch.autocast(signal.device.type, enabled=False):
        x = signal if signal.dtype == torch.float64 else signal.float()
        size = min(max(2, round(fs)), x.shape[2])
        end = x.shape[2] // size * size
        seconds = x[:, :, :end].unflatten(2, (-1, size))
        whole = valid[:, :end].unflatten(1, (-1, size)).all(2)[:, None]
        spread = seconds.std(3)
        steep = seconds.diff(dim=3).abs().mean(3) * (fs * _STEEP_S)
        level = seconds.median(3).values
        numbers = torch.stack(
            [
                _most(spread, whole),
                -_most(-spread, whole),
                (spread * whole).sum(2) / whole.sum(2).clamp(min=1),
                _most(steep, whole),
                -_most(-steep, whole),
                _most(level, whole) + _most(-level, whole),
            ],
            2,
        )
        scaled = (torch.log10(numbers.clamp(0, _MOST_MV) + _FLOOR_MV) - _CENTRE) / _UNIT
        return scaled, lead_mask & whole.any(2)


def _most(x: Tensor, whole: Tensor) -> Tensor:
    """The largest of the whole seconds, (B, L)."""
    return x.masked_fill(~whole, -torch.inf).amax(2)
