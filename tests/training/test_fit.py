"""A whole run: what it writes, that it resumes bit for bit, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ecgprior.encoders._load import load
from ecgprior.errors import ColumnMissing, CorpusError, EcgpriorError, RecipeError, TrainingStopped, describe
from ecgprior.objectives.simclr import SimCLR
from ecgprior.objectives.supervised import Supervised
from ecgprior.training.fit import fit
from ecgprior.training.log import read_log
from ecgprior.training.plan import PretrainRecipe
from ecgprior.training.windows import WindowStore

BCE = {"name": "supervised"}


def weights(checkpoint):
    return load_file(checkpoint / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_leaves_a_checkpoint_and_no_resume_state(corpus, recipe, tmp_path):
    moves = []
    checkpoint = fit(recipe(save_every=2), corpus, tmp_path / "run", progress=lambda *a: moves.append(a))
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["checkpoint", "log.jsonl", "run.json"]
    lines = read_log(tmp_path / "run" / "log.jsonl")
    assert [line["event"] for line in lines] == ["start"] + ["step"] * 6
    assert {"loss", "contrast", "top1", "lr", "grad_norm", "loading_share", "seconds"} <= lines[-1].keys()
    assert lines[-1]["windows_per_second"] > 0 and "flop_utilisation" not in lines[-1]
    assert moves[-1][:2] == (6, 6)
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["provenance"]["recipe"]["steps"] == 6
    assert config["provenance"]["corpus"] == corpus.digest
    assert config["metrics"]["view_passes"] == 6 * 8 * 2
    made = load(checkpoint)
    assert made.embed(corpus.record(0)).shape == (1, made.dim)
    assert len(made.fingerprints) == len(corpus)


def test_the_same_call_on_a_finished_run_returns_it(corpus, recipe, tmp_path):
    first = fit(recipe(), corpus, tmp_path / "run")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert fit(recipe(), corpus, tmp_path / "run") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp


def test_seeds_decide_and_the_global_generator_is_left_alone(corpus, recipe, tmp_path):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    store = WindowStore(corpus, PretrainRecipe.of(recipe()).preprocessing, range(len(corpus)))
    runs = [fit(recipe(seed=s), corpus, tmp_path / name, store=store) for s, name in ((0, "a"), (0, "b"), (1, "c"))]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(weights(runs[0]), weights(runs[1])) and not same(weights(runs[0]), weights(runs[2]))


class Killed(Exception):
    pass


TIMED = {"seconds", "loading_share", "windows_per_second", "tflops"}


@pytest.mark.parametrize("objective", [{"name": "simclr"}, {**BCE, "dropout": 0.3}], ids=["simclr", "supervised"])
def test_resumed_equals_never_interrupted(corpus, recipe, labels, names, tmp_path, objective):
    values = recipe(objective, steps=7, save_every=3, validate_every=2, accumulate=2)
    more = {"train": names[:16], "validation": names[16:], "labels": labels}
    whole = fit(values, corpus, tmp_path / "whole", **more)

    def die(done, total, text):
        if done == 5 and total == 7:
            raise Killed

    with pytest.raises(Killed):
        fit(values, corpus, tmp_path / "cut", **more, progress=die)
    assert json.loads((tmp_path / "cut" / "state.json").read_text())["step"] == 3
    resumed = fit(values, corpus, tmp_path / "cut", **more)
    assert same(weights(whole), weights(resumed))
    logs = [
        [
            {key: v for key, v in line.items() if key not in TIMED}
            for line in read_log(tmp_path / run / "log.jsonl")
            if line["event"] != "start"
        ]
        for run in ("whole", "cut")
    ]
    assert logs[0] == logs[1]


KILL_ME = """
import sys
from ecgprior.training.fit import fit
import json
fit(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])
"""


@pytest.mark.slow
def test_sigkill_at_some_step_changes_nothing(corpus, recipe, tmp_path):
    values = recipe(steps=12, save_every=1)
    whole = fit(values, corpus, tmp_path / "whole")
    command = [sys.executable, "-c", KILL_ME, json.dumps(values), str(corpus.path), str(tmp_path / "cut")]
    env = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    for after in (2, 5):
        child = subprocess.Popen(command, env=env)
        while child.poll() is None:
            state = tmp_path / "cut" / "state.json"
            if state.is_file() and json.loads(state.read_text())["step"] >= after:
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        assert child.wait() == -signal.SIGKILL
    assert same(weights(whole), weights(fit(values, corpus, tmp_path / "cut")))


def test_anew_forgets_and_another_recipe_is_refused(corpus, recipe, tmp_path):
    fit(recipe(), corpus, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"another run: recipe.optimiser.lr was 0.001, now it is 0.5"):
        fit(recipe(optimiser={"lr": 0.5}), corpus, tmp_path / "run")
    again = fit(recipe(optimiser={"lr": 0.002}), corpus, tmp_path / "run", resume=False)
    assert load(again).config["provenance"]["recipe"]["optimiser"]["lr"] == 0.002


def test_what_is_refused_leaves_no_folder_and_an_earlier_run_as_it_was(corpus, recipe, labels, tmp_path):
    supervised = recipe(BCE, steps=2)
    with pytest.raises(ColumnMissing, match="needs labels"):
        fit(supervised, corpus, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    done = fit(supervised, corpus, tmp_path / "run", labels=labels)
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(ColumnMissing, match="needs labels"):
        fit(supervised, corpus, tmp_path / "run", resume=False)
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert fit(supervised, corpus, tmp_path / "run", labels=labels) == done
    (tmp_path / "mine").mkdir()
    with pytest.raises(ColumnMissing, match="needs labels"):
        fit(supervised, corpus, tmp_path / "mine")
    assert not any((tmp_path / "mine").iterdir())


def test_a_run_that_never_took_a_step_binds_nobody(corpus, recipe, tmp_path):
    with pytest.raises(EcgpriorError):
        fit(recipe(batch=1), corpus, tmp_path / "run")  # nothing to tell a window from
    done = fit(recipe(), corpus, tmp_path / "run")
    assert same(weights(done), weights(fit(recipe(), corpus, tmp_path / "other")))


def test_supervised_learns_and_its_head_is_kept(corpus, recipe, labels, names, tmp_path):
    values = recipe(BCE, steps=60, validate_every=20, optimiser={"lr": 3e-3}, log_every=60)
    checkpoint = fit(values, corpus, tmp_path / "run", train=names[:18], validation=names[18:], labels=labels)
    made = load(checkpoint)
    assert made.labels == labels[0]
    looks = [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "validation"]
    best = max(looks, key=lambda line: line["auroc"])
    metrics = made.config["metrics"]
    assert metrics["kept_step"] == best["step"] and metrics["validation"] == {"auroc": best["auroc"]}
    assert best["auroc"] > 0.8
    scores = made.predict([corpus.record(row) for row in range(18, 24)])
    from ecgprior.training.validate import macro_auroc

    assert macro_auroc(scores, labels[1][18:]) == pytest.approx(best["auroc"], abs=1e-6)


def test_patience_stops_early(corpus, recipe, labels, names, tmp_path):
    values = recipe(BCE, steps=40, validate_every=1, patience=2, optimiser={"lr": 1e-6})
    more = {"train": names[:18], "validation": names[18:], "labels": labels}
    fit(values, corpus, tmp_path / "run", **more)
    steps = [line["step"] for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "step"]
    assert steps[-1] < 40
    metrics = load(tmp_path / "run" / "checkpoint").config["metrics"]
    assert metrics["steps"] == steps[-1] and metrics["view_passes"] == 8 * steps[-1]


def test_of_fewer_records_than_a_batch_each_gives_one_window(corpus, recipe, names, tmp_path):
    fit(recipe(batch=63, accumulate=3, steps=1), corpus, tmp_path / "run", train=names[:11])
    assert read_log(tmp_path / "run" / "log.jsonl")[0]["batch"] == 9
    with pytest.raises(CorpusError, match="at least 3 usable records"):
        fit(recipe(batch=63, accumulate=3, steps=1), corpus, tmp_path / "few", train=names[:2])


def test_validation_without_a_head_is_the_loss(corpus, recipe, names, tmp_path):
    values = recipe(validate_every=3)
    fit(values, corpus, tmp_path / "run", train=names[:16], validation=names[16:])
    looks = [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "validation"]
    assert [line["step"] for line in looks] == [3, 6] and all("loss" in line for line in looks)


def test_init_gives_the_first_weights(corpus, recipe, labels, tmp_path):
    first = fit(recipe(), corpus, tmp_path / "first")
    frozen = recipe(BCE, steps=1, optimiser={"lr": 1e-12, "weight_decay": 0.0})
    second = fit(frozen, corpus, tmp_path / "second", labels=labels, init=first)
    name = "encoder.stem.0.conv.weight"
    torch.testing.assert_close(weights(first)[name], weights(second)[name], atol=1e-6, rtol=0)
    moved = first.rename(tmp_path / "moved")  # the same weights, wherever they lie
    assert fit(frozen, corpus, tmp_path / "second", labels=labels, init=moved) == second


def test_a_loss_that_is_not_finite_names_the_records(corpus, recipe, labels, names, tmp_path, monkeypatch):
    broken = Supervised._each

    def each(self, logits, target):
        return broken(self, logits, target) * float("nan")

    monkeypatch.setattr(Supervised, "_each", each)
    with pytest.raises(TrainingStopped) as caught:
        fit(recipe(BCE, batch=4), corpus, tmp_path / "run", train=names[8:12], labels=labels)
    sentence = describe(caught.value)
    assert "loss of step 0: expected a finite number, got nan" in sentence and str(tmp_path) in sentence
    assert all(name in sentence for name in names[8:12])
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_gradient_that_is_not_finite_stops_too(corpus, recipe, tmp_path):
    with pytest.raises(TrainingStopped, match="records"):
        fit(recipe(optimiser={"lr": 1e30, "clip": 0, "warmup": 0.0}), corpus, tmp_path / "run")


def test_labels_are_checked_before_the_first_step(corpus, recipe, labels, names, tmp_path):
    with pytest.raises(ColumnMissing, match=r"'supervised' needs labels and got none: pass --labels.*folder"):
        fit(recipe(BCE), corpus, tmp_path / "a")
    nothing = (labels[0], np.full((len(corpus), 2), np.nan, np.float32))
    with pytest.raises(ColumnMissing, match="none of the 24 training records has one of a, b"):
        fit(recipe(BCE), corpus, tmp_path / "b", labels=nothing)
    with pytest.raises(CorpusError, match=r"\(24, 2\), got \(23, 2\)"):
        fit(recipe(BCE), corpus, tmp_path / "c", labels=(labels[0], labels[1][:23]))


def test_parts_are_checked(corpus, recipe, names, tmp_path):
    with pytest.raises(CorpusError, match="is in both parts"):
        fit(recipe(), corpus, tmp_path / "a", train=names[:10], validation=names[9:])
    with pytest.raises(CorpusError, match="at least one record"):
        fit(recipe(), corpus, tmp_path / "b", train=[])


def test_a_store_of_another_preprocessing_is_refused(corpus, recipe, tmp_path):
    store = WindowStore(corpus, PretrainRecipe.of(recipe()).preprocessing, range(4))
    with pytest.raises(RecipeError, match="store: expected records preprocessed as the recipe says"):
        fit(recipe(preprocessing={"fs": 50}), corpus, tmp_path / "a", store=store)


def test_a_view_longer_than_its_window_is_refused(corpus, recipe, tmp_path):
    objective = {"name": "simclr", "view_seconds": 2.5}
    with pytest.raises(RecipeError, match=r"view_seconds: expected at most the window's seconds = 2, got 2.5"):
        fit(recipe(objective), corpus, tmp_path / "r")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("precision", ["bfloat16", "float64"])
def test_precisions(corpus, recipe, tmp_path, precision):
    made = fit(recipe(precision=precision, steps=2), corpus, tmp_path / "run")
    assert {value.dtype for name, value in weights(made).items() if "weight" in name} == {torch.float32}


def test_float16_needs_cuda(corpus, recipe, tmp_path):
    with pytest.raises(RecipeError, match="'float16' needs CUDA"):
        fit(recipe(precision="float16"), corpus, tmp_path / "run", device="cpu")


def test_tensorboard_only_when_asked(corpus, recipe, tmp_path):
    pytest.importorskip("tensorboard")
    fit(recipe(steps=2), corpus, tmp_path / "run", tensorboard=True)
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


@pytest.mark.slow
def test_two_processes_equal_one(corpus, recipe, tmp_path):
    """Transformer, dropout 0, float64: the gradient of the whole batch, whoever computes it."""
    one = recipe(
        {"name": "simclr", "augmentations": [{"name": "crop_resize"}, {"name": "lead_mask", "share": 0.3}]},
        encoder={"name": "transformer", "size": "1m", "dropout": 0.0},
        precision="float64",
        steps=3,
        accumulate=2,
    )
    single = fit(one, corpus, tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "script.py"
    script.write_text(KILL_ME)
    command = [*torchrun, str(script), json.dumps(one), str(corpus.path), str(tmp_path / "two")]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, timeout=240)
    both = [read_log(tmp_path / run / "log.jsonl") for run in ("one", "two")]
    assert both[1][0]["processes"] == 2
    for a, b in zip(*[[line["grad_norm"] for line in log[1:]] for log in both]):
        assert a == pytest.approx(b, rel=1e-9)
    two = weights(tmp_path / "two" / "checkpoint")
    for name, value in weights(single).items():
        torch.testing.assert_close(two[name], value, rtol=1e-6, atol=1e-8)


def test_an_objective_that_needs_the_next_window_counts_out_short_records(corpus, recipe, tmp_path, monkeypatch):
    seen = []
    project = SimCLR.project

    def look(self, batch, rng):
        seen.append(batch.next.valid.all().item())
        return project(self, batch, rng)

    monkeypatch.setattr(SimCLR, "needs", frozenset({"next"}))
    monkeypatch.setattr(SimCLR, "project", look)
    fit(recipe(steps=2), corpus, tmp_path / "run")
    start = read_log(tmp_path / "run" / "log.jsonl")[0]
    short = int((corpus.index["n_samples"] < 400).sum())
    assert 0 < short == start["n_counted_out"] and start["n_records"] == 24 - short
    assert seen == [True] * 6  # two views: in each of two steps, and where operations are counted
    with pytest.raises(CorpusError, match="needs two windows side by side"):
        fit(recipe(seconds=5.0), corpus, tmp_path / "long")


def test_a_folder_that_cannot_be_made_is_said_so(corpus, recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingStopped, match="expected one that can be written"):
        fit(recipe(), corpus, tmp_path / "file" / "run")


def test_another_encoder_by_name_is_enough(corpus, recipe, tmp_path):
    values = recipe({"name": "simclr", "temperature": 0.5}, encoder={"name": "s4d", "size": "0.2m"}, steps=12)
    checkpoint = fit(values, corpus, tmp_path / "run")
    losses = [line["loss"] for line in read_log(tmp_path / "run" / "log.jsonl") if line["event"] == "step"]
    assert np.isfinite(losses).all() and np.mean(losses[-3:]) < np.mean(losses[:3])
    assert load(checkpoint).embed(corpus.record(0)).shape == (1, 128)
