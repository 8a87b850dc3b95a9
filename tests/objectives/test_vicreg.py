"""VICReg against a naive loop in NumPy float64: value and gradient."""

import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder
from ecgprior.errors import ShapeError
from ecgprior.objectives.vicreg import VICReg, vicreg


def naive(first, second):
    """Equations 1–4 of Bardes et al. 2022, with the halves of the authors' code."""
    n, dim = first.shape
    invariance = np.mean([(first[i, d] - second[i, d]) ** 2 for i in range(n) for d in range(dim)])
    variance = covariance = 0.0
    for z in (first, second):
        centred = z - sum(z) / n
        for a in range(dim):
            spread = np.sqrt(sum(centred[:, a] ** 2) / (n - 1) + 1e-4)
            variance += max(0.0, 1 - spread) / dim / 2
            for b in range(dim):
                if a != b:
                    covariance += (sum(centred[:, a] * centred[:, b]) / (n - 1)) ** 2 / dim
    return 25 * invariance + 25 * variance + covariance


@pytest.mark.parametrize("scale", [0.3, 1.0])  # hinge on; some on and some off
def test_value_and_gradient_equal_the_naive_loop(scale, equals_naive):
    first, second = scale * np.random.default_rng(1).normal(size=(2, 6, 4))

    def loss(a, b):
        invariance, variance, covariance = vicreg(a, b)
        return 25 * invariance + 25 * variance + covariance

    equals_naive(loss, naive, first, second)


def test_equal_views_with_spread_and_without_redundancy_cost_nothing():
    z = 2 * torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    assert [float(term) for term in vicreg(z, z)] == [0, 0, 0]


def test_one_window_has_no_variance():
    with pytest.raises(ShapeError, match="at least 2 windows"):
        vicreg(torch.ones(1, 3), torch.ones(1, 3))
    with pytest.raises(ShapeError, match="two of shape"):
        vicreg(torch.ones(2, 3), torch.ones(2, 4))


def test_as_published_three_layers_four_times_as_wide_and_weights_25_25_1():
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0, seed=0)
    objective = VICReg(encoder, VICReg.Config())
    dim, wide = encoder.dim, 4 * encoder.dim
    shapes = [tuple(p.shape) for p in objective.projector.parameters() if p.ndim == 2]
    assert shapes == [(wide, dim), (wide, wide), (wide, wide)]
    names = [type(layer).__name__ for layer in objective.projector]
    assert names == ["Linear", "BatchNorm1d", "ReLU"] * 2 + ["Linear"]
    config = objective.config
    assert (config.invariance_weight, config.variance_weight, config.covariance_weight) == (25, 25, 1)
