"""A corpus and a finished benchmark of it: cells written by hand, scores with a known order, no training."""

import json

import numpy as np
import pytest

from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.base import CatalogRow, Source
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
    codes = {code: code for code in ("NORM", "AF", "LBBB")}

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
            labels = {self.vocabularies[0]: tuple(self.codes[label] for label in labels)}
            yield CatalogRow(f"r{i:02d}", "sines", f"{i}", f"p{i - (i % 5 == 4)}", 50.0, "female", labels)

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


@pytest.fixture(scope="session")
def finished():
    """``finished(corpus, to, better)``: a whole result folder in which one arm scores best; recipe keys may be added."""

    def made(corpus, to, better, **more):
        setting = open_setting(BenchmarkRecipe.of(RECIPE | more), corpus, to)
        write_cells(setting, to, better=better)
        write_results(setting, to)
        return to

    return made


@pytest.fixture(scope="session")
def sines(tmp_path_factory):
    return prepare(
        [Sines(tmp_path_factory.mktemp("sines"))], tmp_path_factory.mktemp("c") / "corpus", fs=100, workers=1
    )


class OwnSines(Sines):
    """The same, labelled in words of one's own."""

    vocabularies = ("folder",)
    codes = {"NORM": "12", "AF": "flutter (typical)", "LBBB": "wide"}


@pytest.fixture(scope="session")
def own_sines(tmp_path_factory):
    return prepare(
        [OwnSines(tmp_path_factory.mktemp("own"))], tmp_path_factory.mktemp("c") / "corpus", fs=100, workers=1
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


@pytest.fixture(scope="session")
def result(sines, finished, tmp_path_factory):
    to = finished(sines, tmp_path_factory.mktemp("result"), better="simclr")
    for fold in range(3):
        run = to / "work" / f"simclr-s0-f{fold}-0123abcd" / "run"
        run.mkdir(parents=True)
        lines = [{"event": "start", "step": 0, "n_records": 40}]
        lines += [{"event": "step", "step": s, "loss": 4.0 - s / 100} for s in range(10, 310, 10)]
        lines += [{"event": "step", "step": 310, "loss": None}]
        (run / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "ste')
    return to
