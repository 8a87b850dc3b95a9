"""Published folds as published, patients in one part, labels in proportion, and a manifest that notices changes."""

import json

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.catalog import catalog
from ecgprior.corpus.duplicates import sketch
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.base import PublishedFolds
from ecgprior.corpus.splits import Split, check_leaks, input_digest, split
from ecgprior.errors import ColumnMissing, CorpusError, SplitLeak
from ecgprior.record.record import LEADS

FOLDS = PublishedFolds(train=(1, 2), validation=(3,), test=(4,))


def table(n: int, source: str = "s", folds=None, patients=None, codes=None) -> pl.DataFrame:
    """A catalog of `n` records; `folds`, `patients` and `codes` are functions of the record's number."""
    rows = range(n)
    return pl.DataFrame(
        {
            "record": [f"{source}/r{i:04d}" for i in rows],
            "source": [source] * n,
            "patient": [patients(i) if patients else None for i in rows],
            "fold": [folds(i) if folds else None for i in rows],
            "labels.v": [list(codes(i)) if codes else None for i in rows],
        },
        schema={
            "record": str,
            "source": str,
            "patient": str,
            "fold": pl.Int32,
            "labels.v": pl.List(pl.String),
        },
    )


def sizes(made: Split) -> list[int]:
    return made.fold.group_by("fold").len().sort("fold")["len"].to_list()


def test_published_folds_are_the_parts():
    index = table(40, folds=lambda i: i % 4 + 1)
    made = split(index, published={"s": FOLDS})
    assert made.kind == "published" and made.fold["fold"].to_list() == [i % 4 + 1 for i in range(40)]
    assert {name: len(records) for name, records in made.parts().items()} == {
        "train": 20,
        "validation": 10,
        "test": 10,
    }
    assert made.parts()["test"] == [f"s/r{i:04d}" for i in range(40) if i % 4 == 3]
    with pytest.raises(CorpusError, match="not a cross-validation"):
        made.cv_parts(0)


@pytest.mark.parametrize(("missing", "part"), [(3, "validation"), (4, "test")])
def test_an_empty_published_fold_is_refused_and_cv_named(missing, part):
    index = table(40, folds=lambda i: i % 4 + 1).filter(pl.col("fold") != missing)
    with pytest.raises(CorpusError, match=rf"published {part} fold of 's' \({missing}\) is empty .* --cv 5"):
        split(index, published={"s": FOLDS})
    assert split(index, cv=5).kind == "cv"


def test_the_sources_know_their_published_folds():
    index = table(40, source="ptbxl", folds=lambda i: i % 8 + 1)
    with pytest.raises(CorpusError, match="--cv 5"):
        split(index)
    assert split(table(40, source="ptbxl", folds=lambda i: i % 10 + 1)).kind == "published"


def test_a_fold_that_the_publisher_does_not_know_is_refused():
    for folds in (lambda i: i % 5 + 1, lambda i: None if i == 7 else i % 4 + 1):
        with pytest.raises(CorpusError, match="no published fold that 's' knows"):
            split(table(40, folds=folds), published={"s": FOLDS})


def test_sources_without_folds_are_dealt_out_beside_those_with():
    index = pl.concat(
        [table(40, folds=lambda i: i % 4 + 1), table(100, "t", patients=lambda i: f"t/{i // 2}")]
    )
    made = split(index, published={"s": FOLDS})
    assert made.kind == "mixed"
    parts = made.parts()
    assert [sum(r.startswith("t/") for r in parts[p]) for p in parts] == [80, 10, 10]
    assert sum(r.startswith("s/") for r in parts["train"]) == 20


def test_without_published_folds_patients_are_dealt_out():
    made = split(table(200, patients=lambda i: f"p{i // 4}", codes=lambda i: ("A",) if i % 8 == 0 else ()))
    assert made.kind == "random" and sizes(made) == [160, 20, 20]
    assert made.manifest["n_patients"] == 50 and made.manifest["n_without_patient"] == 0
    with pytest.raises(CorpusError, match="at least 3 patients, got 2"):
        split(table(4, patients=lambda i: f"p{i // 2}"))


