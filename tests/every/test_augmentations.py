"""Every augmentation: same shapes, the input left alone, keyed randomness, masked and padded samples stay 0."""

import copy

import pytest
import torch

from ecgprior import lookup
from ecgprior.augmentations.base import Augmentation
from ecgprior.batch import Batch, BatchRandom
from ecgprior.errors import RecipeError, ShapeError
from ecgprior.record.record import LEADS

NAMES = lookup.names("augmentations")
SURE = {"no_heart"}  # nothing in it is random
CLASSES = {-1, 0, 1, 2, 3}


def made(name):
    return lookup.method("augmentations", name, Augmentation)()


def batch_of(n_leads=12, dtype=torch.float32, n=6, time=480):
    generator = torch.Generator().manual_seed(n_leads)
    lead_mask = torch.ones(n, n_leads, dtype=torch.bool)
    if n_leads > 1:
        lead_mask[1, 0] = False
    valid = torch.arange(time) < torch.tensor([time, time, 280, 1, time, time])[:n, None]
    signal = torch.randn(n, n_leads, time, generator=generator, dtype=dtype)
    return Batch(
        signal=signal * (lead_mask[:, :, None] & valid[:, None, :]),
        lead_mask=lead_mask,
        valid=valid,
        row=torch.arange(n) + 10,
        start=torch.arange(n) * 7,
        patient=torch.arange(n),
        columns={"waves": waves_of(n, n_leads, time, generator), "fiducials": fiducials_of(n, time)},
        fs=100.0,
        leads=LEADS[:n_leads],
    )


def waves_of(n, n_leads, time, generator):
    """Every class in every window, unknown too, in stretches of eight samples, at the same time in all its leads."""
    classes = torch.arange(-1, 4, dtype=torch.int8).repeat(-(-time // 40))
    shifted = torch.stack([classes.roll(int(k)) for k in torch.randint(0, 5, (n,), generator=generator)])
    return shifted.repeat_interleave(8, 1)[:, None, :time].repeat(1, n_leads, 1)


def fiducials_of(n, time):
    """Regular beats, each with P, QRS and T: RR 0.6 s at 100 Hz."""
    beat = torch.tensor([[-16.0, -13, -9], [-4, 0, 4], [12, 20, 28]])
    return (torch.arange(20.0, time - 30, 60)[:, None, None] + beat).expand(n, -1, 3, 3).clone()


def rng_of(batch, step=0):
    return BatchRandom.for_batch(0, step, batch)


@pytest.mark.parametrize("n_leads", [1, 3, 12])
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_types_are_kept_and_the_input_is_left_alone(name, n_leads):
    for dtype in (torch.float32, torch.float64):
        batch = batch_of(n_leads, dtype)
        before = copy.deepcopy(batch)
        view = made(name)(batch, rng_of(batch))
        for key in ("signal", "lead_mask", "valid"):
            assert getattr(view, key).shape == getattr(batch, key).shape
            assert getattr(view, key).dtype == getattr(batch, key).dtype
            assert torch.equal(getattr(batch, key), getattr(before, key))
        assert torch.isfinite(view.signal).all()
        waves = view.columns["waves"]
        assert waves.dtype == torch.int8 and waves.shape == view.signal.shape and set(waves.unique().tolist()) <= CLASSES
        for key, column in before.columns.items():
            assert torch.equal(batch.columns[key], column)
            assert view.columns[key].shape == column.shape and view.columns[key].dtype == column.dtype


@pytest.mark.parametrize("name", NAMES)
def test_without_waves_it_does_the_same_or_says_that_it_needs_them(name):
    batch, augmentation = batch_of(), made(name)
    bare = batch.with_(columns={})
    if augmentation.needs:
        with pytest.raises(ShapeError, match=f"augmentation '{name}'.*column '{next(iter(augmentation.needs))}'"):
            augmentation(bare, rng_of(bare))
    else:
        view = augmentation(bare, rng_of(bare))
        assert view.columns == {} and torch.equal(view.signal, augmentation(batch, rng_of(batch)).signal)


@pytest.mark.parametrize("name", NAMES)
def test_masked_leads_and_padding_stay_zero(name):
    batch = batch_of()
    for step in range(5):
        view = made(name)(batch, rng_of(batch, step))
        present = view.lead_mask[:, :, None] & view.valid[:, None, :]
        assert (view.signal[~present] == 0).all()
        assert view.lead_mask.any(1).all() and not (view.lead_mask & ~batch.lead_mask).any()
        n_valid = view.valid.sum(1, keepdim=True)
        assert (n_valid >= 1).all() and not (view.valid & ~batch.valid).any()
        assert torch.equal(view.valid, torch.arange(view.valid.shape[1]) < n_valid), "padding only at the end"


@pytest.mark.parametrize("name", NAMES)
def test_a_window_is_changed_alike_alone_and_in_a_batch(name):
    batch = batch_of()
    whole = made(name)(batch, rng_of(batch, 3))
    for i in range(len(batch)):
        part = Batch(
            *(getattr(batch, key)[i : i + 1] for key in ("signal", "lead_mask", "valid", "row", "start", "patient")),
            columns={key: column[i : i + 1] for key, column in batch.columns.items()},
            fs=batch.fs,
            leads=batch.leads,
        )
        alone = made(name)(part, rng_of(part, 3))
        torch.testing.assert_close(alone.signal[0], whole.signal[i])
        assert torch.equal(alone.lead_mask[0], whole.lead_mask[i])
        assert torch.equal(alone.columns["waves"][0], whole.columns["waves"][i])


@pytest.mark.parametrize("name", NAMES)
def test_it_does_something_and_steps_differ(name):
    batch = batch_of()
    first, again, other = (made(name)(batch, rng_of(batch, step)) for step in (0, 0, 1))
    assert torch.equal(first.signal, again.signal)
    assert not torch.equal(first.signal, batch.signal)
    assert name in SURE or not torch.equal(first.signal, other.signal)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_settings_are_refused(name):
    with pytest.raises(RecipeError, match="nonsense"):
        lookup.method("augmentations", name, Augmentation).check({"nonsense": 1})
