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
