"""Contrastive losses: projections in, one number out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ShapeError
from ._distributed import gather, n_processes, process, total


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
    logits, partner = _all_views(first, second, temperature)
    return functional.cross_entropy(logits, partner)


def sup_con(first: Tensor, second: Tensor, related: Tensor, temperature: float) -> Tensor:
    """Supervised contrast: each view must find its partner and every view of the windows related to its own.

    Parameters
    ----------
    first, second : Tensor, float, (B, D)
        Projections of two views of this process' B windows; normalised here.
    related : Tensor, bool, (B, N)
        Whether a window belongs to one of the N windows of all processes, in the order that gathering gives. A
        window belongs to itself whatever is said here; a view is never its own positive, nor its own negative.
    temperature : float

    Returns
    -------
    Tensor, float, ()
        Mean over this process' 2B anchors; :func:`nt_xent` when no window is related to another.

    Raises
    ------
    ShapeError
        Shapes differ, or there is only one window in all.

    Notes
    -----
    −1/|P(i)| Σ_{p∈P(i)} log [exp(s(i, p)/τ) / Σ_{k≠i} exp(s(i, k)/τ)], s = cosine, P(i) = the positives of i.

    **Source** – Khosla et al. 2020 (arXiv 2004.11362), equation 2.
    """
    logits, partner = _all_views(first, second, temperature)
    n, b = logits.shape[1] // 2, len(first)
    if related.shape != (b, n):
        raise ShapeError(f"related: expected ({b}, {n}), got {tuple(related.shape)}")
    positive = (related | (partner[:b, None] == torch.arange(n, 2 * n, device=first.device))).repeat(2, 2)
    positive &= logits.isfinite()
    log_share = logits.log_softmax(1, dtype=torch.promote_types(logits.dtype, torch.float32))
    return -(log_share.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()


def same_patient(first: Tensor, second: Tensor, patient: Tensor, temperature: float) -> Tensor:
    """CMSC: each first window must find the second windows of its own patient among all second ones, and vice versa.

    Parameters
    ----------
    first, second : Tensor, float, (B, D)
        Representations of two adjacent windows of the same B records; normalised here.
    patient : Tensor, int64, (B,)
        A number a patient.
    temperature : float

    Returns
    -------
    Tensor, float, ()
        This process' part, so that the mean over processes is the loss of the whole batch.

    Raises
    ------
    ShapeError
        Shapes differ, or there is only one record in all.

    Notes
    -----
    ½ [mean over pairs (i, j) of one patient of −log softmax_j s(i, j)/τ + the same with softmax_i].

    **Source** – Kiyasseh et al. 2021, CLOCS (arXiv 2005.13249), equations 1–3.
    """
    _check_pair(first, second)
    first, second = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
    everyone = gather(patient)
    if len(everyone) < 2:
        raise ShapeError("representations: expected at least 2 records in a batch, got 1")
    own = patient[:, None] == everyone
    n_pairs = total(own.sum()) / n_processes()
    summed = sum(
        -(one @ gather(other).T / temperature).log_softmax(1)[own].sum()
        for one, other in ((first, second), (second, first))
    )
    return summed / n_pairs / 2


def top1(first: Tensor, second: Tensor) -> Tensor:
    """The share of this process' windows whose first view is nearer to its second than to any other's: ()."""
    cosine = functional.normalize(first.detach(), dim=1) @ functional.normalize(second.detach(), dim=1).T
    return (cosine.argmax(1) == torch.arange(len(first), device=first.device)).float().mean()


def _all_views(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Cosine / τ of this process' views with everybody's, itself −∞, (2B, 2N); where each one's partner is, (2B,)."""
    _check_pair(first, second)
    first, second = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
    everyone = torch.cat([gather(first), gather(second)])
    n, b = len(everyone) // 2, len(first)
    if n < 2:
        raise ShapeError("projections: expected at least 2 windows in a batch, got 1")
    mine = torch.arange(b, device=first.device) + process() * b
    logits = torch.cat([first, second]) @ everyone.T / temperature
    itself = torch.cat([mine, mine + n])
    return logits.scatter(1, itself[:, None], float("-inf")), torch.cat([mine + n, mine])


def _check_pair(first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape or first.ndim != 2:
        raise ShapeError(f"projections: expected two of shape (B, D), got {first.shape} and {second.shape}")
