import pytest
import torch
import torch.nn.functional as F

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.record.record import LEADS


@pytest.mark.parametrize(("size", "count", "dim"), [("0.4m", 399_264, 80), ("paper", 6_391_184, 320)])
def test_sizes(size, count, dim):
    with torch.device("meta"):
        encoder = build_encoder("pclr", {"size": size}, LEADS, 409.6)
    assert (n_parameters(encoder), encoder.dim) == (count, dim)


def test_the_published_widths_make_the_published_count():
    widths, count = (64, 128, 196, 256, 320), 16 * 12 * 64 + 2 * 64
    for a, b in zip(widths, widths[1:]):
        count += 16 * a * b + 16 * b * b + a * b + 4 * b
    assert count == 6_391_184 and count + 2 * (320 * 320 + 320) == 6_596_624  # with the projector


def same(x, weight, stride=1):
    """A convolution padded as TensorFlow pads: as many outputs as strides begin, half of the zeros before."""
    kernel, length = weight.shape[2], x.shape[2]
    lacking = max(0, (-(-length // stride) - 1) * stride + kernel - length)
    return F.conv1d(F.pad(x, (lacking // 2, lacking - lacking // 2)), weight, stride=stride)


def naive(encoder, x):
    def normed(layer, x):
        mean, var = x.mean((0, 2), keepdim=True), x.var((0, 2), unbiased=False, keepdim=True)
        return (x - mean) / (var + 1e-3).sqrt() * layer.weight[:, None] + layer.bias[:, None]

    x = y = F.relu(normed(encoder.norm, same(x, encoder.stem.conv.weight)))
    for unit in encoder.units:
        x = F.relu(normed(unit.first_norm, same(x, unit.first.conv.weight)))
        y = same(x, unit.second.conv.weight, 4) + F.conv1d(F.max_pool1d(y, 4), unit.past.weight)
        x = F.relu(normed(unit.second_norm, y))
    return x


def test_4096_samples_give_what_the_published_network_gives():
    encoder = build_encoder("pclr", {}, LEADS, 409.6, seed=0).train()
    signal = torch.randn(3, 12, 4096, generator=torch.Generator().manual_seed(0))
    found = encoder(signal, torch.ones(3, 12, dtype=torch.bool), torch.ones(3, 4096, dtype=torch.bool))
    expected = naive(encoder, signal)
    assert found.tokens.shape == (3, 16, 80)
    torch.testing.assert_close(found.tokens.transpose(1, 2), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.pooled, expected.mean(2), rtol=1e-3, atol=1e-4)
