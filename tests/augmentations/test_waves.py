"""Noise, wander, mains, scale and lead masks: their sizes are what their settings say."""

import pytest
import torch

from ecgprior.augmentations.amplitude_scale import AmplitudeScale
from ecgprior.augmentations.baseline_wander import BaselineWander
from ecgprior.augmentations.gaussian_noise import GaussianNoise
from ecgprior.augmentations.lead_mask import LeadMask
from ecgprior.augmentations.mains import Mains
from ecgprior.batch import Batch, BatchRandom
from ecgprior.errors import ShapeError


def flat(n=64, n_leads=4, time=1000, value=0.0, fs=500.0):
    zero = torch.zeros(n, dtype=torch.int64)
    return Batch(
        torch.full((n, n_leads, time), value),
        torch.ones(n, n_leads, dtype=torch.bool),
        torch.ones(n, time, dtype=torch.bool),
        torch.arange(n),
        zero,
        zero,
        fs=fs,
    )


def apply(augmentation, batch):
    return augmentation(batch, BatchRandom.for_batch(0, 0, batch))


def test_noise_has_levels_up_to_sd():
    level = apply(GaussianNoise(sd=0.2), flat()).signal.std((1, 2))
    assert level.max() < 0.21 and level.min() < 0.03 and level.mean() == pytest.approx(0.1, abs=0.02)


def test_wander_lies_in_its_band():
    view = apply(BaselineWander(amplitude=0.3, low_hz=1.0, high_hz=3.0, n_waves=2), flat(time=2500)).signal
    assert view.abs().max() <= 0.6 + 1e-6
    power = torch.fft.rfft(view * torch.hann_window(2500)).abs().square().mean((0, 1))
    hz = torch.fft.rfftfreq(2500, 1 / 500)
    inside = (hz > 0.5) & (hz < 3.5)
    assert power[inside].sum() / power.sum() > 0.99


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_peaks_at_its_frequency(hz):
    view = apply(Mains(amplitude=0.1, hz=(hz,)), flat()).signal
    power = torch.fft.rfft(view).abs().square().mean((0, 1))
    assert torch.fft.rfftfreq(1000, 1 / 500)[power.argmax()] == hz
    assert view.abs().max() <= 0.1 * 1.2 + 1e-6


@pytest.mark.parametrize("augmentation", [BaselineWander(), Mains()])
def test_hertz_need_a_rate(augmentation):
    with pytest.raises(ShapeError, match="sampling rate in Batch.fs"):
        apply(augmentation, flat(fs=None))


def test_one_factor_a_window_keeps_the_relations_between_leads():
    batch = flat(value=1.0)
    batch.signal[:, 1] = -2.0
    view = apply(AmplitudeScale(low=0.5, high=2.0), batch).signal
    factor = view[:, 0, 0]
    torch.testing.assert_close(view, batch.signal * factor[:, None, None])
    assert factor.min() >= 0.5 and factor.max() <= 2.0
    assert factor.log().mean() == pytest.approx(0.0, abs=0.15)


def test_lead_masks_take_their_share_and_leave_one():
    batch = flat(n=2000, n_leads=12, time=2, value=1.0)
    batch.lead_mask[0, 1:] = False
    keep = apply(LeadMask(share=0.5), batch).lead_mask
    assert keep[1:].float().mean() == pytest.approx(0.5, abs=0.02)
    assert keep.any(1).all() and keep[0].tolist() == [True] + [False] * 11
    hard = apply(LeadMask(share=0.999), batch).lead_mask
    assert (hard.sum(1) == 1).float().mean() > 0.9
