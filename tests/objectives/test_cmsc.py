"""CMSC against a naive loop in NumPy float64: value and gradient."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder
from ecgprior.errors import ShapeError
from ecgprior.objectives._contrast import same_patient
from ecgprior.objectives.cmsc import CMSC


def naive(first, second, patient, temperature):
    """CLOCS: −log softmax at every pair of one patient, by rows and by columns."""
    first, second = ([v / np.linalg.norm(v) for v in part] for part in (first, second))
    n, rows, columns = len(first), [], []
    score = [[np.exp(first[i] @ second[j] / temperature) for j in range(n)] for i in range(n)]
    for i in range(n):
        for j in range(n):
            if patient[i] == patient[j]:
                rows.append(-np.log(score[i][j] / sum(score[i])))
                columns.append(-np.log(score[i][j] / sum(score[k][j] for k in range(n))))
    return (np.mean(rows) + np.mean(columns)) / 2


@pytest.mark.parametrize("patient", [(0, 1, 2, 3, 4), (0, 1, 0, 2, 1), (3, 3, 3, 3, 3)])
def test_value_and_gradient_equal_the_naive_loop(patient, equals_naive):
    first, second = np.random.default_rng(0).normal(size=(2, 5, 4))
    equals_naive(
        lambda a, b: same_patient(a, b, torch.tensor(patient), 0.1),
        lambda a, b: naive(a, b, patient, 0.1),
        first,
        second,
    )


def test_one_record_has_nothing_to_be_told_from():
    with pytest.raises(ShapeError, match="at least 2 records"):
        same_patient(torch.ones(1, 3), torch.ones(1, 3), torch.zeros(1), 0.1)


def test_as_published_a_linear_layer_to_128_and_no_augmentation():
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0, seed=0)
    objective = CMSC(encoder, CMSC.Config())
    assert isinstance(objective.projector, torch.nn.Linear) and objective.projector.out_features == 128
    assert objective.config.temperature == 0.1 and objective.view.steps == [] and objective.passes == 2
    batch = Batch(
        *torch.ones(2, 1, 64)[None], *torch.ones(2, 2, 1, dtype=torch.bool), *torch.zeros(3, 2).long()
    )
    with pytest.raises(ShapeError, match="expected the next window"):
        objective(batch, BatchRandom.for_batch(0, 0, batch))


def test_without_a_projection_the_embedding_itself_is_compared():
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0, seed=0).eval()
    objective = CMSC(encoder, CMSC.Config(projection=0))
    there = torch.ones(2, 1, dtype=torch.bool), torch.ones(2, 64, dtype=torch.bool)
    batch = Batch(torch.ones(2, 1, 64), *there, *torch.zeros(3, 2).long())
    found = objective.project(batch, BatchRandom.for_batch(0, 0, batch))
    expected = encoder(batch.signal, batch.lead_mask, batch.valid).pooled
    assert torch.equal(found, expected) and not list(objective.projector.parameters())
