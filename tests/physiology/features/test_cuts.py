"""Stretches around beats: by windows inside the record, sample by sample at its edges."""

import numpy as np
import pytest

from ecgprior.physiology.features.cuts import Strip, cut


def by_hand(strip, start, grid):
    """Each sample by itself; `start` is (L, K)."""
    out = np.full((*start.shape, len(grid)), np.nan, np.float32)
    for lead, beat in np.ndindex(*start.shape):
        for k, after in enumerate(grid):
            if np.isfinite(start[lead, beat]):
                at = int(np.round(start[lead, beat])) + after
                if 0 <= at < strip.n_samples:
                    out[lead, beat, k] = strip.signal[lead, strip.first[beat] + at]
    return out


@pytest.mark.parametrize("grid", [np.arange(-2, 5), 4 * np.arange(-3, 2), np.array([0]), np.arange(-40, 80)])
@pytest.mark.parametrize("by_lead", [False, True])
def test_stretches_stay_in_their_record(grid, by_lead):
    rng = np.random.default_rng(3)
    strip = Strip(
        rng.normal(size=(2, 60)).astype(np.float32), 100.0, 20, np.repeat([0, 20, 40], 5).astype(np.int64)
    )
    start = rng.uniform(-8, 28, (2, 15))
    start[:, 4] = np.nan
    if not by_lead:
        start[1] = start[0]
    found = cut(strip, start if by_lead else start[0], grid)
    np.testing.assert_array_equal(found, by_hand(strip, start, grid))


def test_points_of_several_waves_are_cut_at_once():
    signal = np.arange(40, dtype=np.float32).reshape(2, 20)
    strip = Strip(signal, 100.0, 10, np.array([0, 10]))
    at = np.array([[[3.0, 4.0], [0.0, np.nan]], [[9.0, 1.0], [5.0, 6.0]]])  # (L, 2, K)
    found = cut(strip, at, np.arange(-1, 2))
    np.testing.assert_array_equal(found[0, 0], [[2, 3, 4], [13, 14, 15]])
    np.testing.assert_array_equal(found[0, 1], [[np.nan, 0, 1], [np.nan] * 3])
    np.testing.assert_array_equal(found[1, 0], [[28, 29, np.nan], [30, 31, 32]])


def test_some_leads():
    signal = np.arange(12, dtype=np.float32).reshape(4, 3)
    strip = Strip(signal, 100.0, 3, np.array([0]))
    for leads in ([1, 2], [0, 3], [2]):
        np.testing.assert_array_equal(
            cut(strip.rows(leads), np.array([1.0]), np.arange(1))[:, 0, 0], signal[leads, 1]
        )
