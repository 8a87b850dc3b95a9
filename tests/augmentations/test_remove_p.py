import pytest
import torch

from ecgprior.augmentations._atria import across
from ecgprior.augmentations.p_shift import PShift
from ecgprior.augmentations.remove_p import RemoveP
from ecgprior.errors import RecipeError


def test_no_p_is_left_in_any_lead_and_nothing_else_changes(heart, apply):
    batch = heart()
    view = apply(RemoveP(f_waves=0.0), batch)
    was, now = batch.columns["waves"], view.columns["waves"]
    assert (was == 1).any() and not (now == 1).any()
    assert (
        torch.equal(now == 2, was == 2) and torch.equal(now == 3, was == 3) and torch.equal(now < 0, was < 0)
    )
    assert not (view.signal == 0.2).any(), "also in the lead that is not marked"
    changed = view.signal != batch.signal
    assert changed.any() and (batch.signal[changed] == 0.2).all()
    torch.testing.assert_close(view.signal[changed], torch.full_like(view.signal[changed], 0.05))


def test_f_waves_come_at_their_chance_and_size_on_every_lead(heart, apply):
    batch = heart(n=60)
    change = (
        apply(RemoveP(f_waves=0.5, high_mv=0.1), batch).signal - apply(RemoveP(f_waves=0), batch).signal
    ).abs()
    waved = change.amax((1, 2)) > 0
    assert 0.3 < waved.float().mean() < 0.7
    assert (change[waved].amax(2) > 0).all() and change[waved].mean((1, 2)).median() < 0.1
    power = (
        torch.fft.rfft(change[waved][:, 0] - change[waved][:, 0].mean(1, keepdim=True)).abs().square().mean(0)
    )
    assert power[torch.fft.rfftfreq(2000, 1 / 250) > 40].sum() < 0.05 * power.sum()


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ([0, 1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]),
        ([1, 1, 0, 0, 0], [9.0, 9.0, 9.0, 9.0, 5.0]),
        ([0, 0, 0, 0, 1], [1.0, 9.0, 9.0, 9.0, 9.0]),
    ],
)
def test_lines_join_what_is_left(gone, expected):
    signal = torch.tensor([[[1.0, 9.0, 9.0, 9.0, 5.0]]])
    torch.testing.assert_close(across(signal, torch.tensor([[gone]]) == 1), torch.tensor([[expected]]))


@pytest.mark.parametrize("ms", [-32.0, 40.0, 160.0])
def test_p_waves_come_earlier_by_the_time_and_on_all_leads(heart, apply, ms):
    batch = heart()
    view = apply(PShift(low_ms=ms, high_ms=ms), batch)
    was, now, by = batch.columns["waves"][:, :2], view.columns["waves"][:, :2], round(ms / 4)
    moved = (was == 1).roll(-by, 2)
    assert (
        torch.equal(now == 1, moved) and torch.equal(now == 2, was == 2) and torch.equal(now == 3, was == 3)
    )
    torch.testing.assert_close(view.signal[:, 2], view.signal[:, 0])
    torch.testing.assert_close(view.signal[:, :2][now == 1], torch.full((int((now == 1).sum()),), 0.2))
    gone = (was == 1) & (now == 0)
    torch.testing.assert_close(view.signal[:, :2][gone], torch.full((int(gone.sum()),), 0.05))
    assert (view.columns["waves"][:, 2] == -1).all()


def test_a_p_on_the_t_before_is_a_p_on_it(heart, apply):
    batch = heart()
    view = apply(PShift(low_ms=600.0, high_ms=600.0), batch)
    on_t = (view.columns["waves"][:, 0] == 1) & (batch.columns["waves"][:, 0] == 3)
    assert on_t.any()
    torch.testing.assert_close(view.signal[:, 0][on_t], torch.full((int(on_t.sum()),), 0.4 + 0.15))


def test_earliest_is_before_latest():
    with pytest.raises(RecipeError, match="low_ms <= high_ms"):
        PShift.check({"low_ms": 10.0, "high_ms": 0.0})
