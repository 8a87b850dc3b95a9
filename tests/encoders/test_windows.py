import numpy as np
import pytest

from ecgprior.encoders._windows import Window, average, batches, cut, stack
from ecgprior.errors import RecordTooShort


@pytest.mark.parametrize(
    ("n", "spans"),
    [
        (1, [(0, 1)]),
        (999, [(0, 999)]),
        (1000, [(0, 1000)]),
        (1499, [(0, 1000)]),
        (1500, [(0, 1000), (1000, 1500)]),
        (3000, [(0, 1000), (1000, 2000), (2000, 3000)]),
    ],
)
def test_cut(n, spans):
    assert cut(n, 1000) == spans


def test_cut_keeps_no_window_that_is_too_short():
    assert cut(30, 20, shortest=16) == [(0, 20)]
    with pytest.raises(RecordTooShort, match="at least 16 samples after resampling, got 15"):
        cut(15, 20, shortest=16)


def windows(*lengths):
    return [Window(owner, np.full((2, n), n, np.float32), np.array([True, n > 3])) for owner, n in lengths]


def test_stack_pads_and_says_so():
    signal, lead_mask, valid = stack(windows((0, 2), (1, 5)))
    assert signal.shape == (2, 2, 5) and signal[0, 0].tolist() == [2, 2, 0, 0, 0]
    assert valid.sum(1).tolist() == [2, 5] and lead_mask.tolist() == [[True, False], [True, True]]


def test_batches_hold_every_window_once_longest_first():
    many = windows((0, 5), (0, 2), (1, 9), (2, 5), (3, 1))
    found = list(batches(many, 2))
    assert [len(rows) for rows in found] == [2, 2, 1]
    assert np.concatenate(found).tolist() == [2, 0, 3, 1, 4]


def test_average_weighs_by_length():
    many = windows((4, 3), (4, 1), (7, 2))
    values = np.array([[1.0], [5.0], [9.0]], np.float32)
    assert average(many, values).tolist() == [[2.0], [9.0]]
