"""Every form of the loss against a naive double loop in float64: value and gradient."""

import math

import numpy as np
import pytest
import torch

from ecgprior.objectives._pair_losses import NEIGHBOUR_WEIGHT, Candidates, row_losses

FORMS = ("paper", "bounded", "mean_of_logs", "own_plus_neighbours", "soft")


def naive(form, logits, own, similar, negative, weight):
    """Mean over rows with a positive and a negative, one candidate at a time."""
    losses = []
    for i in range(len(logits)):
        row = [
            (logits[i][j], own[i][j], similar[i][j], negative[i][j], weight[i][j])
            for j in range(len(logits[i]))
        ]
        positives = [s for s, o, near, _, _ in row if o or near]
        negatives = [s for s, _, _, far, _ in row if far]
        if not positives or not negatives:
            continue
        p, n = sum(map(math.exp, positives)), sum(map(math.exp, negatives))
        if form == "paper":
            losses.append(math.log(n) - math.log(p))
        elif form == "bounded":
            losses.append(-math.log(p / (p + n)))
        elif form == "mean_of_logs":
            losses.append(-sum(math.log(math.exp(s) / (p + n)) for s in positives) / len(positives))
        elif form == "soft":
            pairs = [(1.0 if o else w, s) for s, o, near, far, w in row if o or near or far]
            below = sum(math.exp(s) for _, s in pairs)
            losses.append(
                -sum(w * math.log(math.exp(s) / below) for w, s in pairs) / sum(w for w, _ in pairs)
            )
        else:
            mine, near = [s for s, o, *_ in row if o], [s for s, _, m, _, _ in row if m]
            loss = sum(-math.log(math.exp(s) / (math.exp(s) + n)) for s in mine) / max(1, len(mine))
            if near:
                below = n + sum(map(math.exp, near))
                loss += NEIGHBOUR_WEIGHT * sum(-math.log(math.exp(s) / below) for s in near) / len(near)
            losses.append(loss)
    return sum(losses) / len(losses)


def given(seed=0, rows=6, candidates=11):
    """Random masks; row 0 has no negative, row 1 no own view, row 2 no positive at all, row 3 no similar one."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(rows, candidates))
    role = rng.integers(0, 4, (rows, candidates))
    role[:, :3] = [1, 2, 3]
    role[0][role[0] == 3] = 0
    role[1][role[1] == 1] = 0
    role[2][(role[2] == 1) | (role[2] == 2)] = 0
    role[3][role[3] == 2] = 0
    return logits, role == 1, role == 2, role == 3, rng.uniform(size=(rows, candidates))


def mean_of(form, logits, masks):
    each, kept = row_losses(form, Candidates(logits, *(torch.from_numpy(mask) for mask in masks)))
    return each.sum() / kept.sum(), kept


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("form", FORMS)
def test_value_and_gradient_equal_the_naive_loop(form, seed):
    values, *masks = given(seed)
    logits = torch.tensor(values, requires_grad=True)
    loss, kept = mean_of(form, logits, masks)
    loss.backward()
    assert kept.tolist() == [False, True, False, True, True, True]
    assert loss.item() == pytest.approx(naive(form, values, *masks), rel=1e-12)
    step = 1e-6
    for index in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[index] += step
        down[index] -= step
        slope = (naive(form, up, *masks) - naive(form, down, *masks)) / (2 * step)
        assert logits.grad[index].item() == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_to_compare_is_zero_with_a_finite_gradient(form):
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    each, kept = row_losses(form, Candidates(logits, nothing, nothing, nothing, nothing.float()))
    each.sum().backward()
    assert not kept.any() and (each == 0).all() and (logits.grad == 0).all()


def test_only_the_papers_form_has_no_lower_bound():
    far = torch.tensor([[1000.0, -1000.0]])
    own, negative = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    losses = {
        form: row_losses(form, Candidates(far, own, ~(own | negative), negative, own.float()))[0]
        for form in FORMS
    }
    assert losses.pop("paper").item() == -2000
    assert all(loss.item() >= 0 for loss in losses.values())


def test_one_easy_positive_satisfies_the_log_of_a_sum_but_not_the_mean_of_logs():
    masks = [np.array([m], bool) for m in ([1, 0, 0], [0, 1, 0], [0, 0, 1])]
    logits = torch.tensor([[10.0, -10.0, -5.0]])
    weight = [np.ones((1, 3), np.float32)]
    assert mean_of("bounded", logits, masks + weight)[0] < 1e-5
    assert mean_of("mean_of_logs", logits, masks + weight)[0] > 9
