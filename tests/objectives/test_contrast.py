"""Supervised contrast against a naive loop in NumPy float64."""

import numpy as np
import pytest
import torch

from ecgprior.errors import ShapeError
from ecgprior.objectives._contrast import nt_xent, sup_con


def naive(first, second, related, temperature):
    """Equation 2 of Khosla et al. 2020, one anchor at a time."""
    views = [v / np.linalg.norm(v) for v in [*first, *second]]
    n, losses = len(first), []
    for i in range(2 * n):
        below = sum(np.exp(views[i] @ views[k] / temperature) for k in range(2 * n) if k != i)
        positive = [k for k in range(2 * n) if k != i and (k % n == i % n or related[i % n][k % n])]
        shares = [np.log(np.exp(views[i] @ views[p] / temperature) / below) for p in positive]
        losses.append(-sum(shares) / len(positive))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_value_and_gradient_equal_the_naive_loop(temperature, equals_naive):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 4))
    related = rng.random((5, 5)) < 0.3  # one way, and now and then the window itself
    equals_naive(
        lambda a, b: sup_con(a, b, torch.tensor(related), temperature),
        lambda a, b: naive(a, b, related, temperature),
        first,
        second,
    )


def test_without_relations_it_is_nt_xent():
    a, b = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for related in (torch.zeros(6, 6, dtype=torch.bool), torch.eye(6, dtype=torch.bool)):
        torch.testing.assert_close(sup_con(a, b, related, 0.1), nt_xent(a, b, 0.1))


def test_shapes_are_checked():
    a = torch.ones(3, 2)
    with pytest.raises(ShapeError, match=r"related: expected \(3, 3\), got \(3, 4\)"):
        sup_con(a, a, torch.zeros(3, 4, dtype=torch.bool), 0.1)
    with pytest.raises(ShapeError, match="at least 2 windows"):
        sup_con(a[:1], a[:1], torch.zeros(1, 1, dtype=torch.bool), 0.1)
