"""S4D against the equations in complex numbers and plain loops; what holds for every encoder is in tests/every."""

import numpy as np
import pytest
import torch

from ecgprior.encoders import s4d
from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders.s4d import long_convolution
from ecgprior.record.record import LEADS


def kernel(init="lin", dim=3, state=8):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return s4d._Kernel(dim, state, init).double()


def by_the_equations(one, length):
    """K(l) = 2 Re Σ C (exp(Δ A) − 1) / A · exp(l Δ A), (direction, D, length)."""
    step = np.exp(one.log_step.detach().numpy())[:, None]
    damping, turn = (p.detach().numpy().reshape(one.shape) for p in (one.log_damping.exp(), one.turn))
    a = -damping + 1j * turn
    weight = one.weight.detach().numpy()
    c = (weight[:, 0] + 1j * weight[:, 1]) * (np.exp(step * a) - 1) / a
    found = np.zeros((2, one.shape[0], length))
    for lag in range(length):
        found[:, :, lag] = 2 * (c * np.exp(lag * step * a)).sum(2).real
    return found


@pytest.mark.parametrize("init", ["lin", "inv"])
def test_the_real_kernel_is_that_of_the_complex_equations(init):
    one = kernel(init)
    forwards, backwards = (k.detach().numpy() for k in one(40))
    expected = by_the_equations(one, 40)
    np.testing.assert_allclose(forwards, expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(backwards, expected[1], rtol=1e-10, atol=1e-12)
    assert torch.equal(one(7)[0], one(40)[0][:, :7])


def test_poles_start_as_in_the_paper():
    n = np.arange(4)
    for init, turn in (("lin", np.pi * n), ("inv", 8 / np.pi * (8 / (2 * n + 1) - 1))):
        one = kernel(init)
        np.testing.assert_allclose(one.turn.detach().view(3, 4), np.tile(turn, (3, 1)), rtol=1e-6)
        np.testing.assert_allclose(one.log_damping.exp().detach(), 0.5, rtol=1e-6)
        step = one.log_step.exp().detach()
        assert ((step >= 0.001) & (step <= 0.1)).all()


@pytest.mark.parametrize("length", [1, 2, 9, 64])
def test_long_convolution_is_the_plain_double_loop(length, monkeypatch):
    rng = np.random.default_rng(length)
    x, f, b = (rng.normal(size=shape) for shape in ((2, 3, length), (3, length), (3, length)))
    expected = np.zeros_like(x)
    for i in range(length):
        for j in range(length):
            expected[:, :, i] += (f[:, i - j] if j <= i else b[:, j - i - 1]) * x[:, :, j]
    given = [torch.from_numpy(part) for part in (x, f, b)]
    np.testing.assert_allclose(long_convolution(*given, 3), expected, atol=1e-10)
    monkeypatch.setattr(s4d, "traced", lambda: True)
    np.testing.assert_allclose(long_convolution(*given, 3), expected, atol=1e-10)


def test_gradients_are_those_of_differences():
    x = torch.randn(
        1, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    one = kernel(state=4)
    parameters = tuple(one.parameters())

    def value(x, *_):
        return long_convolution(x, *one(6), 3)

    assert torch.autograd.gradcheck(value, (x, *parameters))


def test_it_looks_at_the_whole_window_in_both_directions():
    encoder = build_encoder("s4d", {"size": "0.2m"}, LEADS, 100.0, seed=0).eval()
    signal = torch.randn(1, 12, 800, generator=torch.Generator().manual_seed(0))
    lead_mask, valid = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, 800, dtype=torch.bool)
    plain = encoder(signal, lead_mask, valid).tokens
    signal[:, :, 400] += 3.0
    moved = (encoder(signal, lead_mask, valid).tokens - plain).abs().amax(2)[0]
    assert moved.shape == (200,) and moved.argmax() in (99, 100, 101)
    assert moved[0] > 1e-5 and moved[-1] > 1e-5


def test_sizes_and_settings():
    assert n_parameters(build_encoder("s4d", {}, LEADS, 100.0)) == pytest.approx(0.5e6, rel=0.05)
    for stride in (1, 2, 4, 8):
        encoder = build_encoder(
            "s4d", {"size": "0.2m", "stride": stride, "init": "inv"}, ("II",), 100.0
        ).eval()
        inputs = (
            torch.zeros(2, 1, 50),
            torch.ones(2, 1, dtype=torch.bool),
            torch.ones(2, 50, dtype=torch.bool),
        )
        assert encoder(*inputs).tokens.shape == (2, -(-50 // stride), 128)
        assert encoder.token_valid(inputs[2]).shape == (2, -(-50 // stride))


def test_weight_decay_passes_poles_and_steps_over():
    one = kernel()
    assert {name for name, p in one.named_parameters() if p.ndim < 2} == {"log_damping", "turn", "log_step"}
