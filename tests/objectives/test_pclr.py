"""PCLR: NT-Xent (tested in test_simclr.py) between two records of one patient."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders.base import Embedding, Encoder
from ecgprior.errors import ShapeError
from ecgprior.objectives.pclr import PCLR
from ecgprior.recipe import Part


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


def batch_of(signal, other=None):
    n, time = signal.shape
    return Batch(
        signal=signal[:, None],
        lead_mask=torch.ones(n, 1, dtype=torch.bool),
        valid=torch.ones(n, time, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        other=None if other is None else batch_of(other),
    )


def naive(first, second, temperature=0.1):
    """The authors' two directions, averaged: each record against its patient's other one and all other records."""
    views = [v / np.linalg.norm(v) for v in [*first, *second]]
    n, losses = len(first), []
    for i, view in enumerate(views):
        score = [np.exp(view @ other / temperature) for other in views]
        losses.append(-np.log(score[(i + n) % (2 * n)] / (sum(score) - score[i])))
    return np.mean(losses)


def test_value_and_gradient_equal_the_naive_loop(equals_naive):
    objective = PCLR(Through(5), PCLR.Config()).double()
    objective.projector = torch.nn.Identity()
    first, second = np.random.default_rng(0).normal(size=(2, 4, 5))

    def loss(a, b):
        batch = batch_of(a, b)
        return objective(batch, BatchRandom.for_batch(0, 0, batch)).total

    equals_naive(loss, naive, first, second)


def test_as_published_a_projector_of_320_and_320_and_no_augmentation():
    objective = PCLR(Through(7), PCLR.Config())
    assert [layer.out_features for layer in objective.projector if hasattr(layer, "out_features")] == [
        320,
        320,
    ]
    assert sum(p.numel() for p in objective.projector.parameters()) == 7 * 320 + 320 + 320 * 320 + 320
    assert objective.config.temperature == 0.1 and objective.view.steps == [] and objective.passes == 2


def test_another_record_is_needed():
    batch = batch_of(torch.ones(2, 7))
    with pytest.raises(ShapeError, match="expected another record of each patient"):
        PCLR(Through(7), PCLR.Config())(batch, BatchRandom.for_batch(0, 0, batch))
