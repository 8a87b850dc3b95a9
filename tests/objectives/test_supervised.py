"""Supervised losses against a naive double loop in NumPy float64: value and gradient."""

import math

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders.base import Embedding, Encoder
from ecgprior.errors import RecipeError, ShapeError
from ecgprior.objectives.supervised import Supervised
from ecgprior.recipe import Part


class Through(Encoder):
    """Gives the first samples of the only lead as the embedding, so that logits can be set by the test."""

    Config = Part

    def __init__(self, dim):
        super().__init__(Part(), ("I",), 100.0)
        self.dim = dim

    def forward(self, signal, lead_mask, valid):
        pooled = signal[:, 0, : self.dim]
        return Embedding(pooled[:, None, :], pooled)

    def token_valid(self, valid):
        return valid[:, :1]


def objective(n_labels, **settings):
    made = Supervised(Through(n_labels), Supervised.Config.check(settings), tuple("abcdefgh"[:n_labels])).double()
    with torch.no_grad():
        made.classifier.weight.copy_(torch.eye(n_labels))
        made.classifier.bias.zero_()
    return made.train()


def batch_of(logits, labels):
    n, time = logits.shape
    return Batch(
        signal=logits[:, None, :],
        lead_mask=torch.ones(n, 1, dtype=torch.bool),
        valid=torch.ones(n, time, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        labels=None if labels is None else torch.as_tensor(labels, dtype=torch.float32),
    )


def naive(logits, labels, *, loss="bce", weight=None, focus=2.0, focus_positive=0.0, margin=0.05, smoothing=0.0):
    total, count = 0.0, 0
    for i, row in enumerate(labels):
        for c, label in enumerate(row):
            if math.isnan(label):
                continue
            p = 1 / (1 + math.exp(-logits[i][c]))
            if loss == "focal":
                positive, negative = -((1 - p) ** focus) * math.log(p), -(p**focus) * math.log(1 - p)
            elif loss == "asymmetric":
                shifted = max(p - margin, 0.0)
                positive = -((1 - p) ** focus_positive) * math.log(p)
                negative = -(shifted**focus) * math.log(1 - shifted)
            else:
                positive, negative = -math.log(p), -math.log(1 - p)
            target = label * (1 - smoothing) + smoothing / 2
            total += (weight[c] if weight else 1.0) * target * positive + (1 - target) * negative
            count += 1
    return total / count


SETTINGS = [
    {},
    {"smoothing": 0.2},
    {"loss": "focal", "focus": 2.0},
    {"loss": "focal", "focus": 1.0},
    {"loss": "asymmetric", "focus": 4.0},
    {"loss": "asymmetric", "focus": 3.0, "focus_positive": 1.0, "margin": 0.2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("weight", [None, (2.0, 0.5, 3.0)])
def test_value_and_gradient_equal_the_naive_loop(settings, weight):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 3)) * 2
    labels = rng.integers(0, 2, (5, 3)).astype(float)
    labels[1, 2] = labels[3, 0] = labels[4, 1] = np.nan
    extra = {} if weight is None else {"positive_weight": weight}
    made = objective(3, **settings, **extra)
    signal = torch.tensor(logits, requires_grad=True)
    batch = batch_of(signal, labels)
    loss = made(batch, BatchRandom.for_batch(0, 0, batch)).total
    loss.backward()
    assert loss.item() == pytest.approx(naive(logits, labels, weight=weight, **settings), rel=1e-10)
    step, numeric = 1e-6, np.zeros_like(logits)
    for index in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[index] += step
        down[index] -= step
        numeric[index] = (
            naive(up, labels, weight=weight, **settings) - naive(down, labels, weight=weight, **settings)
        ) / (2 * step)
    np.testing.assert_allclose(signal.grad.numpy(), numeric, atol=1e-8)
    assert (signal.grad.numpy()[np.isnan(labels)] == 0).all()


def test_a_batch_without_any_known_label_costs_nothing_and_has_a_gradient():
    made = objective(2)
    signal = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    batch = batch_of(signal, np.full((3, 2), np.nan))
    loss = made(batch, BatchRandom.for_batch(0, 0, batch)).total
    loss.backward()
    assert loss.item() == 0 and (signal.grad == 0).all()


@pytest.mark.parametrize("loss", ["bce", "focal", "asymmetric"])
def test_very_sure_logits_stay_finite(loss):
    made = objective(2, loss=loss, margin=0.0, focus=0.5).float()
    signal = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    batch = batch_of(signal, [[0.0, 1.0], [0.0, 1.0]])
    total = made(batch, BatchRandom.for_batch(0, 0, batch)).total
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(signal.grad).all()


def test_balanced_weights_are_negatives_over_positives_of_what_is_known():
    made = objective(3, positive_weight="balanced", largest_weight=3.0)
    nan = float("nan")
    made.before_training({"labels": torch.tensor([[1, 0, 1.0], [0, 0, 1], [0, nan, 1], [nan, 1, 0]])})
    torch.testing.assert_close(made.positive_weight, torch.tensor([2.0, 2.0, 1 / 3], dtype=torch.float64))
    made.before_training({"labels": torch.tensor([[0.0, 0, 0]] * 9 + [[0, 1, 0]])})
    assert made.positive_weight.tolist() == [3.0, 3.0, 3.0]


def test_weights_must_be_as_many_as_labels():
    with pytest.raises(RecipeError, match=r"one number a label \(3\), got 2"):
        objective(3, positive_weight=(1.0, 2.0))


def test_labels_are_needed():
    batch = batch_of(torch.zeros(2, 2, dtype=torch.float64), None)
    with pytest.raises(ShapeError, match="expected labels"):
        objective(2)(batch, BatchRandom.for_batch(0, 0, batch))


def test_in_eval_mode_nothing_is_augmented():
    made = objective(2, augmentations=({"name": "gaussian_noise", "sd": 5.0},)).eval()
    batch = batch_of(torch.ones(2, 2, dtype=torch.float64), [[0.0, 1.0], [1.0, 0.0]])
    first, second = (made(batch, BatchRandom.for_batch(0, step, batch)).total for step in (0, 1))
    assert first == second
    made.train()
    first, second = (made(batch, BatchRandom.for_batch(0, step, batch)).total for step in (0, 1))
    assert first != second
