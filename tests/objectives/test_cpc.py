"""CPC against a naive loop in NumPy float64: value and gradient."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder
from ecgprior.errors import RecipeError
from ecgprior.objectives.cpc import CPC, later_among_others


def naive(prediction, tokens, at, n, draw):
    """One prediction and one distractor at a time; `draw` chooses among all tokens but the true one."""
    losses = []
    for b, i in np.ndindex(prediction.shape[:2]):
        true = at[b, i]
        if true >= n[b]:
            continue
        others = [j for j in range(n[b]) if j != true]
        scores = [prediction[b, i] @ tokens[b, true]]
        scores += [prediction[b, i] @ tokens[b, others[int(u * len(others))]] for u in draw[b, i]]
        losses.append(-np.log(np.exp(scores[0]) / sum(np.exp(s) for s in scores)))
    return sum(losses) / len(losses)


def ours(prediction, tokens, at, n, draw):
    logits = later_among_others(prediction, tokens, at, n[:, None], draw)[at < n[:, None]]
    return torch.nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))


def test_value_and_gradient_equal_the_naive_loop():
    rng = np.random.default_rng(0)
    prediction, tokens = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 6, 4))
    n, at, draw = np.array([6, 4]), np.arange(6)[None].repeat(2, 0) + 2, rng.uniform(size=(2, 6, 5))
    given = [torch.tensor(x, requires_grad=True) for x in (prediction, tokens)]
    loss = ours(*given, torch.tensor(at), torch.tensor(n), torch.tensor(draw))
    loss.backward()
    assert loss.item() == pytest.approx(naive(prediction, tokens, at, n, draw), rel=1e-12)
    for which, tensor in enumerate(given):
        for index in np.ndindex(tokens.shape):
            moved = []
            for step in (1e-6, -1e-6):
                arrays = [prediction.copy(), tokens.copy()]
                arrays[which][index] += step
                moved.append(naive(*arrays, at, n, draw))
            assert tensor.grad[index].item() == pytest.approx((moved[0] - moved[1]) / 2e-6, abs=1e-7)


def objective(encoder="cpc", leads=("I", "II"), **settings):
    built = build_encoder(encoder, {} if encoder == "cpc" else {"dropout": 0.0}, leads, 100.0, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CPC(built, CPC.Config.check(settings)).double().eval()


def batch(valid=(320, 170), n_leads=2):
    signal = torch.randn(2, n_leads, 320, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Batch(
        signal=signal,
        lead_mask=torch.ones(2, n_leads, dtype=torch.bool),
        valid=torch.arange(320) < torch.tensor(valid)[:, None],
        row=torch.arange(2),
        start=torch.zeros(2, dtype=torch.int64),
        patient=torch.arange(2),
        fs=100.0,
    )


def test_the_whole_objective_equals_the_naive_loop():
    model, given = objective(steps=3, n_distractors=7), batch()
    rng = BatchRandom.for_batch(0, 0, given)
    loss = model(given, rng).total
    inputs = given.signal, given.lead_mask, given.valid
    tokens, whole = model.encoder.patchify(*inputs), model.encoder(*inputs)
    prediction = model.predict[0](whole.tokens).detach().numpy()
    n, at = model.encoder.token_valid(given.valid).sum(1).numpy(), np.arange(20)[None].repeat(2, 0) + 3
    draw = rng.uniform("distractors 3", 20, 7).double().numpy()
    assert n.tolist() == [20, 10]
    assert loss.item() == pytest.approx(naive(prediction, tokens.detach().numpy(), at, n, draw), rel=1e-10)


def test_each_step_has_its_own_map_without_bias():
    assert [layer.bias for layer in objective(steps=5, each_step=True).predict] == [None] * 5
    assert len(objective(steps=5).predict) == 1


def test_a_window_without_room_says_nothing():
    model = objective(steps=5)
    short = batch((80, 64))
    loss = model(short, BatchRandom.for_batch(0, 0, short))
    assert loss.total == 0 and loss.terms["right"] == 0
    one = batch((320, 64))
    assert model(one, BatchRandom.for_batch(0, 0, one)).total > 0


def test_an_encoder_that_is_not_causal_sees_the_past_only():
    model, given = objective("transformer", steps=2), batch((320, 320))
    tokens, seen = model.encoder.contextualise, []
    model.encoder.contextualise = lambda x, keep: (seen.append(keep), tokens(x, keep))[1]
    model(given, BatchRandom.for_batch(0, 0, given))
    ends = seen[0].sum(1)
    assert ((ends >= 1) & (ends <= 18)).all() and all(row[:end].all() for row, end in zip(seen[0], ends))


def test_a_token_a_lead_is_refused():
    with pytest.raises(RecipeError, match="in the order of time: expected an encoder of all leads together"):
        CPC(build_encoder("st_vit", {}, ("I", "II"), 100.0, seed=0), CPC.Config())
