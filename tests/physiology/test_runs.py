"""Runs of probabilities: found, joined, cut, and placed to a fraction of a sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecgprior.physiology.runs import find_runs, segments

NO_GAP = np.zeros(8, np.int64)


def rows(*values):
    return np.array(values, np.float32)


def test_a_run_begins_and_ends_where_half_of_its_maximum_is_crossed():
    found = find_runs(rows([0, 0.2, 0.6, 0.8, 0.8, 0.3, 0]), 0.1, NO_GAP)
    assert found.row.tolist() == [0] and found.top[0] == np.float32(0.8)
    assert found.onset[0] == pytest.approx(1.5)  # 0.4 lies half way from 0.2 to 0.6
    assert found.offset[0] == pytest.approx(4.8)  # and four fifths of the way from 0.8 to 0.3
    assert found.mass[0] == pytest.approx(2.7)
    assert not found.cut_onset[0] and not found.cut_offset[0]


def test_a_run_at_the_edge_is_cut_and_none_goes_into_the_next_row():
    found = find_runs(rows([0, 0, 1, 1], [1, 1, 0, 0]), 0.2, NO_GAP)
    assert found.row.tolist() == [0, 1]
    assert found.cut_offset.tolist() == [True, False] and found.cut_onset.tolist() == [False, True]
    assert found.onset.tolist() == [1.5, 0] and found.offset.tolist() == [3, 1.5]


def test_small_gaps_are_bridged_and_larger_ones_are_not():
    p = rows([0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0])
    assert len(find_runs(p, 0.5, np.array([1]))) == 3
    found = find_runs(p, 0.5, np.array([2]))
    assert found.onset.tolist() == [0.5, 9.5] and found.offset.tolist() == [6.5, 10.5]


def test_nothing_above_the_level_is_no_run():
    assert len(find_runs(np.full((3, 5), 0.2, np.float32), 0.2, NO_GAP)) == 0
    assert len(find_runs(np.zeros((0, 5), np.float32), 0.2, NO_GAP)) == 0
    assert len(find_runs(np.zeros((2, 0), np.float32), 0.2, NO_GAP)) == 0


def slow_runs(row, low):
    """One row, sample by sample."""
    found, start = [], None
    for at, value in enumerate([*row, 0.0]):
        if value > low and start is None:
            start = at
        if value <= low and start is not None:
            part = row[start:at]
            held = np.flatnonzero(part > max(part.max() / 2, low)) + start
            found.append((start, at, float(part.max()), float(part.sum()), held[0], held[-1]))
            start = None
    return found


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float32, (3, 30), elements=st.floats(0, 1, width=32)))
def test_agrees_with_a_loop_over_samples(p):
    found = find_runs(p, 0.25, NO_GAP)
    slow = [(r, *run) for r in range(3) for run in slow_runs(p[r], 0.25)]
    assert found.row.tolist() == [run[0] for run in slow]
    np.testing.assert_allclose(found.top, [run[3] for run in slow])
    np.testing.assert_allclose(found.mass, [run[4] for run in slow], rtol=1e-5)
    inside = [(run[5], run[6]) for run in slow]
    for onset, offset, (first, last) in zip(found.onset, found.offset, inside):
        assert max(first - 1, 0) <= onset <= first and last <= offset <= min(last + 1, 29)


def test_segments_lists_stretches_one_after_another():
    at, first = segments(np.array([5, 2, 9]), np.array([2, 3, 1]))
    assert at.tolist() == [5, 6, 2, 3, 4, 9] and first.tolist() == [0, 2, 5]
