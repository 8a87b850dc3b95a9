"""Coloured noise, steps, spikes, polarity, scales of single leads, and no heart at all: what their settings say."""

import pytest
import torch

from ecgprior.augmentations.coloured_noise import ColouredNoise
from ecgprior.augmentations.electrode_step import ElectrodeStep
from ecgprior.augmentations.lead_scale import LeadScale
from ecgprior.augmentations.no_heart import NoHeart
from ecgprior.augmentations.pacing_spikes import PacingSpikes
from ecgprior.augmentations.polarity import Polarity
from ecgprior.errors import RecipeError, ShapeError


@pytest.mark.parametrize("slope", [-0.5, 0.0, 1.0])
def test_noise_falls_with_frequency_as_its_slope_says(heart, apply, slope):
    batch = heart(n=20)
    settings = {"low_mv": 0.1, "high_mv": 0.1, "low_slope": slope, "high_slope": slope, "lead_sd": 0.0}
    noise = apply(ColouredNoise(**settings), batch).signal - batch.signal
    torch.testing.assert_close(noise.square().mean(2).sqrt(), torch.full((20, 3), 0.1), rtol=1e-3, atol=1e-5)
    power = torch.fft.rfft(noise).abs().mean((0, 1))
    hz = torch.fft.rfftfreq(2000, 1 / 250)
    low, high = (power[(hz > a) & (hz < 1.1 * a)].mean() for a in (5.0, 80.0))
    assert torch.log2(low / high).item() / 4 == pytest.approx(slope, abs=0.1)


def test_noise_of_each_lead_is_its_own_and_levels_differ(heart, apply):
    batch = heart(n=50)
    noise = apply(ColouredNoise(), batch).signal - batch.signal
    assert abs(torch.corrcoef(noise[0])[0, 1]) < 0.3
    level = noise.square().mean((1, 2)).sqrt()
    assert level.max() / level.min() > 5


def test_a_step_decays_and_leads_step_at_their_own_times(heart, apply):
    batch = heart(n=30)
    step = apply(ElectrodeStep(low_s=0.2, high_s=0.2), batch).signal - batch.signal
    assert (step[..., 0].abs() < 1e-6).float().mean() > 0.9 and step.amax() < 5
    first = step.abs().argmax(2)
    assert len(set(first.flatten().tolist())) > 80
    later = (first + 50).clamp(max=1999)
    ratio = step.gather(2, later[..., None]) / step.gather(2, first[..., None])
    assert ratio[first < 1900].median() == pytest.approx(0.37, abs=0.02)


def test_one_spike_a_beat_ahead_of_it_and_no_new_wave(heart, apply):
    batch = heart()
    view = apply(PacingSpikes(low_ms=20.0, high_ms=20.0, atrial=0.0), batch)
    spike = view.signal != batch.signal
    onset = (torch.diff((batch.columns["waves"][0, 0] == 2).int()) == 1).nonzero()[:, 0] + 1
    for row in range(4):
        for lead in range(3):
            assert spike[row, lead].nonzero()[:, 0].tolist() == (onset - 5).tolist()
    assert torch.equal(view.columns["waves"], batch.columns["waves"])


def test_some_hearts_are_paced_in_the_atrium_too(heart, apply):
    batch = heart(n=100)
    spike = apply(PacingSpikes(low_ms=8.0, high_ms=8.0, atrial=0.33), batch).signal != batch.signal
    n_beats, n = 8, spike[:, 0].sum(1)
    assert set(n.tolist()) == {n_beats, 2 * n_beats} and 0.2 < (n > n_beats).float().mean() < 0.5


def test_polarity_turns_its_share(heart, apply):
    batch = heart(n=1000, seconds=1.0)
    view = apply(Polarity(lead=0.2, all_leads=0.0), batch).signal
    turned = view[..., 0] < 0
    assert turned.float().mean() == pytest.approx(0.2, abs=0.03)
    assert torch.equal(view.abs(), batch.signal)
    together = apply(Polarity(lead=0.0, all_leads=0.3), batch).signal[..., 0] < 0
    assert set(together.sum(1).tolist()) == {0, 3} and together.float().mean() == pytest.approx(0.3, abs=0.05)


def test_leads_have_factors_of_their_own(heart, apply):
    batch = heart(n=500, seconds=1.0)
    factor = (apply(LeadScale(sd=0.3, shared_sd=0.0), batch).signal / batch.signal)[..., 0].log()
    assert factor.std() == pytest.approx(0.3, abs=0.03) and abs(torch.corrcoef(factor.T)[0, 1]) < 0.15
    shared = (apply(LeadScale(sd=0.0, shared_sd=0.3), batch).signal / batch.signal)[..., 0].log()
    torch.testing.assert_close(shared[:, 0], shared[:, 2])


def test_without_a_heart_there_is_no_wave_and_all_is_known(heart, apply):
    batch = heart()
    view = apply(NoHeart(), batch)
    assert (view.signal == 0).all() and (view.columns["waves"] == 0).all() and view.valid.all()
    assert "simulated" in view.columns and apply(NoHeart(), batch.with_(columns={})).columns == {}


@pytest.mark.parametrize("augmentation", [ColouredNoise(), ElectrodeStep(), PacingSpikes()])
def test_seconds_need_a_rate(heart, apply, augmentation):
    with pytest.raises(ShapeError, match="sampling rate in Batch.fs"):
        apply(augmentation, heart().with_(fs=None))


def test_ranges_are_ordered():
    with pytest.raises(RecipeError, match="low_mv <= high_mv"):
        ColouredNoise.check({"low_mv": 1.0, "high_mv": 0.1})
