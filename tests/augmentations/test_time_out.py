import torch

from ecgprior.augmentations.time_out import TimeOut
from ecgprior.batch import Batch, BatchRandom


def test_one_stretch_of_the_recorded_part_is_silent():
    n, time = 200, 400
    valid = (torch.arange(time) < 300).expand(n, time)
    signal = torch.ones(n, 2, time) * valid[:, None, :]
    zero = torch.zeros(n, dtype=torch.int64)
    batch = Batch(signal, torch.ones(n, 2, dtype=torch.bool), valid, torch.arange(n), zero, zero)
    view = TimeOut(low=0.1, high=0.4)(batch, BatchRandom.for_batch(0, 0, batch)).signal
    assert torch.equal(view[:, 0], view[:, 1])
    silent = (view[:, 0] == 0) & valid
    share = silent.sum(1) / 300
    assert share.min() >= 0.1 - 0.01 and share.max() <= 0.4 + 0.01 and share.std() > 0.05
    edges = (silent[:, 1:300] != silent[:, :299]).sum(1)
    assert edges.max() <= 2
    assert silent[:, :30].any() and silent[:, 270:300].any()
