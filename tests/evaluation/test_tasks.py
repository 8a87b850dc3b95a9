"""Tasks turn a catalog's codes into label matrices, and refuse what cannot be asked."""

import numpy as np
import polars as pl
import pytest

from ecgprior.errors import ColumnMissing, CorpusError, RecipeError
from ecgprior.evaluation.tasks import Task, check_names, patients_of

INDEX = pl.DataFrame(
    {
        "record": ["p/1", "p/2", "p/3", "b/1", "b/2", "b/3"],
        "source": ["p", "p", "p", "b", "b", "b"],
        "patient": ["p/x", "p/x", None, "b/1", "b/2", "b/3"],
        "labels.v": [["af", "mi"], [], ["old"], None, None, None],
        "labels.w": [None, None, None, ["yes"], ["maybe"], []],
        "labels.empty": pl.Series([None] * 6, dtype=pl.List(pl.String)),
    }
)


def test_labels_groups_and_left_out():
    names, y = Task(name="t", vocabulary="v", labels=("af", "mi"), min_positives=1).matrix(INDEX)
    assert names == ("af", "mi")
    np.testing.assert_array_equal(y[:3], [[1, 1], [0, 0], [0, 0]])
    assert np.isnan(y[3:]).all()
    index = INDEX.rename({"labels.v": "labels.ludb"}).with_columns(
        pl.Series("labels.ludb", [["CRBBB"], ["AF"], [], None, None, None])
    )
    _, y = Task(name="t", vocabulary="ludb", labels=("AF", "BLOCK"), min_positives=1).matrix(index)
    np.testing.assert_array_equal(y[:3], [[0, 1], [1, 0], [0, 0]])  # a bundle branch block counts as a block
    names, y = Task(name="t", vocabulary="v", groups={"scar": ("mi", "old")}, min_positives=1).matrix(INDEX)
    assert names == ("scar",) and y[:3, 0].tolist() == [1, 0, 1]
    _, y = Task(name="t", vocabulary="w", labels=("yes",), leave_out=("maybe",), min_positives=1).matrix(
        INDEX
    )
    np.testing.assert_array_equal(y[:, 0], [np.nan, np.nan, np.nan, 1, np.nan, 0])


def test_all_codes_when_none_is_named():
    assert Task(name="t", vocabulary="v", min_positives=1).matrix(INDEX)[0] == ("af", "mi", "old")


def test_too_few_positives_are_dropped_and_listed():
    index = pl.DataFrame(
        {
            "record": list("abcd"),
            "source": ["s"] * 4,
            "labels.v": [["x", "all"], ["x", "y", "all"], ["all"], ["all"]],
        }
    )
    task = Task(name="t", vocabulary="v", min_positives=2)
    assert task.matrix(index)[0] == ("x",)
    assert task.dropped(index) == {"all": 4, "y": 1}


def test_refusals():
    with pytest.raises(ColumnMissing, match="'v2'.*in this catalog: v, w"):
        Task(name="t", vocabulary="v2").matrix(INDEX)
    with pytest.raises(ColumnMissing, match="none is"):
        Task(name="t", vocabulary="empty").matrix(INDEX)
    with pytest.raises(ColumnMissing, match="this catalog has no labels"):
        Task(name="t", vocabulary="v").matrix(INDEX.select("record", "source"))
    with pytest.raises(CorpusError, match="none of its sources q is in the corpus: it holds b, p"):
        Task(name="t", vocabulary="v", sources=("q",)).matrix(INDEX)
    with pytest.raises(CorpusError, match="no record of its sources is labelled"):
        Task(name="t", vocabulary="v", sources=("b",)).matrix(INDEX)
    with pytest.raises(CorpusError, match="one class only or too few.*positives af: 1"):
        Task(name="t", vocabulary="v", labels=("af",), min_positives=3).matrix(INDEX)
    with pytest.raises(RecipeError, match="labels and groups"):
        Task.check({"name": "t", "vocabulary": "v", "labels": ["a"], "groups": {"b": ["c"]}})
    with pytest.raises(RecipeError, match="got 't' twice"):
        check_names((Task(name="t", vocabulary="v"), Task(name="t", vocabulary="w")))


def test_a_record_without_patient_is_its_own():
    assert patients_of(INDEX).tolist() == ["p/x", "p/x", "record:p/3", "b/1", "b/2", "b/3"]
