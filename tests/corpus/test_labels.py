"""Vocabularies: every table is sound; the matrix counts a child as its parent and tells none from unlabelled."""

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.labels import label_matrix, vocabulary, vocabulary_names, vocabulary_of
from ecgprior.errors import ColumnMissing, UnknownName

COUNTS = {
    "ptbxl_superclass": 5,
    "ptbxl_subclass": 23,
    "ptbxl_diagnostic": 44,
    "ptbxl_form": 19,
    "ptbxl_rhythm": 12,
    "ptbxl_all": 71,
    "cinc2021": 26,
    "cinc2021_all": 133,
    "cpsc2018": 9,
    "code15": 6,
}


def frame(name, values):
    return pl.DataFrame({f"labels.{name}": pl.Series(values, dtype=pl.List(pl.String))})


@pytest.mark.parametrize("name", vocabulary_names())
def test_every_vocabulary_is_sound(name):
    table = vocabulary(name)
    assert len(table) == COUNTS.get(name, len(table)) > 0
    assert all(table.codes) and all(table.names)
    for code, parents in zip(table.codes, table.parents):
        for parent in parents:
            other, colon, above = parent.rpartition(":")
            assert above in (vocabulary(other) if colon else table).codes, (code, parent)
            assert colon or parent != code
    spellings = [s.casefold() for synonyms in table.synonyms for s in synonyms]
    assert len(spellings) == len(set(spellings)), "a synonym of two codes"


def test_the_four_equivalences_of_2021():
    scored = vocabulary("cinc2021")
    pairs = [("733534002", "164909002"), ("713427006", "59118001"), ("284470004", "63593006")]
    for one, other in [*pairs, ("427172004", "17338001")]:
        assert scored.find(one) == scored.find(other) == one
    in_either = set(scored.codes) | {s for synonyms in scored.synonyms for s in synonyms if s.isdigit()}
    assert len(in_either) == 30


def test_names_and_synonyms_are_found_and_the_nearest_is_named():
    table = vocabulary("cinc2021")
    assert table.find("af") == table.find("Atrial Fibrillation") == table.find("164889003")
    assert table.find("no such thing") is None
    with pytest.raises(UnknownName, match="Did you mean 'sinus rhythm'"):
        table.expect("sinus rythm")
    with pytest.raises(UnknownName, match="expected one of 1dAVb, AF"):
        vocabulary("code15").expect("PVC")
    with pytest.raises(UnknownName, match="Did you mean 'ptbxl_form'"):
        vocabulary("ptbxl_forms")


def test_matrix_one_zero_and_not_labelled():
    matrix = label_matrix(frame("code15", [["AF", "SB"], [], None]), "code15", ["AF", "RBBB"])
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [[1, 0], [0, 0], [np.nan, np.nan]])


def test_a_child_counts_as_its_parent_and_its_parents_parent():
    table = frame("ludb", [["CRBBB"], ["NIVCD"], ["SCAR_SEP", "AVB1"], ["AFL"]])
    matrix = label_matrix(table, "ludb", ["BLOCK", "CD", "ISCSCAR", "AF", "CRBBB"])
    np.testing.assert_array_equal(
        matrix, [[1, 1, 0, 0, 1], [0, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    )


def test_a_parent_of_another_table_does_not_count_here():
    # the diagnostic statement IMI is not the subclass IMI: ILMI is in the subclass only
    matrix = label_matrix(frame("ptbxl_diagnostic", [["ILMI"]]), "ptbxl_diagnostic", ["IMI", "ILMI"])
    np.testing.assert_array_equal(matrix, [[0, 1]])


def test_a_vocabulary_of_ones_own():
    table = frame("folder", [["b"], ["a"], []])
    np.testing.assert_array_equal(label_matrix(table, "folder"), [[0, 1], [1, 0], [0, 0]])


    np.testing.assert_array_equal(label_matrix(table, "folder", ["c", "b"]), [[0, 1], [0, 0], [0, 0]])
    own = vocabulary_of(table, "folder")
    assert own.codes == own.names == ("a", "b") and own.find("B") == "b"
    assert vocabulary_of(frame("ludb", [["AF"]]), "ludb") is vocabulary("ludb")


def test_a_catalog_without_labels_says_so():
    with pytest.raises(ColumnMissing, match="this catalog has no labels"):
        label_matrix(pl.DataFrame({"record": ["a"]}), "ludb")
    with pytest.raises(ColumnMissing, match="in this catalog: ludb. Did you mean 'ludb'"):
        label_matrix(frame("ludb", [[]]), "ludbb")
