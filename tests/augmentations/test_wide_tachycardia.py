import pytest
import torch

from ecgprior.augmentations.wide_tachycardia import WideTachycardia
from ecgprior.errors import RecipeError


def test_the_window_is_one_widened_beat_after_the_other_without_p(heart, apply):
    batch = heart(n=20)
    view = apply(WideTachycardia(low_bpm=150, high_bpm=150, low_share=0.4, high_share=0.4), batch)
    waves = view.columns["waves"]
    assert not (waves[:, :2] == 1).any() and (waves[:, 2] == -1).all()
    for one in waves[:, 0]:
        starts = torch.nonzero((one[1:] == 2) & (one[:-1] != 2)).flatten()
        assert 19 <= len(starts) <= 20 and set(starts.diff().tolist()) <= {99, 100, 101}, "150 a minute for 8 s"
        assert (one == 2).float().mean() == pytest.approx(0.4, abs=0.03)
        assert (one == 3).float().mean() > 0.2
    assert (view.signal[:, 0][waves[:, 0] == 2] > 0.5).float().mean() > 0.9, "QRS goes with its marks"
    torch.testing.assert_close(view.signal[:, 2], view.signal[:, 0], msg="a lead without marks goes along")
    steps = view.signal.diff(dim=2).abs()
    assert steps.max() <= batch.signal.diff(dim=2).abs().max() + 1e-6, "no step where a beat meets the next"


def test_a_window_without_a_whole_beat_stays_as_it_is(heart, apply):
    batch = heart()
    batch.columns["waves"][:2, :, :][batch.columns["waves"][:2] == 3] = 0
    view = apply(WideTachycardia(), batch)
    assert torch.equal(view.signal[:2], batch.signal[:2]) and not torch.equal(view.signal[2:], batch.signal[2:])
    assert torch.equal(view.columns["waves"][:2], batch.columns["waves"][:2])


def test_limits_are_ordered():
    with pytest.raises(RecipeError, match="low_bpm <= high_bpm"):
        WideTachycardia.check({"low_bpm": 200.0, "high_bpm": 100.0})
