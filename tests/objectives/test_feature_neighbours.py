"""Feature neighbours: whom a window belongs to, and the loss, by a naive loop in NumPy float64."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders.base import Embedding, Encoder
from ecgprior.objectives.feature_neighbours import FeatureNeighbours, neighbours
from ecgprior.recipe import Part

NAMES = {"features": ("rr_ms", "qrs_ms"), "rows": ()}
NAN = float("nan")


class Through(Encoder):
    """Gives the samples of the only lead as the embedding."""

    Config = Part

    def __init__(self, dim):
        super().__init__(Part(), ("I",), 100.0)
        self.dim = dim

    def forward(self, signal, lead_mask, valid):
        return Embedding(signal.transpose(1, 2), signal[:, 0])

    def token_valid(self, valid):
        return valid


def batch_of(signal, features, patient=None):
    n, time = signal.shape
    return Batch(
        signal=signal[:, None],
        lead_mask=torch.ones(n, 1, dtype=torch.bool),
        valid=torch.ones(n, time, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n) if patient is None else torch.tensor(patient),
        columns={"features": torch.as_tensor(features, dtype=torch.float32)},
    )


def objective_of(dim=5, table=None, **settings):
    made = FeatureNeighbours(
        Through(dim), FeatureNeighbours.Config(augmentations=(), projection=dim, **settings)
    )
    made.projector = torch.nn.Identity()
    if table is None:
        table = np.random.default_rng(0).normal(size=(40, 2)) * [50, 10] + [800, 90]
    made.before_training({"features": torch.as_tensor(table, dtype=torch.float32)}, NAMES)
    return made.double()


FEATURES = [[800, 90], [810, 91], [600, 140], [NAN, NAN], [620, 150]]
NEAREST = {0: 1, 1: 0, 2: 4, 3: None, 4: 2}


def naive(signal, temperature=0.07):
    """Both views are the signal: positives are the other view and both views of the nearest neighbour."""
    views = [v / np.linalg.norm(v) for v in [*signal, *signal]]
    n, losses = len(signal), []
    for i, view in enumerate(views):
        score = [np.exp(view @ other / temperature) for other in views]
        below = sum(score) - score[i]
        positive = [k for k in range(2 * n) if k != i and k % n in (i % n, NEAREST[i % n])]
        losses.append(-np.mean([np.log(score[k] / below) for k in positive]))
    return np.mean(losses)


def test_value_and_gradient_equal_the_naive_loop(equals_naive):
    objective = objective_of()

    def loss(signal):
        batch = batch_of(signal, FEATURES)
        return objective(batch, BatchRandom.for_batch(0, 0, batch)).total

    equals_naive(loss, naive, np.random.default_rng(0).normal(size=(5, 5)))


def test_the_nearest_of_another_patient():
    objective = objective_of()
    batch = batch_of(torch.zeros(5, 5), FEATURES, patient=[0, 0, 1, 2, 3])
    related = objective._related(batch)
    assert related.sum(1).tolist() == [1, 1, 1, 0, 1]
    assert related.long().argmax(1)[[0, 1, 2, 4]].tolist() == [4, 4, 4, 2] and not related[:, 3].any()


def test_none_is_allowed_none_is_taken():
    assert not neighbours(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 3, dtype=torch.bool)).any()


def test_prototypes_count_after_epoch_40_with_a_weight_that_rises_over_1000():
    objective = objective_of()
    config = objective.config
    assert (config.prototypes, config.prototype_average, config.temperature) == (128, 0.5, 0.07)
    for epoch, weight in ((0, 0.0), (40, 0.0), (41, 0.001), (540, 0.5), (1040, 1.0), (3000, 1.0)):
        objective.seen.fill_(epoch * 40)
        assert objective.epoch == epoch and objective.prototype_weight == pytest.approx(weight)


def test_prototypes_are_found_in_training_and_pull():
    table = np.random.default_rng(0).normal(size=(8, 2)) * [50, 10] + [800, 90]
    objective = objective_of(
        table=table, prototypes=2, prototype_epoch=1, prototype_epochs=1, bank=16
    ).train()
    generator = torch.Generator().manual_seed(0)
    ends = torch.eye(5, dtype=torch.float64)[:2].repeat(4, 1)
    for _ in range(3):
        signal = (ends + 0.01 * torch.randn(8, 5, generator=generator)).requires_grad_()
        batch = batch_of(signal, table)
        loss = objective(batch, BatchRandom.for_batch(0, 0, batch))
        loss.total.backward()
    assert objective.epoch == 3 and objective.prototypes.known
    assert loss.terms["prototype_weight"] == 1 and 0 < loss.terms["prototypes"] < 1e-3
    centre = objective.prototypes.centre
    torch.testing.assert_close(centre.sort(0).values[-1, :2], torch.ones(2).double(), atol=0.01, rtol=0)
    before = objective.seen.clone(), objective.prototypes.bank.clone()
    objective.eval()(batch, BatchRandom.for_batch(0, 0, batch))
    assert torch.equal(objective.seen, before[0]) and torch.equal(objective.prototypes.bank, before[1])
