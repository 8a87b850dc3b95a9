"""3KG: NT-Xent between two views of one patient, by a naive loop in NumPy float64."""

import numpy as np
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders.base import Embedding, Encoder
from ecgprior.objectives.three_kg import ThreeKG
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


PATIENT = (0, 1, 0, 2)


def batch_of(signal):
    n, time = signal.shape
    return Batch(
        signal=signal[:, None],
        lead_mask=torch.ones(n, 1, dtype=torch.bool),
        valid=torch.ones(n, time, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.tensor(PATIENT),
        leads=("I",),
    )


def naive(signal, temperature=0.1):
    """Both views are the signal: positives are all views of the patient but the anchor."""
    views = [v / np.linalg.norm(v) for v in [*signal, *signal]]
    patient, losses = [*PATIENT, *PATIENT], []
    for i, view in enumerate(views):
        score = [np.exp(view @ other / temperature) for other in views]
        below = sum(score) - score[i]
        positive = [k for k in range(len(views)) if k != i and patient[k] == patient[i]]
        losses.append(-np.mean([np.log(score[k] / below) for k in positive]))
    return np.mean(losses)


def test_value_and_gradient_equal_the_naive_loop(equals_naive):
    objective = ThreeKG(Through(5), ThreeKG.Config(augmentations=())).double()
    objective.projector = torch.nn.Identity()

    def loss(signal):
        batch = batch_of(signal)
        return objective(batch, BatchRandom.for_batch(0, 0, batch)).total

    equals_naive(loss, naive, np.random.default_rng(0).normal(size=(4, 5)))


def test_as_published_rotation_of_45_degrees_scale_to_one_and_a_half_half_of_each_lead_masked():
    (_, turn), (_, mask) = ThreeKG(Through(5), ThreeKG.Config()).view.steps
    assert (turn.degrees, turn.scale, mask.share) == (45, 1.5, 0.5)
