"""Waves of a recording from tables, delineations and published marks."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgprior.errors import RecordError, ShapeError
from ecgprior.evaluation.marks import Marks
from ecgprior.record.beats import Delineation
from ecgprior.record.record import Annotations, Record

NAN = np.nan


def annotated(text, sample=None, lead="II"):
    sample = np.arange(len(text)) * 10 if sample is None else np.array(sample)
    marks = Annotations(sample, tuple(text), (lead,) * len(text), ("",) * len(text))
    return Record(np.zeros((1, 1000)), 500, [lead], name="r", annotations=marks)


def test_published_marks_become_waves():
    marks = Marks.of_annotations(annotated("(p)(N)(t)"))
    assert marks.of("II", "P").tolist() == [[0, 10, 20]]
    assert marks.of("II", "QRS").tolist() == [[30, 40, 50]]
    assert marks.of("II", "T").tolist() == [[60, 70, 80]]
    assert marks.spans == {"II": (0, 80)}


def test_a_peak_without_brackets_has_neither_onset_nor_offset():
    marks = Marks.of_annotations(annotated("N)(tpN)"))
    np.testing.assert_array_equal(marks.of("II", "QRS"), [[NAN, 0, 10], [NAN, 50, 60]])
    np.testing.assert_array_equal(marks.of("II", "T"), [[20, 30, NAN]])
    np.testing.assert_array_equal(marks.of("II", "P"), [[NAN, 40, NAN]])


def test_brackets_without_a_peak_are_no_wave_but_lengthen_the_marked_part():
    marks = Marks.of_annotations(annotated("()(N)()"))
    assert marks.of("II", "QRS").tolist() == [[20, 30, 40]]
    assert marks.spans == {"II": (0, 60)}


def test_a_peak_marked_several_times_is_one_wave_of_middle_times():
    marks = Marks.of_annotations(annotated("(((ttt)))", [0, 2, 10, 30, 31, 38, 50, 60, 61]))
    assert marks.of("II", "T").tolist() == [[2, 31, 60]]


def test_a_pile_of_brackets_at_one_peak_gives_the_nearest():
    marks = Marks.of_annotations(annotated("((N))"))
    assert marks.of("II", "QRS").tolist() == [[10, 20, 30]]


def test_marks_of_no_lead_are_refused():
    record = annotated("(N)")
    with pytest.raises(RecordError, match="of single leads"):
        Marks.of_annotations(record.with_(annotations=None))
    whole = Annotations(np.array([5]), ("N",), (None,), ("",))
    with pytest.raises(RecordError, match="of single leads"):
        Marks.of_annotations(record.with_(annotations=whole))


def test_a_delineation_keeps_its_leads_and_loses_its_global_row():
    points = np.full((2, 1, 3, 3), NAN)
    points[0, 0, 1] = [90, 100, 110]
    record = Record(np.zeros((2, 500)), 250, ["I", "II"], name="one")
    marks = Marks.of_delineation(record, Delineation(["I", "II"], points, np.full((1, 3, 3), 7.0)))
    assert marks.leads == ("I", "II") and marks.fs == 250
    assert marks.of("I", "QRS").tolist() == [[90, 100, 110]]
    assert len(marks.of("II", "QRS")) == 0 and len(marks.of("I", "P")) == 0
    assert marks.milliseconds("I", "QRS", "offset").tolist() == [440]


@given(st.lists(st.tuples(*[st.none() | st.integers(0, 999)] * 3), max_size=6))
def test_a_table_comes_back_as_it_was(rows):
    table = pl.DataFrame(rows, schema=dict.fromkeys(("onset", "peak", "offset"), pl.Float64), orient="row")
    table = table.select(pl.lit("V1").alias("lead"), pl.lit("T").alias("wave"), pl.all())
    marks = Marks.from_table("r", 500, table, ["V1"])
    again = Marks.from_table("r", 500, marks.table(), ["V1"])
    np.testing.assert_array_equal(marks.of("V1", "T"), again.of("V1", "T"))
    assert len(marks.of("V1", "T")) == sum(any(v is not None for v in row) for row in rows)


def test_leads_can_be_picked():
    marks = Marks("r", 500, ["i", "ii"], {("i", "P"): [[1, 2, 3]], ("ii", "P"): [[4, 5, 6]]})
    one = marks.pick(["II", "V9"])
    assert one.leads == ("II",) and one.of("II", "P").tolist() == [[4, 5, 6]] and one.spans == {"II": (4, 6)}


@pytest.mark.parametrize(
    "key, points", [(("V1", "P"), [[1, 2, 3]]), (("I", "U"), [[1, 2, 3]]), (("I", "P"), [1, 2])]
)
def test_wrong_marks_are_refused(key, points):
    with pytest.raises(ShapeError, match="marks: expected"):
        Marks("r", 500, ["I"], {key: points})
