import torch

from ecgprior.augmentations.lead_mix import LeadMix
from ecgprior.batch import Batch


def batch_of(waves=None):
    """Lead l is the constant 10 ** l; lead 3 is absent."""
    signal = (10.0 ** torch.arange(4))[None, :, None].expand(200, 4, 6).clone()
    signal[:, 3] = 0
    mask = torch.tensor([True, True, True, False]).expand(200, 4)
    row = torch.arange(200)
    columns = {} if waves is None else {"waves": waves.expand(200, 4, 6)}
    valid = torch.ones(200, 6, dtype=torch.bool)
    return Batch(signal, mask, valid, row, torch.zeros_like(row), row, columns=columns, fs=100.0)


def test_a_lead_gets_its_share_of_one_other_that_is_there(apply):
    batch = batch_of()
    change = apply(LeadMix(lead=0.4, largest=0.5), batch).signal - batch.signal
    assert (change[..., :1] == change).all() and not change[:, 3].any()
    first, second = change[:, 0, 0], change[:, 1, 0]
    assert 0.25 < (first != 0).float().mean() < 0.55
    assert (first.abs() <= 0.5 * 100).all() and (first.abs() > 5).any(), (
        "lead 1 or lead 2, never the absent one"
    )
    others = torch.tensor([1.0, 100.0])
    assert ((second.abs()[:, None] <= 0.5 * others).any(1)).all() and (second.abs() > 0.5).any()


def test_marks_stay_where_both_leads_have_them(apply):
    one, other = (
        torch.tensor([0, 1, 1, 2, 3, -1], dtype=torch.int8),
        torch.tensor([0, 0, 1, 2, 2, 0], dtype=torch.int8),
    )
    batch = batch_of(torch.stack([one, other, other, other]))
    view = apply(LeadMix(lead=1.0), batch)
    assert (view.columns["waves"][:, 0] == torch.tensor([0, -1, 1, 2, -1, -1])).all()
    with_first = (view.columns["waves"][:, 1] != other).any(1)
    assert 0.3 < with_first.float().mean() < 0.7
    assert torch.equal(batch.columns["waves"][0, 0], one)


def test_one_lead_alone_stays(apply):
    batch = batch_of()
    alone = batch.with_(lead_mask=torch.tensor([True, False, False, False]).expand(200, 4))
    assert torch.equal(apply(LeadMix(lead=1.0), alone).signal, alone.signal)
