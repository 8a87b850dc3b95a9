"""What encoders of tokens share."""

import numpy as np
import pytest
import torch

from ecgprior.encoders._tokens import Layer, Layers, check_tokens, kept, keys, sine_positions
from ecgprior.encoders.base import share_of_gradient
from ecgprior.errors import ShapeError


def layers(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Layers(2, 8, 2, **settings).double()


def tokens(n=3, p=7, dim=8, seed=0):
    return torch.randn(n, p, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_only_kept_tokens_are_computed_and_the_answer_is_that_of_attention_with_a_mask():
    model, x = layers(), tokens()
    keep = torch.rand(3, 7, generator=torch.Generator().manual_seed(1)) < 0.4
    keep[2] = False
    plain = kept(x, keep)
    for layer in model:
        plain = layer(plain, keys(keep))
    torch.testing.assert_close(model(torch.where(keep[:, :, None], x, float("nan")), keep), kept(plain, keep))


def test_all_kept_is_no_mask():
    model, x = layers(), tokens()
    torch.testing.assert_close(model(x, torch.ones(3, 7, dtype=torch.bool)), model(x, None))


def naive_layer(layer, x):
    """One window's pre-norm layer, one head and one token at a time."""
    weight = lambda module: module.weight.detach().numpy()  # noqa: E731
    norm = lambda v: (v - v.mean()) / np.sqrt(v.var() + 1e-6)  # noqa: E731
    gelu = lambda v: torch.nn.functional.gelu(torch.from_numpy(v)).numpy()  # noqa: E731
    dim, size = x.shape[1], x.shape[1] // layer.heads
    q, k, v = (np.stack([weight(layer.qkv)[i * dim : (i + 1) * dim] @ norm(t) for t in x]) for i in range(3))
    out = x.copy()
    for i in range(len(x)):
        mixed = []
        for h in range(layer.heads):
            part = slice(h * size, (h + 1) * size)
            score = np.array([q[i, part] @ k[j, part] / np.sqrt(size) for j in range(len(x))])
            share = np.exp(score) / np.exp(score).sum()
            mixed.append(sum(s * v[j, part] for j, s in enumerate(share)))
        out[i] = x[i] + weight(layer.out) @ np.concatenate(mixed)
        out[i] += weight(layer.contract) @ gelu(weight(layer.expand) @ norm(out[i]))
    return out


def test_a_layer_equals_the_naive_loop():
    torch.manual_seed(0)
    layer, x = Layer(8, 2, bias=False).double(), tokens(1)
    np.testing.assert_allclose(
        layer(x, None)[0].detach().numpy(), naive_layer(layer, x[0].numpy()), atol=1e-12
    )
    assert all("bias" not in name for name, _ in layer.named_parameters())


def test_positions_are_sines_and_cosines():
    at = sine_positions(torch.zeros(5), 4, torch.float64)
    rates = [1.0, 10_000 ** (-1 / 2)]
    expected = [[*(np.sin(p * r) for r in rates), *(np.cos(p * r) for r in rates)] for p in range(5)]
    np.testing.assert_allclose(at.numpy(), expected, atol=1e-6)


def test_a_share_of_the_gradient():
    x = torch.tensor([2.0, -3.0], requires_grad=True)
    y = share_of_gradient(x, 0.1)
    assert torch.equal(y, x)
    y.square().sum().backward()
    torch.testing.assert_close(x.grad, 0.1 * 2 * x.detach())
    assert share_of_gradient(x, 1.0) is x


def test_other_shapes_are_refused():
    keep = torch.ones(2, 6, dtype=torch.bool)
    check_tokens(torch.zeros(2, 6, 4), keep, 4, rows=3)
    with pytest.raises(ShapeError, match="a multiple of 4"):
        check_tokens(torch.zeros(2, 6, 4), keep, 4, rows=4)
    with pytest.raises(ShapeError, match="keep: expected bool"):
        check_tokens(torch.zeros(2, 6, 4), keep[:, :5], 4)
