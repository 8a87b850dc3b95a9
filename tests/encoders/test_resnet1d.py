import pytest
import torch
from torch import nn

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.errors import RecipeError
from ecgprior.record.record import LEADS


@pytest.mark.parametrize(
    ("size", "leads", "count", "dim"),
    [
        ("18", 1, 3_843_904, 512),
        ("18", 12, 3_848_832, 512),
        ("34", 12, 7_223_168, 512),
        ("50", 1, 15_954_240, 2048),
        ("101", 12, 28_266_624, 2048),
    ],
)
def test_sizes(size, leads, count, dim):
    with torch.device("meta"):
        encoder = build_encoder("resnet1d", {"size": size}, LEADS[:leads], 125)
    assert (n_parameters(encoder), encoder.dim) == (count, dim)


def test_depth_18_is_made_of_the_published_layers():
    stages = [(64, 64), (64, 128), (128, 256), (256, 512)]
    count = 7 * 64 + 2 * 64
    for a, b in stages:
        count += 3 * a * b + 3 * 3 * b * b + 4 * 2 * b + (a != b) * (a * b + 2 * b)
    assert count == 3_843_904


class Block(nn.Module):
    """A block as published, around the layers of ours."""

    def __init__(self, block):
        super().__init__()
        layers = [part for layer in block.branch for part in (layer.conv, layer.norm, nn.ReLU())]
        self.branch = nn.Sequential(*layers[:-1])
        past = block.shortcut
        self.past = nn.Identity() if past is None else nn.Sequential(past.conv, past.norm)

    def forward(self, x):
        return torch.relu(self.branch(x) + self.past(x))


@pytest.mark.parametrize("size", ["18", "50"])
def test_gives_what_the_published_network_gives(size):
    encoder = build_encoder("resnet1d", {"size": size}, ("I",), 125, seed=0).train()
    start = [encoder.stem.conv, encoder.stem.norm, nn.ReLU(), nn.MaxPool1d(3, 2, 1)]
    published = nn.Sequential(*start, *map(Block, encoder.blocks), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    signal = torch.randn(2, 1, 1250, generator=torch.Generator().manual_seed(0))
    found = encoder(signal, torch.ones(2, 1, dtype=torch.bool), torch.ones(2, 1250, dtype=torch.bool))
    assert found.tokens.shape == (2, 40, encoder.dim)
    torch.testing.assert_close(found.pooled, published(signal), rtol=1e-4, atol=1e-5)


def test_refuses_other_settings():
    with pytest.raises(RecipeError, match="'size'"):
        build_encoder("resnet1d", {"size": "0.5m"}, LEADS, 100)
