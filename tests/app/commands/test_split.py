"""``ecgprior split`` on the command line."""

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.splits import Split
from ecgprior.errors import ColumnMissing, CorpusError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours")
    rng = np.random.default_rng(0)
    lines = ["path,patient,labels,fs"]
    for i in range(20):
        np.save(folder / f"r{i:02d}.npy", rng.normal(0, 0.3, (12, 600)).astype(np.float32))
        lines.append(f"r{i:02d}.npy,{f'p{i // 2}' if i < 10 else ''},{'A' if i % 4 else ''},100")
    (folder / "records.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return prepare([open_source("folder", folder)], folder / "c", fs=100, workers=1).path


def run(*arguments):
    return CliRunner().invoke(app, ["split", *map(str, arguments)])


def test_folds_and_manifest_are_written(corpus, tmp_path):
    done = run(corpus, "--cv", 5, "--labels", "folder", "--seed", 3, "--to", tmp_path / "folds.csv")
    assert done.exit_code == 0, done.output
    assert "cv, records a fold 0: 4, 1: 4, 2: 4, 3: 4, 4: 4" in done.output
    assert "10 of 20 records have no patient id" in done.output
    made = Split.load(tmp_path / "folds.csv")
    assert made.manifest["seed"] == 3 and made.manifest["labels"] == ["folder"]


def test_parts_of_patients_without_cv(corpus, tmp_path):
    done = run(corpus, "--to", tmp_path / "folds.csv")
    assert done.exit_code == 0, done.output
    assert {
        name: len(records) > 0 for name, records in Split.load(tmp_path / "folds.csv").parts().items()
    } == {
        "train": True,
        "validation": True,
        "test": True,
    }


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["--cv", "2"], CorpusError, "at least 3"),
        (["--labels", "foldar"], ColumnMissing, "Did you mean 'folder'"),
    ],
)
def test_what_cannot_be_is_said(corpus, arguments, kind, words, tmp_path):
    done = run(corpus, *arguments, "--to", tmp_path / "folds.csv")
    assert isinstance(done.exception, kind) and words in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_seed_below_0_is_refused(corpus, tmp_path):
    done = run(corpus, "--cv", 5, "--seed", -1, "--to", tmp_path / "folds.csv")
    assert done.exit_code == 2 and "--seed" in done.output
