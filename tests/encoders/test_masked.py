import numpy as np
import pytest
import torch
from torch import nn

from ecgprior.encoders._masked import MaskedBatchNorm, MaskedGroupNorm, halve, mean_over, strided

LENGTHS = (5, 9, 1)


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(2.0, 3.0, (3, 4, 9))
    mask = np.arange(9) < np.array(LENGTHS)[:, None]
    return x, mask, rng.normal(size=4), rng.normal(size=4)


def with_weights(norm, gain, shift):
    norm = norm.double()
    norm.weight.data, norm.bias.data = torch.tensor(gain), torch.tensor(shift)
    return norm


def test_batch_norm_equals_the_definition_over_valid_samples():
    x, mask, gain, shift = inputs()
    norm = with_weights(MaskedBatchNorm(4), gain, shift)
    got = norm(torch.tensor(x), torch.tensor(mask)).detach().numpy()
    flat = np.concatenate([x[i, :, :n] for i, n in enumerate(LENGTHS)], axis=1)
    mean, var = flat.mean(1), flat.var(1)
    expected = (x - mean[:, None]) / np.sqrt(var + norm.eps)[:, None] * gain[:, None] + shift[:, None]
    np.testing.assert_allclose(got, np.where(mask[:, None], expected, 0), rtol=1e-12)
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * mean)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * flat.var(1, ddof=1))
    assert int(norm.num_batches_tracked) == 1


def test_group_norm_equals_the_definition_over_valid_samples():
    x, mask, gain, shift = inputs()
    norm = with_weights(MaskedGroupNorm(2, 4), gain, shift)
    got = norm(torch.tensor(x), torch.tensor(mask)).detach().numpy()
    for i, n in enumerate(LENGTHS):
        for group in (slice(0, 2), slice(2, 4)):
            part = x[i, group, :n]
            expected = (part - part.mean()) / np.sqrt(part.var() + norm.eps)
            expected = expected * gain[group, None] + shift[group, None]
            np.testing.assert_allclose(got[i, group, :n], expected, rtol=1e-10, atol=1e-12)
        assert (got[i, :, n:] == 0).all()


@pytest.mark.parametrize(
    ("masked", "plain"),
    [(MaskedBatchNorm(4), nn.BatchNorm1d(4)), (MaskedGroupNorm(2, 4), nn.GroupNorm(2, 4))],
)
def test_a_full_mask_equals_no_mask_equals_pytorch(masked, plain):
    x = torch.tensor(inputs()[0])
    masked, plain = masked.double(), plain.double()
    everything = torch.ones(3, 9, dtype=torch.bool)
    for training in (True, False):
        masked.train(training), plain.train(training)
        expected = plain(x)
        torch.testing.assert_close(masked(x, everything), expected)
        if not training:
            torch.testing.assert_close(masked(x), expected)
    assert masked.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("norm", [MaskedBatchNorm(4), MaskedGroupNorm(2, 4)])
def test_gradients_are_those_of_finite_differences(norm):
    x, mask, gain, shift = inputs()
    norm = with_weights(norm, gain, shift)
    signal = torch.tensor(x, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: norm(s, torch.tensor(mask)), (signal,), eps=1e-6, atol=1e-6)
    norm(signal, torch.tensor(mask)).square().sum().backward()
    assert (signal.grad[0, :, 5:] == 0).all()


def test_halve_pairs_an_odd_last_sample_with_zero():
    x = torch.tensor([[[1.0, 3.0, 5.0]]])
    assert halve(x).tolist() == [[[2.0, 2.5]]]
    assert halve(torch.tensor([[[1.0, 3.0, 5.0, 0.0]]])).tolist() == [[[2.0, 2.5]]]


def test_strided_masks_and_means():
    mask = torch.tensor([[True] * 5 + [False] * 2])
    assert strided(mask, 2).tolist() == [[True, True, True, False]]
    assert strided(None, 2) is None
    tokens = torch.tensor([[[1.0], [3.0], [9.0]]])
    assert mean_over(tokens, torch.tensor([[True, True, False]])).tolist() == [[2.0]]
    assert mean_over(tokens, torch.zeros(1, 3, dtype=torch.bool)).tolist() == [[0.0]]
