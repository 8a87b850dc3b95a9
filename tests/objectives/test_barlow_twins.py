"""Barlow twins against a naive loop in NumPy float64: value and gradient."""

import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder
from ecgprior.objectives.barlow_twins import BarlowTwins, barlow


def naive(first, second):
    """Equations 1 and 2 of Zbontar et al. 2021; dimensions standardised as batch norm does."""
    n, dim = first.shape
    one, two = ([(z[:, d] - np.mean(z[:, d])) / np.sqrt(np.var(z[:, d]) + 1e-5) for d in range(dim)]
                for z in (first, second))  # fmt: skip
    loss = 0.0
    for a in range(dim):
        for b in range(dim):
            c = sum(one[a] * two[b]) / n
            loss += (1 - c) ** 2 if a == b else 5e-3 * c**2
    return loss


def test_value_and_gradient_equal_the_naive_loop(equals_naive):
    first, second = np.random.default_rng(2).normal(size=(2, 6, 4))

    def loss(a, b):
        on, beside = barlow(a, b)
        return on + 5e-3 * beside

    equals_naive(loss, naive, first, second)


def test_equal_views_without_redundancy_cost_nothing():
    z = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    assert [float(term) for term in barlow(z, 5 * z + 3)] == pytest.approx([0, 0], abs=1e-8)


def test_as_published_three_layers_four_times_as_wide():
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0, seed=0)
    objective = BarlowTwins(encoder, BarlowTwins.Config())
    dim, wide = encoder.dim, 4 * encoder.dim
    shapes = [tuple(p.shape) for p in objective.projector.parameters() if p.ndim == 2]
    assert shapes == [(wide, dim), (wide, wide), (wide, wide)] and objective.config.redundancy_weight == 5e-3
