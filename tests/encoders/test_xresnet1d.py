import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.errors import RecipeError
from ecgprior.record.record import LEADS


@pytest.mark.parametrize(
    ("size", "count", "dim"),
    [
        ("0.3m", 267_040, 128),
        ("0.5m", 513_216, 192),
        ("1m", 872_400, 256),
        ("18", 6_302_080, 512),
        ("50", 18_486_144, 2048),
        ("101", 33_021_824, 2048),
    ],
)
def test_sizes(size, count, dim):
    encoder = build_encoder("xresnet1d", {"size": size}, LEADS, 500, seed=0)
    assert (n_parameters(encoder), encoder.dim) == (count, dim)


@pytest.mark.parametrize("kernel", [3, 7])
def test_kernels(kernel):
    encoder = build_encoder("xresnet1d", {"size": "0.3m", "kernel": kernel}, ("II",), 100, seed=0).eval()
    assert encoder.stem[0].conv.weight.shape == (16, 1, kernel)
    signal = torch.zeros(1, 1, 97)
    out = encoder(signal, torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 97, dtype=torch.bool))
    assert out.tokens.shape == (1, 4, 128)  # one a 32 samples, the last begun


def test_refuses_other_settings():
    with pytest.raises(RecipeError, match="odd"):
        build_encoder("xresnet1d", {"kernel": 4}, LEADS, 100)
    with pytest.raises(RecipeError, match="'size'"):
        build_encoder("xresnet1d", {"size": "34"}, LEADS, 100)
    with pytest.raises(RecipeError, match="Did you mean 'kernel'"):
        build_encoder("xresnet1d", {"kernal": 5}, LEADS, 100)
