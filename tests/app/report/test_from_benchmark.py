"""From a result folder to a page. The cells are written by hand: scores with a known order, no training."""

import json
import re

import numpy as np
import polars as pl
import pytest

from ecgprior.app.report.from_benchmark import report_of
from ecgprior.app.report.page import render
from ecgprior.app.report.recordings import examples, label_rows, source_rows
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.base import CatalogRow, Source
from ecgprior.errors import CorpusError
from ecgprior.evaluation.arms import Setting
from ecgprior.evaluation.benchmark import open_setting, write_results
from ecgprior.evaluation.cells import FORMAT, CellStore
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.record.record import Patient, Record

N = 60


class Sines(Source):
    """Records made here, labelled in turn; every fifth patient has two."""

    title, licence, url, layout = "Sines, made for a test", "none", "nowhere", "anything"
    vocabularies = ("simulated",)

    @property
    def name(self) -> str:
        return "sines"

    def found(self):
        return True

    def read(self, path):
        raise NotImplementedError

    def rows(self):
        for i in range(N):
            labels = ("NORM",) if i % 2 else ("AF", "LBBB") if i % 4 else ("AF",)
            yield CatalogRow(
                f"r{i:02d}", "sines", f"{i}", f"p{i - (i % 5 == 4)}", 50.0, "female", {"simulated": labels}
            )

    def load(self, row_path):
        i = int(row_path)
        t = np.arange(1000) / 250
        rng = np.random.default_rng(i)
        return Record(
            signal=[
                np.sin(2 * np.pi * (1 + i / 7 + k / 10) * t) + 0.1 * rng.normal(size=1000) for k in range(12)
            ],
            fs=250,
            name=f"r{i:02d}",
            patient=Patient(f"p{i}", 50.0, "female"),
        )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return prepare(
        [Sines(tmp_path_factory.mktemp("sines"))], tmp_path_factory.mktemp("c") / "corpus", fs=100, workers=1
    )


RECIPE = {
    "title": "A test",
    "replicates": 40,
    "split": {"kind": "cv", "folds": 3},
    "arms": [{"name": "supervised", "pretrain": "supervised"}, {"name": "simclr", "pretrain": "simclr"}],
    "tasks": [{"name": "sines", "vocabulary": "simulated", "sources": ["sines"], "min_positives": 5}],
}


def write_cells(setting: Setting, to, better: str) -> None:
    """Perfect scores for one arm, noise for the others."""
    store, (labels, y) = CellStore(to), setting.truth["sines"]
    for name in setting.cells():
        records = setting.folds.parts(name.fold)["test"]
        truth = y[setting.corpus.rows(records)]
        noise = np.random.default_rng([name.fold, len(name.arm)]).uniform(0.01, 0.99, truth.shape)
        scores = 0.9 * truth + 0.1 * noise if name.arm == better else noise
        read = {"scores": scores.T.tolist(), "auroc": [0.5] * len(labels)}
        readouts = {"probe": read, "head": read} if name.arm == "supervised" else {"probe": read}
        store.write(
            name,
            {
                "format": FORMAT, "arm": name.arm, "seed": name.seed, "fold": name.fold, "key": setting.key(name),
                "corpus": setting.corpus.digest, "view_passes": 128, "test_seen_in_training": 0,
                "seconds": {"train": 60.0, "embed": 1.0, "probe": 1.0},
                "tasks": {"sines": {"labels": list(labels), "records": records, "readouts": readouts}},
            },
        )  # fmt: skip


