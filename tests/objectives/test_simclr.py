"""SimCLR against a naive double loop in NumPy float64: value and gradient."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder
from ecgprior.errors import ShapeError
from ecgprior.objectives._contrast import nt_xent
from ecgprior.objectives.simclr import SimCLR


def naive(first, second, temperature):
    """Equation 1 of Chen et al. 2020, one anchor and one comparison at a time."""
    views = [v / np.sqrt(sum(x * x for x in v)) for v in [*first, *second]]
    n = len(first)
    losses = []
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        below = sum(np.exp(np.dot(views[i], views[k]) / temperature) for k in range(2 * n) if k != i)
        losses.append(-np.log(np.exp(np.dot(views[i], views[partner]) / temperature) / below))
    return sum(losses) / len(losses)


def naive_gradient(first, second, temperature, step=1e-6):
    """Central differences of :func:`naive` with respect to `first`."""
    grad = np.zeros_like(first)
    for index in np.ndindex(first.shape):
        up, down = first.copy(), first.copy()
        up[index] += step
        down[index] -= step
        grad[index] = (naive(up, second, temperature) - naive(down, second, temperature)) / (2 * step)
    return grad


@pytest.mark.parametrize(("n", "dim", "temperature"), [(2, 3, 0.1), (5, 4, 0.1), (7, 16, 0.5)])
def test_value_and_gradient_equal_the_naive_loop(n, dim, temperature):
    rng = np.random.default_rng(n)
    first, second = rng.normal(size=(2, n, dim))
    a = torch.tensor(first, requires_grad=True)
    loss = nt_xent(a, torch.tensor(second), temperature)
    loss.backward()
    assert loss.item() == pytest.approx(naive(first, second, temperature), rel=1e-12)
    np.testing.assert_allclose(a.grad.numpy(), naive_gradient(first, second, temperature), atol=1e-7)


def test_the_scale_of_a_projection_does_not_matter():
    a, b = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(nt_xent(a, b, 0.1), nt_xent(3 * a, 0.2 * b, 0.1))


def test_equal_views_of_orthogonal_windows_cost_least():
    eye = torch.eye(4, dtype=torch.float64)
    assert nt_xent(eye, eye, 0.1) < nt_xent(eye, eye.roll(1, 0), 0.1)
    expected = -np.log(np.exp(10) / (np.exp(10) + 6))
    assert nt_xent(eye, eye, 0.1).item() == pytest.approx(expected, rel=1e-12)


def test_one_window_has_nothing_to_be_told_from():
    with pytest.raises(ShapeError, match="at least 2 windows"):
        nt_xent(torch.ones(1, 3), torch.ones(1, 3), 0.1)


def test_shapes_must_agree():
    with pytest.raises(ShapeError, match="two of shape"):
        nt_xent(torch.ones(3, 3), torch.ones(4, 3), 0.1)


def _objective(**settings):
    encoder = build_encoder("xresnet1d", {}, ("I", "II"), 100.0, seed=0)
    torch.manual_seed(0)
    return SimCLR(encoder, SimCLR.Config.check(settings))


def _batch(n=4, time=300):
    generator = torch.Generator().manual_seed(1)
    return Batch(
        signal=torch.randn(n, 2, time, generator=generator),
        lead_mask=torch.ones(n, 2, dtype=torch.bool),
        valid=torch.ones(n, time, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        fs=100.0,
    )


def test_the_projector_is_not_part_of_the_encoder():
    objective = _objective(projection=32)
    assert objective.head() is None
    assert objective.projector[-1].out_features == 32
    assert not any("projector" in name for name in objective.encoder.state_dict())


def test_without_augmentation_both_views_are_the_same():
    batch = _batch()
    loss = _objective(augmentations=()).eval()(batch, BatchRandom.for_batch(0, 0, batch))
    assert loss.terms["top1"] == 1.0


def test_view_seconds_crops_the_views(monkeypatch):
    objective, batch, seen = _objective(view_seconds=1.5), _batch(), []
    forward = objective.encoder.forward
    monkeypatch.setattr(
        objective.encoder, "forward", lambda s, m, v: (seen.append(s.shape[-1]), forward(s, m, v))[1]
    )
    objective(batch, BatchRandom.for_batch(0, 0, batch))
    assert seen == [150, 150]
