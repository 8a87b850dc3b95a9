"""Beats and Delineation: shapes that are checked, NaN that stays absent."""

import numpy as np
import pytest

from ecgprior.errors import ShapeError
from ecgprior.record.beats import Beats, Delineation


def some_points(n_leads=2, n_beats=3):
    points = np.arange(n_leads * n_beats * 9, dtype=float).reshape(n_leads, n_beats, 3, 3)
    points[:, 1, 0] = np.nan
    return points


def test_beats_are_kept_as_given_and_frozen():
    beats = Beats([10, 500, 900], ["N", "V", "N"])
    assert beats.sample.dtype == np.int64 and len(beats) == 3 and beats.kind == ("N", "V", "N")
    with pytest.raises(ValueError):
        beats.sample[0] = 1


@pytest.mark.parametrize("sample, kind", [([1, 2], ["N"]), ([[1, 2]], ["N"]), ([5, 5], "NN"), ([5, 4], "NN")])
def test_beats_that_cannot_be_are_refused(sample, kind):
    with pytest.raises(ShapeError):
        Beats(sample, kind)


def test_no_beat_at_all_is_allowed():
    assert len(Beats([], [])) == 0
    empty = Delineation(["II"], np.empty((1, 0, 3, 3)), np.empty((0, 3, 3)))
    assert empty.table().height == 0 and len(empty) == 0


def test_table_has_one_row_a_lead_wave_and_beat_and_null_where_absent():
    points = some_points()
    table = Delineation(("I", "II"), points, points[0]).table()
    assert table.columns == ["lead", "wave", "beat", "onset", "peak", "offset"]
    assert table.height == 3 * 3 * 3
    one = (table["lead"] == "II") & (table["wave"] == "T") & (table["beat"] == 2)
    row = table.filter(one).row(0)
    assert row[3:] == tuple(points[1, 2, 2])
    assert table["onset"].null_count() == 3 and not table["onset"].is_nan().any()


@pytest.mark.parametrize("points, over_all", [((1, 3, 3, 3), (3, 3, 3)), ((2, 3, 3, 3), (2, 3, 3)), ((2, 3, 3), (3, 3))])
def test_wrong_shapes_are_refused(points, over_all):
    with pytest.raises(ShapeError):
        Delineation(("I", "II"), np.zeros(points), np.zeros(over_all))
