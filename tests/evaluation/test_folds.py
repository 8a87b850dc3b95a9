"""The fold file: patient-wise, whole, and aware of what changed."""

import polars as pl
import pytest

from ecgprior.errors import CorpusError
from ecgprior.evaluation.folds import Folds, changed_records, check_folds, make_folds
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.tasks import patients_of

VOCABULARIES = ("v", "w")


@pytest.fixture
def folds(corpus, values):
    return make_folds(BenchmarkRecipe.of(values()), corpus.index)


def test_every_record_of_the_tasks_sources_once_and_no_patient_twice(folds, corpus):
    index = corpus.index.filter(pl.col("source") != "gamma")
    assert folds.table["record"].to_list() == sorted(index["record"])
    people = index.select("record", "source", person=pl.Series(patients_of(index)))
    table = people.join(folds.table.select("record", "fold"), on="record")
    assert (table.group_by("person").agg(pl.col("fold").n_unique())["fold"] == 1).all()
    for source, most in (("alpha", 13), ("beta", 11)):
        counts = table.filter(pl.col("source") == source)["fold"].value_counts()["count"]
        assert len(counts) == 3 and counts.max() <= most + 2


def test_parts_are_disjoint_and_rotate(folds):
    tested = []
    for k in range(3):
        parts = folds.parts(k)
        assert sum(len(records) for records in parts.values()) == folds.table.height
        assert set(parts["validation"]) == set(folds.parts((k + 1) % 3)["test"])
        tested += parts["test"]
    assert sorted(tested) == folds.table["record"].to_list()


def test_same_seed_same_folds_and_another_seed_others(folds, corpus, values):
    assert make_folds(BenchmarkRecipe.of(values()), corpus.index).digest == folds.digest
    other = values(split={"kind": "cv", "folds": 3, "seed": 1})
    assert make_folds(BenchmarkRecipe.of(other), corpus.index).digest != folds.digest


def test_round_trip_without_labels_or_patients_in_the_file(folds, tmp_path):
    folds.save(tmp_path / "folds.csv")
    again = Folds.load(tmp_path / "folds.csv", 3, folds.facts)
    assert again.digest == folds.digest and again.label_digest == folds.label_digest
    text = (tmp_path / "folds.csv").read_text()
    assert "slow" not in text and "/p1" not in text


def test_changes_are_named(folds, corpus):
    index = corpus.index
    scale = index["scale"].to_list()
    scale[3] = [2 * s for s in scale[3]]
    labels = [None if i == 4 else codes for i, codes in enumerate(index["labels.v"].to_list())]
    changed = index.with_columns(pl.Series("scale", scale), pl.Series("labels.v", labels)).filter(
        pl.col("record") != "beta/r000"
    )
    found = changed_records(folds, changed, VOCABULARIES)
    assert found == {
        "signal": [index["record"][3]],
        "labels": [index["record"][4]],
        "missing": ["beta/r000"],
        "new": [],
    }
    with pytest.raises(CorpusError, match="1 of its records are not in the corpus, the first is 'beta/r000'"):
        check_folds(folds, changed, VOCABULARIES)
    with pytest.raises(CorpusError, match="1 records have other labels than when the benchmark began"):
        check_folds(folds, index.with_columns(pl.Series("labels.v", labels)), VOCABULARIES)
    notes = check_folds(folds, index.with_columns(pl.Series("scale", scale)), VOCABULARIES)
    assert len(notes) == 1 and notes[0].startswith("1 records have another signal")


def test_a_record_more_takes_no_part(folds, corpus):
    fewer = Folds(folds.table.head(-1), folds.n, folds.facts)
    assert check_folds(fewer, corpus.index, VOCABULARIES) == [
        "1 records of the corpus are not in folds.csv and take no part"
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["record,fold", "a,0"], "expected columns record, source, fold, signal, labels"),
        (["record,source,fold,signal,labels", "a,s,3,x,y"], "expected folds 0, 1, 2, got '3'"),
        (["record,source,fold,signal,labels", "a,s,0,x,y", "a,s,1,x,y"], "expected every record once"),
    ],
)
def test_broken_fold_files(tmp_path, lines, says):
    path = tmp_path / "folds.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(CorpusError, match=says):
        Folds.load(path, 3, {})
