from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.folder import Folder
from ecgprior.encoders._load import load
from ecgprior.errors import ColumnMissing, CorpusError, LeadMissing, RecipeError, UnknownName

SMALL = ["steps=2", "batch=4", "seconds=2.0", "objective.view_seconds=2.0", "encoder.size=0.3m", "log_every=1"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("records"), np.random.default_rng(0)
    lines = ["path,patient,labels.ptbxl_superclass,labels,labels.ward,fs"]
    for i in range(20):
        np.save(root / f"{i}.npy", rng.normal(0, 0.3, (12, 300)).astype(np.float32))
        lines.append(f"{i}.npy,p{i},{('NORM', 'MI')[i % 2]},{('-', 'big wave')[i % 2]},W{i % 3},100")
    (root / "records.csv").write_text("\n".join(lines) + "\n")
    with ThreadPoolExecutor(1) as executor:
        return prepare([Folder(root)], root.parent / "made", fs=100, executor=executor).path


def run(*arguments):
    result = CliRunner().invoke(app, ["pretrain", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_recipe_of_the_package_with_values_on_top(corpus, tmp_path):
    result = run("simclr", *SMALL, "--corpus", corpus, "--to", tmp_path / "run")
    assert (
        result.exit_code == 0
        and f"checkpoint: {tmp_path / 'run' / 'checkpoint'}" in result.output.replace("\n", "")
    )
    assert load(tmp_path / "run" / "checkpoint").config["provenance"]["recipe"]["batch"] == 4


def test_supervised_takes_labels_and_a_fold(corpus, tmp_path):
    split = tmp_path / "folds.csv"
    made = CliRunner().invoke(app, ["split", str(corpus), "--cv", "4", "--to", str(split)])
    assert made.exit_code == 0, made.output
    more = ["--corpus", corpus, "--labels", "ptbxl_superclass", "--split", split, "--test-fold", "1"]
    run("supervised", *SMALL, *more, "--to", tmp_path / "run")
    config = load(tmp_path / "run" / "checkpoint").config
    assert config["metrics"]["n_records"] == 10
    assert config["provenance"]["facts"]["test_fold"] == 1
    assert "NORM" in config["head"]["labels"]


def test_labels_of_ones_own_are_trained_on(corpus, tmp_path):
    for labels, codes in (("folder", ("big wave",)), ("ward", ("W0", "W1", "W2"))):
        run("supervised", *SMALL, "--corpus", corpus, "--labels", labels, "--to", tmp_path / labels)
        made = load(tmp_path / labels / "checkpoint")
        assert made.labels == codes
        assert made.predict(np.zeros((12, 300), np.float32), fs=100).shape == (1, len(codes))
    with pytest.raises(ColumnMissing, match="in this catalog: folder, ptbxl_superclass, ward. Did you mean 'ward'"):
        run("supervised", *SMALL, "--corpus", corpus, "--labels", "wards", "--to", tmp_path / "run")


def test_all_but_the_test_fold_may_be_learnt_from(corpus, tmp_path):
    split = tmp_path / "folds.csv"
    CliRunner().invoke(app, ["split", str(corpus), "--cv", "4", "--to", str(split)])
    there = ["--corpus", corpus, "--to", tmp_path / "run"]
    more = ["--labels", "ptbxl_superclass", "--split", split, "--test-fold", "1", "--all-but-test"]
    run("supervised", *SMALL, *more, *there)
    config = load(tmp_path / "run" / "checkpoint").config
    assert config["metrics"]["n_records"] == 15 and config["provenance"]["facts"]["all_but_test"] is True
    assert config["metrics"]["kept_step"] == config["metrics"]["steps"]
    with pytest.raises(CorpusError, match="--all-but-test needs a fold file"):
        run("simclr", *SMALL, *there, "--all-but-test")


def test_a_recipe_of_another_folder_is_named_with_it(corpus, tmp_path):
    there = ["--corpus", corpus, "--to", tmp_path / "run"]
    with pytest.raises(ColumnMissing, match="needs 'waves'"):
        run("delineate/ludb", "steps=2", *there)
    with pytest.raises(UnknownName, match="delineate/lubd"):
        run("delineate/lubd", *there)


def test_refusals(corpus, tmp_path):
    there = ["--corpus", corpus, "--to", tmp_path / "run"]
    with pytest.raises(UnknownName, match="Did you mean 'simclr'"):
        run("simclrr", *there)
    with pytest.raises(RecipeError, match="Did you mean 'steps'"):
        run("simclr", "stesp=3", *there)
    with pytest.raises(ColumnMissing, match="pass --labels VOCABULARY.*ptbxl_superclass"):
        run("supervised", *SMALL, *there)
    assert not (tmp_path / "run").exists()
    with pytest.raises(CorpusError, match="--test-fold needs a fold file"):
        run("simclr", *there, "--test-fold", "1")
    with pytest.raises(CorpusError):
        run("simclr", "--corpus", tmp_path / "absent", "--to", tmp_path / "run")


def test_what_a_command_line_can_get_wrong(corpus, tmp_path):
    split = tmp_path / "folds.csv"
    CliRunner().invoke(app, ["split", str(corpus), "--cv", "4", "--to", str(split)])
    common = ["simclr", *SMALL, "--corpus", corpus, "--to", tmp_path / "run"]
    with pytest.raises(CorpusError, match="pass --test-fold, one of 0 to 3"):
        run(*common, "--split", split)
    with pytest.raises(LeadMissing, match=r"lead 'aVX' of the recipe's preprocessing .* Did you mean 'aVR'"):
        run(*common, 'preprocessing.leads=["I","aVX"]')
    with pytest.raises(RecipeError, match="device: expected one that PyTorch has here, got 'gpu'"):
        run(*common, "--device", "gpu")
    assert not (tmp_path / "run").exists()
