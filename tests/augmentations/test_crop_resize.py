import numpy as np
import pytest
import torch

from ecgprior.augmentations._waves import read_between
from ecgprior.augmentations.crop_resize import CropResize
from ecgprior.batch import Batch, BatchRandom


def ramp(lengths, time=100):
    """A ramp: its values are the samples' own places, so a view tells where it was cut."""
    n = len(lengths)
    valid = torch.arange(time) < torch.tensor(lengths)[:, None]
    signal = torch.arange(float(time)).expand(n, 1, time) * valid[:, None, :]
    return Batch(
        signal.contiguous(),
        torch.ones(n, 1, dtype=torch.bool),
        valid,
        torch.arange(n),
        torch.zeros(n, dtype=torch.int64),
        torch.arange(n),
    )


def test_interpolation_equals_numpy():
    rng = np.random.default_rng(0)
    signal, position = rng.normal(size=(2, 3, 20)), rng.uniform(0, 19, (2, 15))
    found = read_between(torch.tensor(signal), torch.tensor(position))
    for b in range(2):
        for lead in range(3):
            np.testing.assert_allclose(
                found[b, lead], np.interp(position[b], np.arange(20), signal[b, lead]), atol=1e-9
            )


@pytest.mark.parametrize("n", [100, 60, 2])
def test_a_part_of_the_said_length_is_stretched_over_the_window(n):
    batch = ramp([n] * 64)
    view = CropResize(low=0.5, high=0.75)(batch, BatchRandom.for_batch(0, 0, batch)).signal[:, 0, :n]
    steps = view[:, 1:] - view[:, :-1]
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=2e-4, rtol=1e-3)
    share = (view[:, -1] - view[:, 0]) / (n - 1)
    assert share.min() >= 0.5 - 1e-4 and share.max() <= 0.75 + 1e-4 and share.std() > 0.02
    assert view.min() >= 0 and view.max() <= n - 1


def test_the_whole_window_is_the_window():
    batch = ramp([100, 40, 1])
    view = CropResize(low=1.0)(batch, BatchRandom.for_batch(0, 0, batch))
    torch.testing.assert_close(view.signal, batch.signal, atol=1e-4, rtol=0)


def test_low_above_high_is_refused():
    with pytest.raises(ValueError, match="low <= high"):
        CropResize(low=0.9, high=0.5)
