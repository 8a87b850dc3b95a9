"""Beats of several records: as a table, as lines, thinned."""

import numpy as np

from ecgprior.physiology.features.ragged import Ragged

BEATS = Ragged(np.array([0, 0, 0, 2, 2, 3]), 4)


def test_a_table_has_a_line_for_each_record():
    np.testing.assert_array_equal(BEATS.place, [0, 1, 2, 0, 1, 0])
    nan = np.nan
    expected = [[1, 2, 3], [nan, nan, nan], [4, 5, nan], [6, nan, nan]]
    np.testing.assert_array_equal(BEATS.table(np.arange(1.0, 7)), expected)


def test_lines_and_back():
    rows = np.arange(12.0).reshape(6, 2)
    lines = BEATS.lines(rows, 0.0)
    assert lines.shape == (4, 3, 2) and (lines[1] == 0).all()
    np.testing.assert_array_equal(BEATS.flat(lines), rows)
    one = Ragged(np.zeros(6, np.int64), 1)
    np.testing.assert_array_equal(one.flat(one.lines(rows)), rows)


def test_thinned_keeps_first_and_last_of_a_long_record():
    np.testing.assert_array_equal(BEATS.thinned(3), np.arange(6))
    np.testing.assert_array_equal(BEATS.thinned(2), [0, 2, 3, 4, 5])
    assert BEATS.some(BEATS.thinned(2)).count.tolist() == [2, 0, 2, 1]
