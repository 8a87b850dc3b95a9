"""One sample, one label, one fold, one recipe value, one figure: verify names each."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.shards import Corpus
from ecgprior.errors import CorpusError
from ecgprior.evaluation.verify import verify


@pytest.fixture
def place(finished, corpus, tmp_path):
    """Copies of corpus and result that a test may change."""
    shutil.copytree(corpus.path, tmp_path / "corpus")
    shutil.copytree(finished["to"], tmp_path / "result", ignore=shutil.ignore_patterns("work"))
    return tmp_path


def check(place):
    return verify(place / "result", Corpus(place / "corpus"))


def change(path, edit):
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def test_nothing_changed(place):
    assert check(place) == []
    for name in ("results.json", "results.csv", "results.md"):
        (place / "result" / name).unlink()
    assert check(place) == []


def test_one_sample(place):
    corpus = Corpus(place / "corpus")
    row = corpus.rows(["beta/r007"])[0]
    entry = corpus.index.row(row, named=True)
    path = next((place / "corpus/shards").glob(f"{entry['shard']:05d}*"))
    stored = np.fromfile(path, "<i2")
    stored[entry["offset"] // 2 + 123] += 1
    stored.tofile(path)
    found = check(place)
    assert len(found) == 1 and "sample" in found[0] and "'beta/r007'" in found[0]


def test_one_label(place):
    path = place / "corpus/index.parquet"
    index = pl.read_parquet(path)
    labels = index["labels.v"].to_list()
    row = index["record"].to_list().index("alpha/r005")
    labels[row] = ["slow", *labels[row]]
    index.with_columns(pl.Series("labels.v", labels)).write_parquet(path)
    found = check(place)
    assert "label: the labels of 'alpha/r005' are not those the benchmark was run on" in found
    assert not any("sample" in line or "fold:" in line or "recipe" in line for line in found)


def test_one_fold(place):
    path = place / "result/folds.csv"
    lines = path.read_text().splitlines()
    at = next(
        i for i, line in enumerate(lines) if line.startswith("alpha/r014,")
    )  # it has no label: in no cell
    record, source, fold, *rest = lines[at].split(",")
    other = str((int(fold) + 1) % 3)
    lines[at] = ",".join([record, source, other, *rest])
    path.write_text("\n".join(lines) + "\n")
    found = check(place)
    assert f"fold: 'alpha/r014' is in fold {other}, the split gave {fold}" in found
    assert not any("sample" in line or "label:" in line or "recipe:" in line for line in found)


def test_one_fold_of_a_fold_file_that_no_seed_gives(place):
    change(place / "result/manifest.json", lambda m: m["folds"].update(digest="given"))
    path = place / "result/folds.csv"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("alpha/r015,"))
    record, source, fold, *rest = lines[at].split(",")
    lines[at] = ",".join([record, source, str((int(fold) + 1) % 3), *rest])
    path.write_text("\n".join(lines) + "\n")
    assert f"fold: 'alpha/r015' is in fold {(int(fold) + 1) % 3}, cells tested it in {fold}" in check(place)


@pytest.mark.parametrize(
    ("key", "edit"),
    [
        ("seeds", lambda m: m["recipe"].update(seeds=[1])),
        (
            "arms.simclr.pretrain_values.steps",
            lambda m: m["recipe"]["arms"][2]["pretrain_values"].update(steps=99),
        ),
        ("tasks.first.min_positives", lambda m: m["recipe"]["tasks"][0].update(min_positives=9)),
        ("split.seed", lambda m: m["recipe"]["split"].update(seed=7)),
    ],
)
def test_one_recipe_value(place, key, edit):
    change(place / "result/manifest.json", edit)
    found = check(place)
    assert len(found) == 1 and found[0].startswith(f"recipe: '{key}' is ") and "it was" in found[0]
    (place / "result/results.json").unlink()
    assert any(line.startswith(f"recipe: '{key}' is ") for line in check(place))


def test_one_score_and_one_figure(place):
    def better(cell):
        scores = cell["tasks"]["first"]["readouts"]["probe"]["scores"]
        scores[0] = [1 - s for s in scores[0]]

    change(place / "result/cells/simclr-s0-f2.json", better)
    found = check(place)
    assert len(found) == 1
    assert found[0].startswith("cell 'simclr-s0-f2', task 'first': probe: AUROC of 'slow' is ")


def test_one_figure_of_the_results(place):
    change(place / "result/results.json", lambda r: r["summary"][2].update(auroc=0.999))
    found = check(place)
    assert len(found) == 1 and found[0].startswith(
        "results.json: auroc of random-init/probe/all tasks is 0.999"
    )


def test_a_record_moved_between_cells(place):
    def other(cell):
        cell["tasks"]["first"]["records"][0] = "alpha/r099"

    change(place / "result/cells/simclr-s0-f2.json", other)
    assert any("'alpha/r099' is not in its test fold" in line for line in check(place))


def test_not_a_benchmark(tmp_path, corpus):
    with pytest.raises(CorpusError, match="holds no benchmark"):
        verify(tmp_path, corpus)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CorpusError, match="expected JSON"):
        verify(tmp_path, corpus)


def test_a_result_that_is_older_than_a_column_is_not_called_changed(place):
    def older(results):
        for row in results["summary"]:
            del row["difference_seeds"]

    change(place / "result/results.json", older)
    assert check(place) == []
    change(place / "result/results.json", lambda results: results["summary"][0].update(difference_seeds=7))
    assert any("difference_seeds of random-init" in fault for fault in check(place))


def test_a_column_that_was_taken_out_is_missed(place):
    def without(results):
        for row in results["summary"]:
            del row["auroc"]

    change(place / "result/results.json", without)
    assert any("auroc of random-init/probe/first is None" in fault for fault in check(place))
