"""ECG-JEPA against naive loops in NumPy float64: loss, gradient, moving average; and its blocks."""

import math

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.errors import RecipeError
from ecgprior.objectives._token_masks import visible_blocks
from ecgprior.objectives.ecg_jepa import ECGJEPA, hidden_l1
from ecgprior.record.record import LEADS


def naive(guess, target, hidden):
    each = [abs(g - t) for b, p in zip(*np.nonzero(hidden)) for g, t in zip(guess[b, p], target[b, p])]
    return sum(each) / len(each)


def test_value_and_gradient_equal_the_naive_loop():
    rng = np.random.default_rng(0)
    guess, target = rng.normal(size=(2, 3, 5, 4))
    hidden = rng.uniform(size=(3, 5)) < 0.6
    given = torch.tensor(guess, requires_grad=True)
    loss = hidden_l1(given, torch.tensor(target), torch.tensor(hidden))
    loss.backward()
    assert loss.item() == pytest.approx(naive(guess, target, hidden), rel=1e-12)
    for index in np.ndindex(guess.shape):
        up, down = guess.copy(), guess.copy()
        up[index] += 1e-6
        down[index] -= 1e-6
        slope = (naive(up, target, hidden) - naive(down, target, hidden)) / 2e-6
        assert given.grad[index].item() == pytest.approx(slope, abs=1e-8)


def random(n, step=0):
    return BatchRandom(0, step, torch.arange(n))


def runs(mask):
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


def test_blocks_leave_15_to_25_percent_and_are_at_least_10_long():
    n = 64
    present = torch.ones(n, 200, dtype=torch.bool)
    present[::2, 150:] = False
    visible = visible_blocks(present, 0.15, 0.25, 10, random(n)).numpy()
    shares = []
    for row, there in zip(visible, present.numpy()):
        length = int(there.sum())
        assert not row[length:].any()
        assert math.ceil(0.15 * length) <= row.sum() <= math.ceil(0.25 * length)
        assert min(runs(~row[:length])) >= 10
        shares.append(row.sum() / length)
    assert np.std(shares) > 0.02 and len({tuple(row) for row in visible}) == n


@pytest.mark.parametrize("length", [0, 1, 2, 5, 12])
def test_short_windows_keep_something_and_hide_something(length):
    present = (torch.arange(14) < length).expand(8, -1)
    visible = visible_blocks(present, 0.15, 0.25, 10, random(8))
    assert not (visible & ~present).any()
    expected = min(length, max(1, math.ceil(0.25 * length)))
    assert ((visible.sum(1) >= min(length, 1)) & (visible.sum(1) <= expected)).all()


def objective(size="0.5m", **settings):
    encoder = build_encoder("vit", {"size": size, "patch": 5}, ("I", "II"), 100.0, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ECGJEPA(
            encoder, ECGJEPA.Config.check({"width": 24, "layers": 1, "heads": 2} | settings)
        ).double()


def batch():
    signal = torch.randn(3, 2, 300, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Batch(
        signal=signal,
        lead_mask=torch.ones(3, 2, dtype=torch.bool),
        valid=torch.arange(300) < torch.tensor([300, 300, 222])[:, None],
        row=torch.arange(3),
        start=torch.zeros(3, dtype=torch.int64),
        patient=torch.arange(3),
        fs=100.0,
    )


def test_the_target_follows_and_its_momentum_rises_in_a_straight_line():
    model = objective()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.add_(torch.randn_like(parameter))
    old = {key: value.numpy().copy() for key, value in model.target.encoder.state_dict().items()}
    now = {key: value.numpy() for key, value in model.encoder.state_dict().items()}
    for progress, momentum in ((0.0, 0.998), (0.5, 0.99875), (1.0, 0.9995)):
        model.after_step(progress)
        old = {key: momentum * old[key] + (1 - momentum) * now[key] for key in old}
        for key, value in model.target.encoder.state_dict().items():
            np.testing.assert_allclose(value.numpy(), old[key], rtol=1e-12, atol=1e-15)


def test_no_gradient_reaches_the_target_and_it_is_saved_with_the_run():
    model, given = objective().train(), batch()
    model(given, BatchRandom.for_batch(0, 0, given)).total.backward()
    assert not any(p.requires_grad for p in model.target.parameters()) and not model.target.encoder.training
    assert all(p.grad is not None for p in model.encoder.parameters())
    assert any(key.startswith("target.encoder.") for key in model.state_dict())
    assert not any("target" in key for key in model.encoder.state_dict())


def test_the_encoder_sees_the_visible_tokens_only():
    model, given = objective().eval(), batch()
    inside, seen = model.encoder.contextualise, []
    model.encoder.contextualise = lambda x, keep: (seen.append((x, keep)), inside(x, keep))[1]
    model(given, BatchRandom.for_batch(0, 0, given))
    share = seen[0][1].sum(1) / torch.tensor([60, 60, 44])
    assert ((share >= 0.15) & (share <= 0.28)).all()


def test_the_predictor_of_vit_s_is_half_as_wide_and_has_no_bias():
    with torch.device("meta"):
        model = ECGJEPA(build_encoder("vit", {"size": "s"}, LEADS, 500.0), ECGJEPA.Config())
    layer = 12 * 192**2 + 2 * 192
    assert n_parameters(model.predictor) == 2 * 384 * 192 + 192 + 8 * layer + 192
    assert not [name for name, _ in model.predictor.named_parameters() if name.endswith("bias")]
    assert n_parameters(model) - n_parameters(model.predictor) == 14_277_888


def test_bad_settings_are_refused():
    with pytest.raises(RecipeError, match="least_visible must not be above most_visible"):
        ECGJEPA.Config.check({"least_visible": 0.5})
    with pytest.raises(RecipeError, match="an even multiple of heads = 5, got 24"):
        objective(heads=5)
