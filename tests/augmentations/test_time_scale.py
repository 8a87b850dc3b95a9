import pytest
import torch

from ecgprior.augmentations.crop_resize import CropResize
from ecgprior.augmentations.time_out import TimeOut
from ecgprior.augmentations.time_scale import TimeScale
from ecgprior.errors import RecipeError


def beats(view, row):
    """Samples from one QRS onset to the next in the marked lead."""
    is_qrs = (view.columns["waves"][row, 0] == 2).int()
    return torch.diff((torch.diff(is_qrs) == 1).nonzero()[:, 0]).float()


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_beats_come_faster_by_the_factor_and_the_rest_is_padding(heart, apply, factor):
    batch = heart()
    view = apply(TimeScale(low=factor, high=factor), batch)
    for row in range(4):
        assert beats(view, row).mean() == pytest.approx(250 / factor, abs=1)
    n = view.valid.sum(1)
    assert (n == min(2000, int(1999 / factor) + 1)).all()
    assert (view.columns["waves"][~view.valid[:, None].expand(-1, 3, -1)] == -1).all()
    assert torch.equal(view.columns["simulated"], batch.columns["simulated"])


@pytest.mark.parametrize("augmentation", [TimeScale(), CropResize(), TimeScale(low=1.0, high=1.0)])
def test_marks_move_with_what_they_mark(heart, apply, augmentation):
    height = torch.tensor([0.05, 0.2, 1.0, 0.4])
    view = apply(augmentation, heart())
    waves, signal = view.columns["waves"][:, :2], view.signal[:, :2]
    known = waves >= 0
    inner = known.clone()
    inner[..., 1:-1] = (
        known[..., 1:-1] & (waves[..., 2:] == waves[..., :-2]) & (waves[..., 1:-1] == waves[..., :-2])
    )
    torch.testing.assert_close(signal[inner], height[waves[inner].long()])
    assert (view.columns["waves"][:, 2] == -1).all() and inner.float().mean() > 0.5
    assert ((signal - height[waves.clamp(min=0).long()]).abs() < 0.51)[known].all(), (
        "a boundary moves half a sample"
    )


def test_slower_windows_begin_anywhere(heart, apply):
    first = [apply(TimeScale(low=0.6, high=0.6), heart(), step).signal[0, 0] for step in range(5)]
    assert len({tuple((x > 0.9).nonzero()[:3, 0].tolist()) for x in first}) > 2


def test_silence_holds_no_wave(heart, apply):
    view = apply(TimeOut(low=0.3, high=0.3), heart())
    silent = view.signal == 0
    assert silent.any() and (view.columns["waves"][silent] == 0).all()
    assert (view.columns["waves"][:, 2][~silent[:, 2]] == -1).all()


def test_low_is_below_high():
    with pytest.raises(RecipeError, match="low <= high"):
        TimeScale.check({"low": 2.0, "high": 1.0})


@pytest.mark.parametrize("augmentation", [TimeScale(), CropResize(), TimeScale(low=2.0, high=2.0)])
def test_fiducials_move_with_the_signal(heart, apply, augmentation):
    batch = heart()
    beating = batch.columns["waves"][0, 0] == 2
    onset = ((torch.diff(beating.int()) == 1).nonzero()[:, 0] + 1).float()
    marks = torch.full((len(batch), len(onset), 3, 3), torch.nan)
    marks[:, :, 1, 0] = onset
    view = apply(augmentation, batch.with_(columns=batch.columns | {"fiducials": marks}))
    for row in range(len(batch)):
        moved = view.columns["fiducials"][row, :, 1, 0]
        here = moved[moved.isfinite()]
        assert 0 < len(here) <= len(onset) and (torch.diff(here) > 0).all()
        seen = ((torch.diff((view.columns["waves"][row, 0] == 2).int()) == 1).nonzero()[:, 0] + 1).float()
        away = (here[:, None] - seen).abs().amin(1)
        assert (away[(here > 2) & (here < 1990)] <= 1.5).all()
