"""The decoder gives exactly the input's length; its errors against naive loops."""

import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder
from ecgprior.objectives._decoder import Decoder, peak_windows, squared_errors

LEADS = ("I", "II", "V1")


@pytest.mark.parametrize(("name", "stride"), [("xresnet1d", 32), ("transformer", 16)])
def test_exactly_the_inputs_length(name, stride):
    encoder = build_encoder(name, {}, LEADS, 100.0, seed=0).eval()
    decoder = Decoder(encoder, hidden=8)
    assert decoder.stride == stride
    for samples in (64, 95, 96, 97, 250):
        signal = torch.randn(2, 3, samples)
        masks = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, samples, dtype=torch.bool)
        made = decoder(encoder(signal, *masks).tokens, samples)
        assert made.shape == signal.shape and torch.isfinite(made).all()


def test_the_papers_size():
    encoder = build_encoder("transformer", {"size": "paper"}, tuple("abcdefghijkl"), 500.0, seed=0)
    n = sum(p.numel() for p in Decoder(encoder).parameters())
    assert 0.9e6 < n < 0.95e6


def test_a_token_gives_its_own_samples_in_order():
    encoder = build_encoder("transformer", {}, LEADS, 100.0, seed=0)
    decoder = Decoder(encoder, hidden=8)
    last = decoder.layers[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.arange(3 * 16.0)
    made = decoder(torch.randn(1, 4, encoder.dim), 64)
    np.testing.assert_array_equal(made[0].detach(), np.tile(np.arange(48.0).reshape(3, 16), 4))


def test_errors_equal_the_naive_loop():
    rng = np.random.default_rng(0)
    made, signal = rng.normal(size=(2, 3, 4, 30))
    made, signal = made.transpose(1, 0, 2)[:3], signal.transpose(1, 0, 2)[:3]
    leads, valid, near = (
        rng.uniform(size=(3, made.shape[1])) < 0.7,
        np.ones((3, 30), bool),
        rng.uniform(size=(3, 30)) < 0.3,
    )
    valid[1, 20:] = False
    sums, counts = [0.0, 0.0], [0, 0]
    for b, lead, t in np.ndindex(made.shape):
        if leads[b, lead] and valid[b, t]:
            error = (made[b, lead, t] - signal[b, lead, t]) ** 2
            sums[0] += error
            counts[0] += 1
            if near[b, t]:
                sums[1] += error
                counts[1] += 1
    given = [torch.tensor(np.ascontiguousarray(x)) for x in (made, signal, leads, valid, near)]
    given[0].requires_grad_()
    overall, peak = squared_errors(*given)
    assert overall.item() == pytest.approx(sums[0] / counts[0], rel=1e-12)
    assert peak.item() == pytest.approx(sums[1] / counts[1], rel=1e-12)
    (overall + peak).backward()
    inside = leads[:, :, None] & valid[:, None]
    slope = 2 * (made - signal) * (inside / counts[0] + (inside & near[:, None]) / counts[1])
    np.testing.assert_allclose(given[0].grad, slope, rtol=1e-10, atol=1e-14)


def test_without_a_peak_there_is_no_error_at_peaks():
    x = torch.ones(1, 2, 5)
    masks = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 5, dtype=torch.bool)
    overall, peak = squared_errors(x, 0 * x, *masks, torch.zeros(1, 5, dtype=torch.bool))
    assert (overall.item(), peak.item()) == (1.0, 0.0)


def test_windows_around_peaks_equal_the_naive_loop():
    rng = np.random.default_rng(1)
    fiducials = rng.uniform(-20, 220, (4, 6, 3, 3))
    fiducials[rng.uniform(size=fiducials.shape) < 0.2] = np.nan
    fiducials[3] = np.nan
    half, expected = (4.0, 5.5, 8.0), np.zeros((4, 200), bool)
    for b, beat, wave in np.ndindex(4, 6, 3):
        for t in range(200):
            expected[b, t] |= abs(t - fiducials[b, beat, wave, 1]) <= half[wave]
    found = peak_windows(torch.tensor(fiducials), 200, half).numpy()
    np.testing.assert_array_equal(found, expected)
    assert not found[3].any() and found[:3].any()
