import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders._load import load
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


def weakest(leads, n_filters=8):
    settings = {"size": "0.3m", "weakest_lead": n_filters}
    return build_encoder("xresnet1d", settings, leads, 100, seed=0).eval()


def test_weakest_lead_by_hand():
    """Filters that pass the signal as it is: root mean squares of 1, 0.1 and 0.01 mV are 0, -1 and -2 decades."""
    encoder = weakest(("I", "II", "V1"), n_filters=2)
    assert encoder.dim == 130
    with torch.no_grad():
        encoder.weakest.conv.weight.copy_(torch.tensor([[[0.0, 0, 1, 0, 0]], [[0.0, 0, 10, 0, 0]]]))
    signal = torch.tensor([1.0, 0.1, 0.01])[:, None].repeat(1, 128)[None]
    valid = torch.ones(1, 128, dtype=torch.bool)
    everything = encoder(signal, torch.tensor([[True, True, True]]), valid)
    torch.testing.assert_close(everything.pooled[:, -2:], torch.tensor([[-2.0, -1.0]]), atol=3e-3, rtol=0)
    torch.testing.assert_close(everything.tokens[:, 3, -2:], everything.pooled[:, -2:])
    absent = encoder(signal, torch.tensor([[True, True, False]]), valid).pooled[:, -2:]
    torch.testing.assert_close(absent, torch.tensor([[-1.0, 0.0]]), atol=3e-3, rtol=0)
    flat = encoder(torch.zeros_like(signal), torch.tensor([[True, True, False]]), valid).pooled[:, -2:]
    torch.testing.assert_close(flat, torch.full((1, 2), -3.0))


def test_weakest_lead_without_padding_and_lead_order():
    encoder, generator = weakest(LEADS), torch.Generator().manual_seed(0)
    signal = torch.randn(2, 12, 200, generator=generator)
    mask, valid = torch.ones(2, 12, dtype=torch.bool), torch.ones(2, 200, dtype=torch.bool)
    plain = encoder(signal, mask, valid)
    padded = torch.cat([signal, torch.full((2, 12, 60), torch.nan)], 2)
    longer = torch.cat([valid, torch.zeros(2, 60, dtype=torch.bool)], 1)
    out = encoder(padded, mask, longer)
    torch.testing.assert_close(out.pooled, plain.pooled)
    assert not out.tokens[:, 7:].any()
    turned = encoder(signal[:, torch.randperm(12, generator=generator)], mask, valid).pooled
    torch.testing.assert_close(turned[:, -8:], plain.pooled[:, -8:])
    assert (turned[:, :-8] - plain.pooled[:, :-8]).abs().max() > 0.01


def test_weakest_lead_learns():
    encoder = weakest(LEADS).train()
    signal = torch.randn(4, 12, 128, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(4, 12, dtype=torch.bool)
    encoder(signal, mask, torch.ones(4, 128, dtype=torch.bool)).pooled[:, -8:].sum().backward()
    assert encoder.weakest.conv.weight.grad.abs().min() > 0


def test_weakest_lead_is_exported(tmp_path, write_checkpoint):
    path = write_checkpoint(tmp_path / "c", encoder=weakest(LEADS).train(False), head=None, labels=())
    signal = torch.randn(2, 12, 800, generator=torch.Generator().manual_seed(0)).numpy()
    signal[0, 3] = 0
    onnx, own = (load(path, backend=backend).embed(signal, fs=100) for backend in ("onnx", "torch"))
    np.testing.assert_allclose(onnx, own, atol=1e-4)
    np.testing.assert_allclose(own[0, -8:], -3, atol=1e-4)
