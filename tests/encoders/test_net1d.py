import pytest
import torch
import torch.nn.functional as F

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.record.record import LEADS


@pytest.mark.parametrize(
    ("size", "theirs", "norms", "dim", "stride"),
    [
        ("small", 447_792, 4_608, 256, 128),
        ("medium", 30_654_000, 66_368, 1024, 256),
        ("large", 296_623_360, 322_048, 2048, 1024),
    ],
)
def test_sizes_are_the_published_ones_without_the_norms_that_nothing_reads(size, theirs, norms, dim, stride):
    with torch.device("meta"):
        encoder = build_encoder("net1d", {"size": size}, ("I",), 500)
    assert (n_parameters(encoder), encoder.dim, encoder.stride) == (theirs - norms, dim, stride)
    unused = 2 * encoder.stem.out_channels  # scale and shift before each convolution
    for block in encoder.blocks:
        unused += 2 * (block.narrow.in_channels + block.time.in_channels + block.widen.in_channels)
    assert unused == norms


def same(x, conv, stride=1):
    """A convolution padded so that as many outputs as strides begin, half of the zeros before."""
    lacking = max(0, (-(-x.shape[2] // stride) - 1) * stride + conv.kernel_size[0] - x.shape[2])
    x = F.pad(x, (lacking // 2, lacking - lacking // 2))
    return F.conv1d(x, conv.weight, conv.bias, stride, groups=conv.groups)


def naive(encoder, x):
    def swish(x):
        return x / (1 + torch.exp(-x))

    x = swish(same(x, encoder.stem, 2))
    for i, block in enumerate(encoder.blocks):
        stride = block.time.stride[0]
        y = same(x if i == 0 else swish(x), block.narrow)
        y = same(swish(same(swish(y), block.time, stride)), block.widen)
        gate = 1 / (1 + torch.exp(-block.excite(swish(block.squeeze(y.mean(2))))))
        if stride == 2:
            x = F.max_pool1d(F.pad(x, (0, 1)), 2)
        more = y.shape[1] - x.shape[1]
        zeros = x.new_zeros(len(x), more, x.shape[2])
        x = y * gate[:, :, None] + torch.cat([zeros[:, : more // 2], x, zeros[:, more // 2 :]], 1)
    return x


@pytest.mark.parametrize("length", [5000, 1331])
def test_gives_what_the_published_network_gives(length):
    encoder = build_encoder("net1d", {}, ("I",), 500, seed=0).eval()
    signal = torch.randn(2, 1, length, generator=torch.Generator().manual_seed(0))
    found = encoder(signal, torch.ones(2, 1, dtype=torch.bool), torch.ones(2, length, dtype=torch.bool))
    expected = naive(encoder, signal)
    assert found.tokens.shape[1] == -(-length // 128)
    torch.testing.assert_close(found.tokens.transpose(1, 2), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.pooled, expected.mean(2), rtol=1e-4, atol=1e-5)


def test_groups_hold_as_many_channels_as_published_and_only_the_stem_sees_the_leads():
    few, many = (build_encoder("net1d", {}, leads, 500, seed=0) for leads in (("I",), LEADS))
    assert n_parameters(many) - n_parameters(few) == 11 * 16 * 32
    assert {block.widen.out_channels // block.time.groups for block in few.blocks} == {8}
    assert not any(isinstance(m, torch.nn.BatchNorm1d | torch.nn.Dropout) for m in few.modules())
