"""``ecgprior benchmark`` and ``ecgprior probe`` as they are typed."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.folder import Folder
from ecgprior.corpus.splits import split
from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import save_checkpoint
from ecgprior.errors import CorpusError, RecipeError
from ecgprior.record.preprocess import Preprocessing

PRETRAIN = """steps = 1
batch = 4
seconds = 1.5
[preprocessing]
fs = 100.0
[encoder]
name = "xresnet1d"
size = "0.3m"
[objective]
name = "simclr"
"""
RECIPE = """title = "Typed"
replicates = 20
[split]
folds = 3
only = [0]
[[arms]]
name = "simclr"
pretrain = "{}"
[[tasks]]
name = "wave"
vocabulary = "folder"
labels = ["a"]
min_positives = 4
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a corpus, a benchmark recipe and an untrained checkpoint."""
    root = tmp_path_factory.mktemp("records")
    rng = np.random.default_rng(0)
    lines = ["path,patient,labels,fs"]
    for i in range(30):
        wave = np.sin(2 * np.pi * 2 * np.arange(150) / 100 + rng.uniform(0, 6)) * (i % 2)
        np.save(root / f"r{i:02d}.npy", (wave + 0.2 * rng.normal(size=(12, 150))).astype(np.float32))
        lines.append(f"r{i:02d}.npy,p{i},{'a' if i % 2 else '-'},100")
    (root / "records.csv").write_text("\n".join(lines) + "\n")
    to = tmp_path_factory.mktemp("place")
    with ThreadPoolExecutor(1) as executor:
        corpus = prepare([Folder(root)], to / "corpus", fs=100, seconds=1.5, executor=executor)
    (to / "simclr.toml").write_text(PRETRAIN)
    (to / "typed.toml").write_text(RECIPE.format(to / "simclr.toml"))
    split(corpus, cv=3, seed=0).save(to / "folds.csv")
    plan = Preprocessing(fs=100)
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, plan.leads, plan.fs, seed=0)
    save_checkpoint(to / "checkpoint", encoder, plan, seconds=1.5)
    return to


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)


def test_benchmark_then_verify(place, tmp_path):
    to, corpus = tmp_path / "result", place / "corpus"
    found = run("benchmark", place / "typed.toml", "replicates=30", "--corpus", corpus, "--to", to)
    assert found.exit_code == 0, found.output
    assert "0 of 2 cells are finished; the other 2 will take about" in found.output
    assert "| random-init (linear probe) | 1 |" in found.output
    for name in ("auroc.svg", "auroc.png", "labels.svg", "labels.png", "results.json", "results.csv", "results.md"):
        assert (to / name).stat().st_size > 100
    again = run("benchmark", place / "typed.toml", "replicates=30", "--corpus", corpus, "--to", to)
    assert again.exit_code == 0 and "will take about" not in again.output
    found = run("benchmark", "--verify", to, "--corpus", corpus)
    assert found.exit_code == 0 and "are as they were" in found.output
    manifest = to / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"replicates": 30', '"replicates": 31'))
    found = run("benchmark", "--verify", to, "--corpus", corpus)
    assert found.exit_code == 1 and "recipe: 'replicates' is 31, it was 30" in found.output


def test_benchmark_wants_a_recipe_and_a_folder(place):
    found = run("benchmark", "--corpus", place / "corpus")
    assert isinstance(found.exception, RecipeError) and "--verify RESULT" in str(found.exception)


def test_probe(place, tmp_path):
    arguments = ["probe", place / "checkpoint", "--corpus", place / "corpus", "--labels", "folder"]
    arguments += ["--split", place / "folds.csv", "--min-positives", "4", "--to", tmp_path / "labels.csv"]
    found = run(*arguments, "--test-fold", "0")
    assert found.exit_code == 0, found.output
    assert "macro AUROC" in found.output and "unknown: the checkpoint says nothing" in found.output
    assert (tmp_path / "labels.csv").read_text().startswith("label,n,positives,auroc,auprc,f1_max,brier,ece\na,10,5,")
    found = run(*arguments)
    assert isinstance(found.exception, CorpusError) and "pass --test-fold, one of 0 to" in str(found.exception)
