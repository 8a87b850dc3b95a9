import torch

from ecgprior.augmentations.lead_time_out import LeadTimeOut
from ecgprior.batch import Batch, BatchRandom


def batch_of(lengths, time=40, n_leads=12):
    n = len(lengths)
    valid = torch.arange(time) < torch.tensor(lengths)[:, None]
    return Batch(
        signal=torch.ones(n, n_leads, time) * valid[:, None],
        lead_mask=torch.ones(n, n_leads, dtype=torch.bool),
        valid=valid,
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        columns={"waves": torch.full((n, n_leads, time), 2, dtype=torch.int8)},
    )


def test_half_of_each_lead_is_silent_in_one_stretch_that_goes_round():
    batch = batch_of([40, 30, 7])
    for step in range(20):
        view = LeadTimeOut()(batch, BatchRandom.for_batch(0, step, batch))
        for i, n in enumerate((40, 30, 7)):
            silent = view.signal[i, :, :n] == 0
            assert (silent.sum(1) == n // 2).all()
            edges = (silent != silent.roll(1, 1)).sum(1)
            assert (edges == 2).all()
            assert torch.equal(view.columns["waves"][i, :, :n] == 0, silent)
            assert (view.columns["waves"][i, :, n:] == 2).all() and (view.signal[i, :, n:] == 0).all()
        first = (view.signal[0] == 0).float()
        assert not torch.equal(first[0], first[1])


def test_every_place_is_as_likely():
    batch = batch_of([40] * 400, n_leads=4)
    silent = (LeadTimeOut()(batch, BatchRandom.for_batch(0, 0, batch)).signal == 0).float().mean((0, 1))
    assert (silent - 0.5).abs().max() < 0.06