@pytest.fixture(scope="module")
def result(corpus, tmp_path_factory):
    to = tmp_path_factory.mktemp("result")
    setting = open_setting(BenchmarkRecipe.of(RECIPE), corpus, to)
    write_cells(setting, to, better="simclr")
    write_results(setting, to)
    for fold in range(3):
        run = to / "work" / f"simclr-s0-f{fold}-0123abcd" / "run"
        run.mkdir(parents=True)
        lines = [{"event": "start", "step": 0, "n_records": 40}]
        lines += [{"event": "step", "step": s, "loss": 4.0 - s / 100} for s in range(10, 310, 10)]
        lines += [{"event": "step", "step": 310, "loss": None}]
        (run / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "ste')
    return to


def test_the_headline_names_the_self_supervised_arm_and_what_came_out(result, corpus):
    report = report_of(result, corpus)
    assert report.headline.startswith(
        "A linear probe does better on SimCLR features than on a random encoder"
    )
    assert "macro AUROC 1.000 against 0." in report.headline
    assert f"{N} records of {N - N // 5} patients" in report.lead_in and "3 folds, 1 seed" in report.lead_in
    assert "Supervised 0." in report.lead_in


def test_arms_come_in_the_recipes_order_with_the_control_first(result, corpus):
    report = report_of(result, corpus)
    assert [arm.name for arm in report.arms] == ["random-init", "supervised", "supervised/head", "simclr"]
    assert [d.arm for d in report.differences] == ["supervised", "supervised/head", "simclr"]


def test_label_support_is_that_of_the_test_records(result, corpus):
    found = {
        label.label.split(" ")[0]: (label.positives, label.labelled)
        for label in report_of(result, corpus).labels
    }
    assert found == {"NORM": (30, N), "AF": (30, N), "LBBB": (15, N)}


def test_curves_are_those_of_the_runs(result, corpus):
    (chart,) = report_of(result, corpus).curves
    assert chart.title == "SimCLR: training loss" and chart.y_label == "3 runs, 40 training records"
    assert [curve.run for curve in chart.curves] == [f"seed 0, fold {k}" for k in range(3)]
    assert chart.curves[0].points[0] == (10.0, 3.9) and len(chart.curves[0].points) == 30


def test_without_runs_it_says_so(result, corpus, tmp_path):
    report = report_of(result, corpus, work=tmp_path)
    assert report.curves == () and any("curves are not shown" in note for note in report.notes)


def test_the_page_is_whole(result, corpus):
    html = render(report_of(result, corpus))
    for said in ("A test", "Sines", "250 Hz", "atrial fibrillation", "resampled from 250 Hz", corpus.digest):
        assert said in html, said
    assert "Simulated ECGs" not in html
    assert not re.search(r"https?:", html.replace('xmlns="http://www.w3.org/2000/svg"', ""))


def test_sources_and_labels_count_what_is_there(corpus):
    (row,) = source_rows(corpus)
    assert (row.title, row.records, row.patients, row.lengths, row.leads) == (
        "Sines",
        N,
        N - N // 5,
        "4 s",
        "12",
    )
    assert row.labels == "simulated (3)"
    assert [(r.code, r.positives) for r in label_rows(corpus, ["simulated", "no such"])] == [
        ("AF", 30),
        ("NORM", 30),
        ("LBBB", 15),
    ]


def test_examples_are_the_plainest_records_and_no_record_twice(corpus):
    shown = examples(corpus, [("simulated", "AF"), ("simulated", "LBBB"), ("simulated", "AF"), ("x", "y")])
    assert [e.caption.split(" –")[0] for e in shown] == ["sines/r00", "sines/r02", "sines/r04"]
    assert "AF · atrial fibrillation, LBBB · left bundle-branch block." in shown[1].caption
    assert len(examples(corpus, [("simulated", "AF")] * 9, most=2)) == 2


def test_a_folder_without_results_is_refused(tmp_path, corpus):
    with pytest.raises(
        CorpusError, match="expected manifest.json, which is not there – run ecgprior benchmark first"
    ):
        report_of(tmp_path, corpus)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CorpusError, match="manifest.json of .* expected JSON"):
        report_of(tmp_path, corpus)


def test_a_corpus_of_other_records_is_refused(result, corpus, tmp_path):
    import shutil

    shutil.copytree(result, tmp_path / "r")
    folds = pl.read_csv(tmp_path / "r/folds.csv").with_columns(pl.col("record").str.replace("r", "q"))
    folds.write_csv(tmp_path / "r/folds.csv")
    with pytest.raises(CorpusError, match="is not in corpus"):
        report_of(tmp_path / "r", corpus)


def test_a_mixed_result_headline_does_not_claim(corpus, tmp_path):
    setting = open_setting(BenchmarkRecipe.of(RECIPE), corpus, tmp_path)
    write_cells(setting, tmp_path, better="nobody")
    write_results(setting, tmp_path)
    report = report_of(tmp_path, corpus)
    assert (
        "cannot be told from" in report.headline or "worse" in report.headline or "better" in report.headline
    )
    gap = next(d.value for d in report.differences if d.arm == "simclr")
    assert ("cannot be told" in report.headline) == (gap.low <= 0 <= gap.high)
