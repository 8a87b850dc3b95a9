"""CLEF-type weighting against a naive loop in NumPy float64: value and gradient."""

import math

import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder
from ecgprior.errors import ColumnMissing, ShapeError
from ecgprior.objectives.clef import CLEF, clef, distances


def naive_distances(values, missing, nearest=0.2):
    """The authors' (r_i − r_j)², as a mean over features, to nearest … 1; 0 on the diagonal."""
    n = len(values)
    squared = [
        [sum((a - b) ** 2 for a, b in zip(values[i], values[j])) / len(values[i]) for j in range(n)]
        for i in range(n)
    ]
    low, high = min(map(min, squared)), max(map(max, squared))
    return np.array(
        [
            [
                0.0
                if i == j
                else (nearest + (1 - nearest) * (squared[i][j] - low) / (high - low + 1e-6))
                * math.exp(-missing[i] * missing[j])
                for j in range(n)
            ]
            for i in range(n)
        ]
    )


def naive(first, second, d, temperature=0.07):
    """½ (weighted contrast + alignment), one pair of views at a time."""
    views = [v / np.linalg.norm(v) for v in [*first, *second]]
    n, half = len(views), len(first)
    cosine = np.array([[views[i] @ views[j] for j in range(n)] for i in range(n)])
    contrast = alignment = 0.0
    low, high = cosine.min(), cosine.max()
    for i in range(n):
        row = [math.exp(d[i % half][j % half]) for j in range(n)]
        partner = (i + half) % n
        positive = math.exp(cosine[i][partner] / temperature)
        negative = sum(
            row[j] / sum(row) * math.exp(cosine[i][j] / temperature)
            for j in range(n)
            if j not in (i, partner)
        )
        contrast -= math.log(positive / (positive + negative)) / n
        for j in range(n):
            unit = (cosine[i][j] - low) / (high - low + 1e-6)
            alignment += (unit - (1 - d[i % half][j % half])) ** 2 / n**2
    return (contrast + alignment) / 2


def test_distances_equal_the_naive_loop():
    rng = np.random.default_rng(0)
    values, missing = rng.normal(size=(5, 3)), rng.random(5)
    found = distances(torch.tensor(values), torch.tensor(missing), 0.2)
    np.testing.assert_allclose(found.numpy(), naive_distances(values, missing), rtol=1e-6, atol=1e-12)


def test_value_and_gradient_equal_the_naive_loop(equals_naive):
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 4, 5))
    d = naive_distances(rng.normal(size=(4, 2)), [0, 0.5, 0, 1.0])
    equals_naive(
        lambda a, b: sum(clef(a, b, torch.tensor(d), 0.07)) / 2,
        lambda a, b: naive(a, b, d),
        first,
        second,
    )


def test_a_far_negative_weighs_more_than_a_near_one():
    a = torch.eye(3, dtype=torch.float64)
    second = torch.tensor([[1, 0, 0.8], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    near, far = torch.zeros(3, 3), torch.zeros(3, 3)
    near[0, 1] = near[1, 0] = far[0, 2] = far[2, 0] = 1.0
    assert clef(a, second, far, 0.07)[0] > clef(a, second, near, 0.07)[0]


def test_windows_alike_in_all_that_was_measured_are_finite():
    d = distances(torch.zeros(4, 3), torch.zeros(4), 0.2)
    assert torch.equal(d, 0.2 * (1 - torch.eye(4)))
    assert all(torch.isfinite(term) for term in clef(torch.ones(4, 2), torch.ones(4, 2), d, 0.07))


def test_one_window_has_nothing_to_be_told_from():
    with pytest.raises(ShapeError, match="N at least 2"):
        clef(torch.ones(1, 3), torch.ones(1, 3), torch.zeros(1, 1), 0.07)


def test_as_published_the_embedding_itself_is_compared():
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0, seed=0)
    objective = CLEF(encoder, CLEF.Config())
    assert sum(1 for _ in objective.projector.parameters()) == 0
    assert (objective.config.temperature, objective.config.nearest) == (0.07, 0.2)
    with pytest.raises(ColumnMissing, match="expected their names"):
        objective.before_training({"features": torch.randn(9, 2)})
    with pytest.raises(ShapeError, match="before_training"):
        objective.standard(torch.zeros(2, 2))


def test_only_the_chosen_features_are_compared():
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0, seed=0)
    objective = CLEF(encoder, CLEF.Config(features=("qrs_ms",)))
    table = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)) * 20 + 100
    objective.before_training({"features": table}, {"features": ("rr_ms", "qrs_ms"), "rows": ()})
    values, _ = objective.standard(table)
    assert values.shape == (30, 1) and torch.equal(
        values.argsort(0)[:, 0], table[:, 1].clamp(max=500).argsort()
    )
