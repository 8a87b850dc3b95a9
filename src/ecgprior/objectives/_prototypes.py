"""Prototypes of the embedding: k-means over recent projections, once an epoch, with a moving average.

A bank keeps the latest projections of all processes; the same numbers everywhere, so every process finds the same
prototypes. Rounds of k-means begin at the prototypes before, which keeps their order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from ._distributed import gather

_ROUNDS = 10


class Prototypes(nn.Module):
    """Up to `count` directions on the sphere.

    Parameters
    ----------
    count : int
    dim : int
        D.
    bank : int
        Projections that are kept.
    keep : float
        Weight of the prototypes before, when they are found anew.
    """

    bank: Tensor
    filled: Tensor
    centre: Tensor
    known: Tensor

    def __init__(self, count: int, dim: int, bank: int, keep: float) -> None:
        super().__init__()
        self.keep = keep
        self.register_buffer("bank", torch.zeros(bank, dim))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("centre", torch.zeros(count, dim))
        self.register_buffer("known", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def remember(self, projections: Tensor) -> None:
        """Put the projections (B, D) of all processes' windows into the bank, over the oldest ones."""
        rows = gather(normalize(projections.detach(), dim=1))[-len(self.bank) :]
        place = (self.filled + torch.arange(len(rows), device=rows.device)) % len(self.bank)
        self.bank[place] = rows.to(self.bank.dtype)
        self.filled += len(rows)

    @torch.no_grad()
    def find(self) -> None:
        """Prototypes from the bank: the first ones as k-means finds them, later ones a moving average."""
        rows = self.bank[: int(self.filled)]
        n, count = len(rows), len(self.centre)
        if n < count:
            return
        begin = self.centre if self.known else rows[torch.arange(count, device=rows.device) * n // count]
        found = kmeans(rows, begin)
        mixed = self.keep * self.centre + (1 - self.keep) * found if self.known else found
        self.centre.copy_(normalize(mixed, dim=1))
        self.known.fill_(True)

    def loss(self, first: Tensor, second: Tensor, temperature: float) -> Tensor:
        """Cross-entropy of both views' cosines / τ with the prototype that is nearest to their sum; 0 before any is known."""
        if not self.known:
            return 0 * first.sum()
        first, second = normalize(first, dim=1), normalize(second, dim=1)
        centre = self.centre.to(first.dtype, copy=True)  # `find` may change them before the backward pass
        nearest = ((first + second).detach() @ centre.T).argmax(1)
        return (
            sum(
                (cross_entropy(z @ centre.T / temperature, nearest) for z in (first, second)),
                first.new_zeros(()),
            )
            / 2
        )


def kmeans(rows: Tensor, centre: Tensor) -> Tensor:
    """Spherical k-means: unit rows (N, D), first centres (K, D) → unit centres (K, D); an empty one stays.

    Ten rounds at most; each is the direction of the mean of its rows.
    """
    for _ in range(_ROUNDS):
        nearest = (rows @ centre.T).argmax(1)
        summed = torch.zeros_like(centre).index_add_(0, nearest, rows)
        moved = torch.where(summed.norm(dim=1, keepdim=True) > 0, normalize(summed, dim=1), centre)
        if torch.equal(moved, centre):
            break
        centre = moved
    return centre
