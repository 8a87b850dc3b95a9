"""Whatever the patients and labels: nobody in two parts, folds balanced, every label in every fold where it can be."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.corpus.splits import split

CODES = "ABCDEF"


@st.composite
def catalogs(draw, alone: bool = False) -> pl.DataFrame:
    """Up to 60 patients of 1 to 5 records with up to 6 labels; `alone`: one label a patient."""
    n_patients = draw(st.integers(5, 60))
    records, patients, codes, n = [], [], [], 0
    for patient in range(n_patients):
        mine = draw(st.sets(st.sampled_from(CODES), max_size=1 if alone else 4))
        known = alone or draw(st.booleans())
        for _ in range(draw(st.integers(1, 5))):
            records.append(f"s/{n}")
            patients.append(f"p{patient}" if known else None)
            codes.append(sorted(mine))
            n += 1
    return pl.DataFrame(
        {"record": records, "source": "s", "patient": patients, "fold": None, "labels.v": codes},
        schema={
            "record": str,
            "source": str,
            "patient": str,
            "fold": pl.Int32,
            "labels.v": pl.List(pl.String),
        },
    )


@given(catalogs(), st.integers(3, 5), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_no_patient_in_two_parts_and_every_record_once(index, cv, seed):
    made = split(index, cv=cv, seed=seed)
    assert made.fold["record"].to_list() == index["record"].to_list()
    assert set(made.fold["fold"]) <= set(range(cv))
    joined = index.join(made.fold.rename({"fold": "in"}), on="record")
    assert (joined.drop_nulls("patient").group_by("patient").agg(pl.col("in").n_unique())["in"] == 1).all()
    for k in range(cv):
        parts = made.cv_parts(k)
        assert sorted(sum(parts.values(), [])) == sorted(index["record"])


@given(catalogs(), st.integers(3, 5), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_folds_are_balanced(index, cv, seed):
    """No fold is further from its share than the largest patient and what the labels' whole numbers cost."""
    sizes = split(index, cv=cv, seed=seed).fold["fold"].value_counts()["count"].to_list()
    assert len(sizes) == cv
    assert max(sizes) - min(sizes) <= 2 * 5 + 0.25 * index.height / cv


@given(catalogs(alone=True), st.integers(3, 5), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_label_is_in_every_fold_where_enough_patients_have_it(index, cv, seed):
    made = split(index, cv=cv, seed=seed)
    joined = (
        index.join(made.fold.rename({"fold": "in"}), on="record").explode("labels.v").drop_nulls("labels.v")
    )
    for (code,), rows in joined.partition_by("labels.v", as_dict=True).items():
        if rows["patient"].n_unique() >= cv:
            assert rows["in"].n_unique() == cv, code


def test_rare_labels_that_go_with_others():
    """100 random catalogs with labels that come together: 99 % of (label, fold) pairs that could be filled are."""
    filled = possible = 0
    for seed in range(100):
        rng = np.random.Generator(np.random.PCG64(seed))
        has = rng.random((60, 6)) < np.array([0.1, 0.12, 0.15, 0.2, 0.4, 0.6])
        codes = [[code for code, yes in zip(CODES, row, strict=True) if yes] for row in has]
        index = pl.DataFrame(
            {
                "record": [f"s/{i}" for i in range(60)],
                "source": "s",
                "patient": None,
                "fold": None,
                "labels.v": codes,
            },
            schema={
                "record": str,
                "source": str,
                "patient": str,
                "fold": pl.Int32,
                "labels.v": pl.List(pl.String),
            },
        )
        fold = split(index, cv=5, seed=seed).fold["fold"].to_numpy()
        for label in range(6):
            if has[:, label].sum() >= 5:
                possible += 5
                filled += len(set(fold[has[:, label]]))
    assert filled >= 0.99 * possible
