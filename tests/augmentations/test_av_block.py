import torch

from ecgprior.augmentations.av_block import AVBlock


def test_p_stays_and_qrs_st_and_t_of_the_beats_become_a_line(heart, apply):
    batch = heart(n=40)
    batch.signal[:, :, 137:175] = 0.3  # an ST segment that is raised, 0.55 to 0.70 s
    view = apply(AVBlock(standstill=0.0, dropped=0.5), batch)
    was, now = batch.columns["waves"], view.columns["waves"]
    assert torch.equal(was == 1, now == 1) and torch.equal(was < 0, now < 0)
    qrs, t = ((now[:, 0] == wave).reshape(40, 8, 250).any(2) for wave in (2, 3))
    assert torch.equal(qrs, t) and 0.35 < qrs.float().mean() < 0.65
    beats = view.signal[:, 0].reshape(40, 8, 250)
    assert (beats[~qrs][:, 75:95] == 0.2).all(), "its P"
    torch.testing.assert_close(
        beats[~qrs][:, 100:220], torch.full_like(beats[~qrs][:, 100:220], 0.05), msg="no ST is left"
    )
    assert torch.equal(view.signal[:, 0].reshape(40, 8, 250)[qrs], batch.signal[:, 0].reshape(40, 8, 250)[qrs])
    torch.testing.assert_close(view.signal[:, 2], view.signal[:, 0], msg="a lead without marks goes along")


def test_ventricles_stand_still_from_a_moment_or_until_one_or_always(heart, apply):
    view = apply(AVBlock(standstill=1.0), heart(n=200))
    beats = (view.columns["waves"][:, 0] == 2).reshape(200, 8, 250).any(2)
    changes = (beats[:, 1:] != beats[:, :-1]).sum(1)
    assert (changes <= 1).all()
    none, ends, begins = (~beats).all(1), beats[:, 0] & ~beats[:, -1], ~beats[:, 0] & beats[:, -1]
    assert 0.3 < none.float().mean() < 0.65 and ends.any() and begins.any()
    assert (view.columns["waves"][none][:, :2] == 1).any(2).all()


def test_without_a_beat_that_goes_nothing_changes(heart, apply):
    batch = heart()
    view = apply(AVBlock(standstill=0.0, dropped=0.0), batch)
    assert torch.equal(view.signal, batch.signal) and torch.equal(
        view.columns["waves"], batch.columns["waves"]
    )
