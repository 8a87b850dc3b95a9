"""Delineation against a naive triple loop in NumPy float64: value and gradient."""

import math

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders.base import Embedding, LeadEncoder
from ecgprior.errors import RecipeError, ShapeError
from ecgprior.objectives.delineate import Delineate
from ecgprior.recipe import Part

FS, LEADS, TOKENS, STRIDE = 100.0, 2, 6, 4
TIME = TOKENS * STRIDE - 1  # the last token stands for three samples


class Through(LeadEncoder):
    """Lead tokens are what the test says; the head is the identity."""

    Config = Part
    lead_stride = STRIDE

    def __init__(self, dim):
        super().__init__(Part(), ("I", "II"), FS)
        self.dim = dim
        self.given = torch.zeros(0)

    def forward(self, signal, lead_mask, valid):
        return Embedding(self.given.mean(1), self.given.mean((1, 2)))

    def token_valid(self, valid):
        return valid[:, ::STRIDE]

    def lead_tokens(self, signal, lead_mask, valid):
        return self.given


def made(per_token, **settings):
    objective = Delineate(
        Through(4 * per_token), Delineate.Config.check({"per_token": per_token, **settings})
    ).double()
    with torch.no_grad():
        objective.classifier.weight.copy_(torch.eye(4 * per_token))
        objective.classifier.bias.zero_()
    return objective.train()


def batch_of(n=3, seed=0):
    rng = np.random.default_rng(seed)
    waves = np.repeat(rng.integers(-1, 4, (n, LEADS, 8)), 3, axis=2)[:, :, :TIME].astype(np.int8)
    lead_mask, valid = np.ones((n, LEADS), bool), np.ones((n, TIME), bool)
    if n == 3:
        lead_mask[1, 0], valid[2, 17:] = False, False
    return Batch(
        signal=torch.zeros(n, LEADS, TIME),
        lead_mask=torch.from_numpy(lead_mask),
        valid=torch.from_numpy(valid),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        columns={"waves": torch.from_numpy(waves), "simulated": torch.tensor([False, False, True][:n])},
        fs=FS,
    )


def naive(
    logits, batch, per_token, class_weight=(1, 1, 1, 1), boundary_weight=1.0, boundary_ms=20.0, guard_ms=20.0
):
    """Each known sample: minus the log of its class' probability at the moment that it belongs to."""
    waves, total, count = batch.columns["waves"].numpy(), 0.0, 0.0
    near = lambda b, lead, t, reach: any(  # noqa: E731
        waves[b, lead, i] != waves[b, lead, i + 1] and i + 1 - reach <= t <= i + reach
        for i in range(TIME - 1)
    )
    for b in range(len(waves)):
        for lead in range(LEADS):
            for t in range(TIME):
                wave = waves[b, lead, t]
                if wave < 0 or not batch.lead_mask[b, lead] or not batch.valid[b, t]:
                    continue
                if batch.columns["simulated"][b] and near(b, lead, t, round(guard_ms / 1000 * FS)):
                    continue
                token, moment = t // STRIDE, (t % STRIDE) // (STRIDE // per_token)
                z = logits[b, lead, token, 4 * moment : 4 * moment + 4]
                weight = class_weight[wave]
                if near(b, lead, t, round(boundary_ms / 1000 * FS)):
                    weight *= boundary_weight
                total += weight * (math.log(sum(math.exp(v) for v in z)) - z[wave])
                count += weight
    return total / count


SETTINGS = [
    {},
    {"guard_ms": 0.0},
    {"class_weight": (1.0, 3.0, 0.5, 2.0), "guard_ms": 10.0},
    {"boundary_weight": 4.0, "boundary_ms": 10.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("per_token", [1, 2, 4])
def test_value_and_gradient_equal_the_naive_loop(settings, per_token):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3, LEADS, TOKENS, 4 * per_token))
    objective, batch = made(per_token, **settings), batch_of()
    objective.encoder.given = torch.tensor(logits, requires_grad=True)
    loss = objective(batch, BatchRandom.for_batch(0, 0, batch)).total
    loss.backward()
    assert loss.item() == pytest.approx(naive(logits, batch, per_token, **settings), rel=1e-10)
    step, found = 1e-6, objective.encoder.given.grad.numpy()
    for index in rng.permutation(list(np.ndindex(logits.shape)))[:40]:
        index, up, down = tuple(index), logits.copy(), logits.copy()
        up[index] += step
        down[index] -= step
        slope = (naive(up, batch, per_token, **settings) - naive(down, batch, per_token, **settings)) / (
            2 * step
        )
        assert found[index] == pytest.approx(slope, abs=1e-8)
    assert (found[1, 0] == 0).all(), "an absent lead costs nothing"


def test_a_moment_over_a_boundary_learns_half_of_each():
    objective, batch = made(1), batch_of(1)
    waves = torch.full((1, LEADS, TIME), -1, dtype=torch.int8)
    waves[0, 0, :4] = torch.tensor([0, 0, 2, 2])
    batch = batch.with_(columns={"waves": waves, "simulated": torch.tensor([False])})
    objective.encoder.given = torch.zeros(1, LEADS, TOKENS, 4, dtype=torch.float64, requires_grad=True)
    objective(batch, BatchRandom.for_batch(0, 0, batch)).total.backward()
    torch.testing.assert_close(
        objective.encoder.given.grad[0, 0, 0], torch.tensor([-0.25, 0.25, -0.25, 0.25], dtype=torch.float64)
    )


def test_a_batch_in_which_nothing_is_known_costs_nothing_and_has_a_gradient():
    objective, batch = made(1), batch_of()
    batch = batch.with_(columns={"waves": torch.full((3, LEADS, TIME), -1, dtype=torch.int8)})
    objective.encoder.given = torch.randn(3, LEADS, TOKENS, 4, dtype=torch.float64, requires_grad=True)
    loss = objective(batch, BatchRandom.for_batch(0, 0, batch)).total
    loss.backward()
    assert loss.item() == 0 and (objective.encoder.given.grad == 0).all()


def test_refusals():
    with pytest.raises(RecipeError, match="divisor of the encoder's 4 samples a token, got 3"):
        made(3)
    with pytest.raises(RecipeError, match="no number below 0"):
        made(1, class_weight=(1, 1, 1, -1))
    batch = batch_of().with_(columns={})
    with pytest.raises(ShapeError, match="a column 'waves'"):
        made(1)(batch, BatchRandom.for_batch(0, 0, batch))
