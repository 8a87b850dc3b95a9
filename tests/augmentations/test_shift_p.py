import torch

from ecgprior.augmentations.shift_p import ShiftP


def test_p_moves_with_its_marks_and_qrs_and_t_stay(heart, apply):
    batch = heart(n=30)
    view = apply(ShiftP(earlier_ms=100, later_ms=0), batch)
    was, now = batch.columns["waves"], view.columns["waves"]
    assert torch.equal(now == 2, was == 2) and torch.equal(now < 0, was < 0)
    first = lambda waves: (waves == 1).any(1).float().argmax(1)  # noqa: E731
    shift = first(was) - first(now)
    assert (shift >= 0).all() and (shift <= 25).all() and len(shift.unique()) > 5
    seen = (was == 1).any((1, 2))
    assert seen.any() and (now == 1).any((1, 2))[seen].all()


def test_a_moved_p_is_as_high_as_before_and_leaves_a_line(heart, apply):
    batch = heart(n=30)
    view = apply(ShiftP(earlier_ms=100, later_ms=0, margin_ms=8), batch)
    shift = (batch.columns["waves"] == 1).any(1).float().argmax(1) - (view.columns["waves"] == 1).any(
        1
    ).float().argmax(1)
    row = int((shift > 20).float().argmax())
    lead, sample = (batch.columns["waves"][row] == 1).nonzero()[0].tolist()
    by = int(shift[row])
    torch.testing.assert_close(view.signal[row, lead, sample - by], batch.signal[row, lead, sample])
    assert not torch.equal(view.signal[row], batch.signal[row])


def test_no_shift_changes_nothing(heart, apply):
    batch = heart(n=5)
    view = apply(ShiftP(earlier_ms=0, later_ms=0), batch)
    torch.testing.assert_close(view.signal, batch.signal)
    assert torch.equal(view.columns["waves"], batch.columns["waves"])
