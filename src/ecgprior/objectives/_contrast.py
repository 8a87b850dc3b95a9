"""Contrastive losses: projections in, one number out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ShapeError
from ._distributed import gather, process


def projector(dim: int, hidden: int, out: int) -> nn.Sequential:
    """Two linear layers with a ReLU between, without batch normalisation: (B, dim) → (B, out).

    No statistics of the batch leak from one window to another, and two processes equal one.
    """
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, out))


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent: each view must find its partner among all other views of the batch, over all processes.

    Parameters
    ----------
    first, second : Tensor, float, (B, D)
        Projections of two views of the same B windows; normalised here.
    temperature : float

    Returns
    -------
    Tensor, float, ()
        Mean over this process' 2B anchors.

    Raises
    ------
    ShapeError
        Shapes differ, or there is only one window in all (nothing to tell it from).

    Notes
    -----
    −log [exp(s(i, i′)/τ) / Σ_{k≠i} exp(s(i, k)/τ)], s = cosine, i′ = the other view of i.

    **Source** – Chen et al. 2020 (arXiv 2002.05709), equation 1.
    """
    if first.shape != second.shape or first.ndim != 2:
        raise ShapeError(f"projections: expected two of shape (B, D), got {first.shape} and {second.shape}")
    first, second = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
    everyone = torch.cat([gather(first), gather(second)])
    n, b = len(everyone) // 2, len(first)
    if n < 2:
        raise ShapeError("projections: expected at least 2 windows in a batch, got 1")
    mine = torch.arange(b, device=first.device) + process() * b
    logits = torch.cat([first, second]) @ everyone.T / temperature
    itself = torch.cat([mine, mine + n])
    logits = logits.scatter(1, itself[:, None], float("-inf"))
    return functional.cross_entropy(logits, torch.cat([mine + n, mine]))
