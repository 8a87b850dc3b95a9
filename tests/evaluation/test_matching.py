"""Pairs of times: as many as possible, then as close as possible, against every matching there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgprior.errors import ShapeError
from ecgprior.evaluation.matching import match

times = st.lists(st.integers(0, 40), max_size=5).map(sorted)


def best_of_all(truth, found, tolerance):
    """(pairs, smallest sum) over all one-to-one matchings, in order or not."""
    best = (0, 0)
    few, many = (truth, found) if len(truth) <= len(found) else (found, truth)
    for n in range(1, len(few) + 1):
        for some in itertools.combinations(few, n):
            for others in itertools.permutations(many, n):
                apart = [abs(a - b) for a, b in zip(some, others)]
                if max(apart) <= tolerance:
                    best = max(best, (n, -sum(apart)))
    return best


@given(times, times, st.integers(0, 20))
def test_no_matching_has_more_pairs_or_closer_ones(truth, found, tolerance):
    pairs = match(truth, found, tolerance)
    assert np.all(np.diff(pairs, axis=0) > 0)  # one to one, in order
    apart = [abs(truth[i] - found[j]) for i, j in pairs]
    assert all(d <= tolerance for d in apart)
    assert (len(apart), -sum(apart)) == best_of_all(truth, found, tolerance)


@given(times, times, st.integers(0, 20))
def test_the_two_lists_may_be_exchanged(truth, found, tolerance):
    here, there = match(truth, found, tolerance), match(found, truth, tolerance)
    assert len(here) == len(there)
    cost = lambda pairs, a, b: sum(abs(a[i] - b[j]) for i, j in pairs)  # noqa: E731
    assert cost(here, truth, found) == cost(there, found, truth)


def test_more_pairs_go_before_closer_ones():
    # nearest first would pair 100 with 90 and leave 60 and 140 alone
    assert match([60, 100], [90, 140], 40).tolist() == [[0, 0], [1, 1]]


def test_the_closest_of_two_is_taken():
    assert match([100], [70, 104], 40).tolist() == [[0, 1]]


def test_the_tolerance_itself_is_inside_at_any_rate():
    for fs in (360, 250, 1000 / 3):
        truth = 1000 / fs * 977
        assert len(match([truth], [1000 / fs * 977 + 50], 50)) == 1
        assert len(match([truth], [truth + 50.01], 50)) == 0


def test_nothing_to_pair():
    assert match([], [1, 2], 5).shape == (0, 2)
    assert match([1], [], 5).shape == (0, 2)


@pytest.mark.parametrize("wrong", [[3, 1], [[1, 2]], [1, np.nan]])
def test_wrong_times_are_refused(wrong):
    with pytest.raises(ShapeError, match="do not decrease"):
        match(wrong, [1], 5)