def test_a_record_without_a_patient_is_its_own_and_the_manifest_says_so():
    made = split(table(50, patients=lambda i: "one" if i < 10 else None), cv=5)
    assert made.manifest["n_without_patient"] == 40 and made.manifest["n_patients"] == 1
    assert made.fold["fold"][:10].n_unique() == 1 and sizes(made) == [10] * 5


def test_labels_and_sources_are_kept_in_proportion():
    index = pl.concat([table(100, codes=lambda i: "A" * (i < 10) + "B" * (i % 2)), table(50, "t")])
    made = split(index, cv=5)
    joined = index.join(made.fold.rename({"fold": "in"}), on="record")
    for code, wanted in (("A", [2] * 5), ("B", [10] * 5)):
        got = (
            joined.filter(pl.col("labels.v").list.contains(code))
            .group_by("in")
            .len()
            .sort("in")["len"]
            .to_list()
        )
        assert got == wanted
    assert joined.filter(source="t").group_by("in").len()["len"].to_list() == [10] * 5


def test_the_seed_decides_and_repeats():
    index = table(60, patients=lambda i: f"p{i // 2}")
    assert split(index, cv=5, seed=1).fold.equals(split(index, cv=5, seed=1).fold)
    assert not split(index, cv=5, seed=1).fold.equals(split(index, cv=5, seed=2).fold)
    assert split(index, cv=5, seed=1).manifest["inputs"] == split(index, cv=5, seed=2).manifest["inputs"]


def test_cross_validation_parts():
    made = split(table(50), cv=5)
    tests = [set(made.cv_parts(k)["test"]) for k in range(5)]
    assert set.union(*tests) == set(made.fold["record"]) and sum(map(len, tests)) == 50
    parts = made.cv_parts(4)
    assert set(parts["validation"]) == tests[0] and set(parts["train"]) == tests[1] | tests[2] | tests[3]
    with pytest.raises(CorpusError, match="test fold: expected 0 to 4, got 5"):
        made.cv_parts(5)
    with pytest.raises(CorpusError, match="expected a test fold to be named"):
        made.parts()


def test_impossible_folds():
    for cv, words in ((2, "at least 3"), (0, "at least 3"), (11, "at most 10")):
        with pytest.raises(CorpusError, match=words):
            split(table(10), cv=cv)
    with pytest.raises(CorpusError, match="at least one record"):
        split(table(0), cv=3)
    with pytest.raises(ColumnMissing, match="'patient' is not in the index"):
        split(table(9).drop("patient"), cv=3)
    with pytest.raises(ColumnMissing, match="labels 'w' are not in the index: expected one of v"):
        split(table(9), cv=3, labels="w")


def test_a_label_that_nobody_has_and_no_labels_at_all():
    assert sizes(split(table(9), cv=3)) == [3, 3, 3]
    assert sizes(split(table(9).drop("labels.v"), cv=3)) == [3, 3, 3]
    assert sizes(split(table(9, codes=lambda i: ("A",)), cv=3, labels=())) == [3, 3, 3]


def test_leaks_are_named():
    index = table(8, patients=lambda i: f"p{i // 2}")
    names = index["record"].to_list()
    check_leaks({"train": names[:4], "test": names[4:]}, index)
    with pytest.raises(SplitLeak, match="patient 'p1' has records in test and train"):
        check_leaks({"train": names[:3], "test": names[3:]}, index)
    with pytest.raises(SplitLeak, match=f"record '{names[2]}' lies in two parts"):
        check_leaks({"train": names[:3], "test": names[2:]}, index)
    with pytest.raises(CorpusError, match="'s/x' is not in the corpus"):
        check_leaks({"train": ["s/x"], "test": names}, index)


def test_published_folds_that_share_a_patient_are_refused():
    index = table(40, folds=lambda i: i % 4 + 1, patients=lambda i: f"p{i // 2}")
    with pytest.raises(
        SplitLeak, match="patient 'p1', 'p3', 'p5' and 7 more has records in test and validation"
    ):
        split(index, published={"s": FOLDS})


