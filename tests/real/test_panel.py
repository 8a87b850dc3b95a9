"""The panel on the real sets: which labels and how many, folds without leaks, one tiny run that verifies."""

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.evaluation.benchmark import benchmark
from ecgprior.evaluation.folds import make_folds
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.tasks import patients_of
from ecgprior.evaluation.verify import verify

SETS = {
    "ptbxl": "ptb-xl",
    "brugada": "brugada-huca",
    "cinc2011": "cinc2011",
    "ludb": "ludb",
    "cinc2021": "cinc2021-sample",
}


@pytest.fixture(scope="module")
def corpus(real_data, tmp_path_factory):
    sources = [open_source(name, real_data / folder) for name, folder in SETS.items()]
    return prepare(sources, tmp_path_factory.mktemp("panel") / "corpus", fs=100, workers=1)


@pytest.mark.slow
def test_support_of_every_label(corpus):
    """PTB-XL, Brugada-HUCA, CinC 2011 and LUDB as they lie in the shared folder."""
    found = {}
    for task in BenchmarkRecipe.read("panel").tasks:
        names, y = task.matrix(corpus.index)
        counts = np.nansum(y, axis=0).astype(int).tolist()
        found[task.name] = dict(zip(names, counts, strict=True)), int((~np.isnan(y)).any(axis=1).sum())
        assert task.dropped(corpus.index) == {}
    assert set(found["ptbxl"][0]) == {"NORM", "MI", "STTC", "CD", "HYP"} and found["ptbxl"][1] > 330
    assert set(found["ludb"][0]) == {"AF", "BLOCK", "LVH", "LAH", "ISCSCAR"} and found["ludb"][1] == 119
    undecided = corpus.index.filter((pl.col("source") == "brugada") & pl.col("labels.brugada").is_null())
    assert 0 < undecided.height < 10 and found["brugada"][0]["brugada"] < found["brugada"][1] / 2
    assert found["cinc2011"][1] == 205
    assert min(count for counts, _ in found.values() for count in counts.values()) >= 8


@pytest.mark.slow
def test_folds_keep_patients_together_and_labels_in_proportion(corpus):
    recipe = BenchmarkRecipe.read("panel")
    folds = make_folds(recipe, corpus.index)
    index = corpus.index.select("record", person=pl.Series(patients_of(corpus.index)))
    table = folds.table.join(index, on="record")
    assert (table.group_by("person").agg(pl.col("fold").n_unique())["fold"] == 1).all()
    for task in recipe.tasks:
        names, y = task.matrix(corpus.index)
        for k in range(5):
            test = y[corpus.rows(folds.parts(k)["test"])]
            share, whole = np.nansum(test, axis=0), np.nansum(y, axis=0)
            assert (np.abs(share - whole / 5) <= np.maximum(3, 0.15 * whole)).all(), (task.name, k, names)


@pytest.mark.slow
def test_a_tiny_panel_runs_and_verifies(corpus, tmp_path):
    values = ["seeds=[0]", "split.only=[0]", "pretrain.steps=2", "pretrain.batch=16", "replicates=20"]
    result = benchmark(BenchmarkRecipe.read("panel", values), corpus, tmp_path / "result")
    assert result.finished == result.planned == 4
    assert result.tables.cells["test_seen_in_training"].to_list() == [0, 0, 0, 0]
    summary = result.tables.summary
    random = summary.filter((pl.col("arm") == "random-init") & (pl.col("scope") == "all tasks"))
    assert random["auroc"][0] > 0.6  # a random encoder with a probe is better than chance
    assert set(summary["scope"]) == {"ptbxl", "brugada", "cinc2011", "ludb", "all tasks", "without cinc2011"}
    assert all(path.stat().st_size < 20_000 for path in (tmp_path / "result/cells").glob("*.json"))
    assert verify(tmp_path / "result", corpus) == []
