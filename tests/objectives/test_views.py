import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.errors import RecipeError, UnknownName
from ecgprior.objectives._views import View, crop
from ecgprior.objectives.simclr import SimCLR


def batch_of(lengths, time=40):
    n = len(lengths)
    valid = torch.arange(time) < torch.tensor(lengths)[:, None]
    signal = torch.arange(1.0, time + 1).expand(n, 2, time) * valid[:, None, :]
    return Batch(
        signal=signal.contiguous(),
        lead_mask=torch.ones(n, 2, dtype=torch.bool),
        valid=valid,
        row=torch.arange(n),
        start=torch.full((n,), 100),
        patient=torch.arange(n),
        fs=10.0,
    )


def rng_of(batch, step=0):
    return BatchRandom.for_batch(0, step, batch)


def test_a_probability_picks_windows():
    batch = batch_of([40] * 200)
    view = View(({"name": "amplitude_scale", "probability": 0.25, "low": 2.0, "high": 2.0},))(batch, rng_of(batch))
    changed = (view.signal[:, 0, 0] == 2.0).float().mean().item()
    assert 0.15 < changed < 0.35
    assert ((view.signal[:, 0, 0] == 1.0) | (view.signal[:, 0, 0] == 2.0)).all()


def test_two_equal_steps_draw_apart():
    batch = batch_of([40] * 3)
    noise = {"name": "gaussian_noise", "sd": 1.0}
    rng = rng_of(batch)
    once, twice = View((noise,))(batch, rng), View((noise, noise))(batch, rng)
    assert not torch.allclose(twice.signal - batch.signal, 2 * (once.signal - batch.signal))


@pytest.mark.parametrize(
    ("step", "error", "sentence"),
    [
        ({"low": 0.5}, RecipeError, "needs a name"),
        ({"name": "time_outt"}, UnknownName, "Did you mean 'time_out'"),
        ({"name": "time_out", "hihg": 0.5}, RecipeError, "Did you mean 'high'"),
        ({"name": "time_out", "probability": 1.5}, RecipeError, "from 0 to 1, got 1.5"),
        ({"name": "time_out", "probability": True}, RecipeError, "from 0 to 1"),
    ],
)
def test_a_wrong_step_is_refused_when_the_recipe_is_read(step, error, sentence):
    with pytest.raises(error, match=sentence):
        SimCLR.Config.check({"augmentations": [step]})


def test_crop_keeps_to_what_was_recorded():
    batch = batch_of([40, 25, 7])
    starts = set()
    for step in range(200):
        view = crop(batch, rng_of(batch, step), 10)
        assert view.signal.shape == (3, 2, 10) and view.valid.shape == (3, 10)
        assert view.valid[:2].all() and view.valid[2].sum() == 7
        assert torch.equal(view.signal[:, 0, 0].long(), view.start - 100 + 1)
        assert view.start[2] == 100
        starts.add(view.start[1].item() - 100)
    assert starts == set(range(16))


def test_crop_longer_than_the_window_is_the_window():
    batch = batch_of([40])
    assert crop(batch, rng_of(batch), 40) is batch


def test_only_the_chosen_windows_are_computed_and_draw_what_they_would_draw_among_all():
    batch = batch_of([40] * 50)
    batch = batch.with_(columns={"waves": torch.ones(50, 2, 40, dtype=torch.int8), "simulated": torch.arange(50) > 20})
    steps = [{"name": "time_out", "low": 0.3}, {"name": "gaussian_noise", "sd": 1.0}, {"name": "lead_mask"}]
    for step in steps:
        everyone, some = View((step,))(batch, rng_of(batch)), View(({**step, "probability": 0.5},))(batch, rng_of(batch))
        for name in ("signal", "lead_mask", "valid"):
            now, all_, before = (getattr(b, name).flatten(1) for b in (some, everyone, batch))
            assert ((now == all_).all(1) | (now == before).all(1)).all()
        changed = (some.signal != batch.signal).flatten(1).any(1)
        assert 10 < changed.sum() < 40 and torch.equal(some.signal[changed], everyone.signal[changed])
        torch.testing.assert_close(some.columns["waves"][changed], everyone.columns["waves"][changed])
        assert torch.equal(some.columns["simulated"], batch.columns["simulated"])


def test_crop_takes_the_waves_along():
    batch = batch_of([40, 25])
    place = torch.arange(40, dtype=torch.int8).expand(2, 2, 40).contiguous()
    view = crop(batch.with_(columns={"waves": place}), rng_of(batch), 10)
    inside = view.valid[:, None].expand(-1, 2, -1)
    assert torch.equal(view.columns["waves"][inside] + 1.0, view.signal[inside])


def test_an_augmentation_that_needs_waves_is_refused_by_an_objective_that_has_none():
    from ecgprior.encoders._build import build_encoder

    config = SimCLR.Config.check({"augmentations": [{"name": "remove_p"}]})
    with pytest.raises(RecipeError, match="augmentation 'remove_p' needs waves: expected an objective"):
        SimCLR(build_encoder("xresnet1d", {"size": "0.3m"}, ("I",), 100.0), config)
