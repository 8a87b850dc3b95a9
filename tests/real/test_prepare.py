"""A corpus of real recordings: LUDB, Brugada-HUCA, Chagas 2025 and CPSC-2021 side by side; PTB-XL's published folds."""

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.catalog import catalog, open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.shards import Corpus
from ecgprior.corpus.splits import split
from ecgprior.errors import CorpusError
from ecgprior.record.record import LEADS

SETS = {
    "ludb": "ludb",
    "brugada": "brugada-huca",
    "chagas2025": "chagas2025-code15",
    "cpsc2021": "cpsc2021-sample",
}


@pytest.fixture(scope="module")
def corpus(real_data, tmp_path_factory) -> Corpus:
    folders = {name: real_data / folder for name, folder in SETS.items()}
    return prepare(folders, tmp_path_factory.mktemp("corpus") / "c", fs=500, workers=1)


@pytest.mark.slow
def test_short_and_long_records_lie_side_by_side(corpus):
    seconds = corpus.index["seconds"]
    assert {7.336, 10.24, 12.0} <= set(seconds.round(3)) and seconds.max() > 500
    two = corpus.index.filter(pl.col("source") == "cpsc2021")
    assert two["leads"].to_list() == [["I", "II"]] * two.height
    row = corpus.rows([two["record"][0]])[0]
    assert np.isnan(corpus.signal(row, 0, 10)[2:]).all()
    assert corpus.broken() == []


@pytest.mark.slow
def test_one_wild_sample_rejects_nobody(corpus):
    assert corpus.manifest["n_rejected"] == 0
    large = [
        np.nanmax(np.abs(corpus.signal(row)))
        for row in corpus.rows()
        if corpus.index["source"][row] == "chagas2025"
    ]
    assert sum(value > 10 for value in large) >= 25  # many CODE-15 recordings exceed 10 mV somewhere


@pytest.mark.slow
def test_what_is_stored_is_what_the_source_loads(corpus, real_data):
    """At the publisher's own rate, to the rounding of 16 bits: LUDB with its common gain."""
    source = open_source("ludb", real_data / SETS["ludb"])
    rows = [row for row in corpus.rows() if corpus.index["source"][row] == "ludb"][:20]
    for row in rows:
        wanted = source.load(corpus.index["path"][row]).pick(LEADS).signal
        np.testing.assert_allclose(corpus.signal(row), wanted, atol=1.01 * np.abs(wanted).max() / 65_534)


@pytest.mark.slow
def test_published_marks_come_along(corpus, real_data):
    source = open_source("ludb", real_data / SETS["ludb"])
    row = next(row for row in corpus.rows() if corpus.index["source"][row] == "ludb")
    marks, wanted = corpus.record(row).annotations, source.load(corpus.index["path"][row]).annotations
    np.testing.assert_array_equal(marks.sample, wanted.sample)
    assert marks.symbol == wanted.symbol and marks.lead == wanted.lead
    rhythm = corpus.side("annotations").filter(pl.col("record").str.starts_with("cpsc2021/"))
    assert rhythm["note"].str.contains("AFIB").any()


def test_the_published_folds_of_ptbxl_are_not_whole_here(real_data):
    table = catalog([open_source("ptbxl", real_data / "ptb-xl")])
    with pytest.raises(
        CorpusError, match=r"published validation fold of 'ptbxl' \(9\) is empty here: .* --cv 5"
    ):
        split(table)
    made = split(table, cv=5, labels="ptbxl_superclass")
    joined = table.join(made.fold.rename({"fold": "in"}), on="record").explode("labels.ptbxl_superclass")
    counts = joined.drop_nulls("labels.ptbxl_superclass").group_by("labels.ptbxl_superclass", "in").len()
    spread = counts.group_by("labels.ptbxl_superclass").agg(
        pl.len().alias("n"), pl.col("len").max() - pl.col("len").min()
    )
    assert (spread["n"] == 5).all() and spread["len"].max() <= 3
    assert joined.group_by("patient").agg(pl.col("in").n_unique())["in"].max() == 1
