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


def test_table_has_a_row_for_each_wave_that_is_there_and_none_for_an_absent_one():
    points = some_points()
    table = Delineation(("I", "II"), points, points[0]).table()
    assert table.columns == ["lead", "wave", "beat", "onset", "peak", "offset"]
    assert table.height == 3 * 3 * 3 - 3
    one = (table["lead"] == "II") & (table["wave"] == "T") & (table["beat"] == 2)
    assert table.filter(one).row(0)[3:] == tuple(points[1, 2, 2])
    assert table.filter((table["wave"] == "P") & (table["beat"] == 1)).height == 0
    assert sum(table.null_count().row(0)) == 0 and table["lead"].unique(maintain_order=True).to_list()[-1] == "global"


def test_table_says_null_for_a_single_fiducial_that_is_not_known():
    points = some_points(1, 2)
    points[0, 0, 0, 0] = np.nan  # the record begins within the first P
    table = Delineation(("II",), points, np.full((2, 3, 3), np.nan)).table()
    assert table.row(0) == ("II", "P", 0, None, points[0, 0, 0, 1], points[0, 0, 0, 2])
    assert set(table["lead"]) == {"II"}


def test_a_lone_p_is_in_the_table_without_a_beat_and_in_the_order_of_time():
    lone = np.full((3, 2, 3), np.nan)
    lone[1, 0], lone[2, 0], lone[2, 1] = (11.5, 12, 12.5), (11, 12, 13), (900, 910, 920)
    points = some_points()
    delineation = Delineation(("I", "II"), points, points[0], lone)
    table = delineation.table()
    alone = table.filter(table["beat"].is_null())
    assert alone["lead"].to_list() == ["II", "global", "global"] and set(alone["wave"]) == {"P"}
    assert alone.filter(alone["lead"] == "II").row(0)[3:] == (11.5, 12, 12.5)
    for _, part in table.group_by("lead"):
        assert part["onset"].is_sorted()
    assert Delineation(("I", "II"), points, points[0]).lone_p.shape == (3, 0, 3)
    assert not delineation.lone_p.flags.writeable


@pytest.mark.parametrize("shape", [(2, 1, 3), (3, 1, 2), (3, 3)])
def test_lone_p_of_another_shape_is_refused(shape):
    points = some_points()
    with pytest.raises(ShapeError, match=r"lone_p of shape \(3, M, 3\)"):
        Delineation(("I", "II"), points, points[0], np.zeros(shape))


@pytest.mark.parametrize("points, over_all", [((1, 3, 3, 3), (3, 3, 3)), ((2, 3, 3, 3), (2, 3, 3)), ((2, 3, 3), (3, 3))])
def test_wrong_shapes_are_refused(points, over_all):
    with pytest.raises(ShapeError):
        Delineation(("I", "II"), np.zeros(points), np.zeros(over_all))