def test_one_recording_under_two_names_is_a_leak_and_stays_together(ecg):
    prints = np.array([sketch(ecg(i if i != 9 else 0).signal, 500, LEADS) for i in range(10)])
    index = table(10).with_columns(fingerprint=pl.Series(prints, dtype=pl.Array(pl.Int8, 64)))
    names = index["record"].to_list()
    with pytest.raises(SplitLeak, match=r"'s/r0000' in train and 's/r0009' in another part .*\(1 such"):
        check_leaks({"train": names[:5], "test": names[5:]}, index)
    for seed in range(5):
        fold = split(index, cv=3, seed=seed).fold["fold"]
        assert fold[0] == fold[9]


def test_a_corpus_is_asked_for_its_signals(ecg, make_source, tmp_path, monkeypatch):
    corpus = prepare([make_source({f"r{i}": ecg(i) for i in range(4)})], tmp_path / "c", fs=100, workers=1)
    same = corpus.index["fingerprint"].to_list()
    same[3] = same[0]  # a near sketch, but another signal
    index = corpus.index.with_columns(fingerprint=pl.Series(same, dtype=pl.Array(pl.Int8, 64)))
    parts = {"train": corpus.index["record"].to_list()[:2], "test": corpus.index["record"].to_list()[2:]}
    with pytest.raises(SplitLeak):
        check_leaks(parts, index)
    corpus.index = index
    check_leaks(parts, corpus)
    assert split(corpus, cv=3).manifest["inputs"]["corpus"] == corpus.digest
    assert split(corpus.path, cv=3).manifest["inputs"]["corpus"] == corpus.digest
    with pytest.raises(CorpusError, match="manifest.json is not there"):
        split(str(tmp_path / "nope"))


def test_saved_and_loaded(tmp_path):
    made = split(table(50, patients=lambda i: f"p{i // 2}"), cv=5, seed=3)
    path = made.save(tmp_path / "sub/folds.csv")
    again = Split.load(path)
    assert again.fold.equals(made.fold) and again.manifest == made.manifest and again.kind == "cv"
    assert path.read_text().splitlines()[0] == "record,fold"
    for key in ("seed", "digest", "inputs", "n_without_patient", "provenance"):
        assert key in again.manifest


def test_a_changed_fold_file_is_noticed(tmp_path):
    path = split(table(50), cv=5).save(tmp_path / "folds.csv")
    lines = path.read_text().splitlines()
    lines[1] = lines[1][:-1] + str((int(lines[1][-1]) + 1) % 5)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(CorpusError, match="changed after the split"):
        Split.load(path)
    assert Split.load(path, check=False).fold.height == 50


def test_fold_files_that_are_none(tmp_path):
    made = split(table(9), cv=3)
    with pytest.raises(CorpusError, match="ends in .csv"):
        made.save(tmp_path / "folds.txt")
    with pytest.raises(CorpusError, match="'folds.csv' is not there"):
        Split.load(tmp_path / "folds.csv")
    path = made.save(tmp_path / "folds.csv")
    about = path.with_suffix(".json")
    for text, words in (
        ("{", "JSON manifest"),
        ("[]", "not that of a split"),
        (json.dumps(made.manifest | {"format_version": 2}), "format_version: expected 1, got 2"),
    ):
        about.write_text(text)
        with pytest.raises(CorpusError, match=words):
            Split.load(path)
    about.unlink()
    with pytest.raises(CorpusError, match="'folds.json' is not there"):
        Split.load(path)


def test_the_input_digest_knows_labels_but_not_order():
    index = table(9, codes=lambda i: ("A",))
    assert input_digest(index) == input_digest(index.reverse())
    assert input_digest(index) != input_digest(table(9, codes=lambda i: ("B",)))


def test_a_catalog_may_be_split_before_it_is_prepared(make_source, ecg):
    made = split(catalog([make_source({f"r{i}": ecg(i) for i in range(9)})]), cv=3)
    assert sizes(made) == [3, 3, 3]
