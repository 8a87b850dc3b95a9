"""Random numbers of a batch: keyed by record, uniform, independent of order, device and process."""

import numpy as np
import pytest
import torch
from scipy import stats

from ecgprior.batch import Batch, BatchRandom


def _batch(n=3):
    return Batch(
        signal=torch.zeros(n, 2, 5),
        lead_mask=torch.ones(n, 2, dtype=torch.bool),
        valid=torch.ones(n, 5, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.arange(n) * 100,
        patient=torch.arange(n),
    )


def test_same_record_same_numbers_in_any_company():
    rows = torch.tensor([5, 0, 9, 5])
    together = BatchRandom(1, 2, rows).uniform("a", 3, 2)
    for i, row in enumerate(rows):
        assert torch.equal(together[i], BatchRandom(1, 2, row[None]).uniform("a", 3, 2)[0])
    assert torch.equal(together[0], together[3])


@pytest.mark.parametrize("change", ["seed", "step", "purpose", "key", "split"])
def test_everything_in_the_key_changes_the_numbers(change):
    key = torch.tensor([4])
    base = BatchRandom(1, 2, key).uniform("a", 8)
    other = {
        "seed": lambda: BatchRandom(2, 2, key).uniform("a", 8),
        "step": lambda: BatchRandom(1, 3, key).uniform("a", 8),
        "purpose": lambda: BatchRandom(1, 2, key).uniform("b", 8),
        "key": lambda: BatchRandom(1, 2, key + 1).uniform("a", 8),
        "split": lambda: BatchRandom(1, 2, key).split("view 1").uniform("a", 8),
    }[change]()
    assert not torch.any(base == other)


def test_uniform_and_normal_are_what_they_say():
    rng = BatchRandom(0, 0, torch.arange(400))
    u = rng.uniform("u", 100).numpy().ravel()
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 0.001
    z = rng.normal("z", 100).numpy().ravel().astype(np.float64)
    assert np.isfinite(z).all() and stats.kstest(z, "norm").pvalue > 0.001
    # neighbours in key and in counter are uncorrelated: 40,000 draws, 5 sigma
    grid = u.reshape(400, 100) - 0.5
    for a, b in ((grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1])):
        assert abs((a * b).mean() * 12) < 5 / np.sqrt(a.size)


def test_integers_and_chance():
    rng = BatchRandom(0, 0, torch.arange(1000))
    k = rng.integers("k", -2, 3, 10)
    assert set(k.unique().tolist()) == {-2, -1, 0, 1, 2}
    assert abs(rng.chance("c", 0.25, 100).float().mean().item() - 0.25) < 0.01


def test_batch_moves_and_copies():
    batch = _batch().with_(next=_batch(), columns={"features": torch.ones(3, 4)})
    moved = batch.to("cpu", dtype=torch.float64)
    assert moved.signal.dtype == torch.float64 and moved.next.signal.dtype == torch.float64
    assert len(moved) == 3 and torch.equal(moved.columns["features"], torch.ones(3, 4))
    first = BatchRandom.for_batch(0, 0, batch).uniform("a", 2)
    later = BatchRandom.for_batch(0, 0, batch.with_(start=batch.start + 1)).uniform("a", 2)
    assert not torch.any(first == later)
