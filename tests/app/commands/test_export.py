"""What ``ecgprior export`` writes says itself what it needs, and computes what the checkpoint computes."""

import json

import numpy as np
import onnxruntime
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.corpus.splits import Split
from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import load, save_checkpoint
from ecgprior.errors import CheckpointError
from ecgprior.objectives.delineate import Delineate
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS

SAID = {
    "recipe": {"steps": 1},
    "init": "f1357",
    "init_recipe": {"steps": 2},
    "corpus": "c0ffee",
    "sources": [{"name": "ludb", "licence": "ODC-By 1.0"}],
}


def checkpoint(to, name="lead_unet", **config):
    encoder = build_encoder(name, config, LEADS, 250.0, seed=4)
    plan = Preprocessing(fs=250.0)
    if name != "lead_unet":
        return save_checkpoint(to, encoder, plan, seconds=2)
    objective = Delineate(encoder, Delineate.Config(per_token=2))
    head = objective.lead_head()
    kept = {"head": head.module, "labels": head.classes, "reads": "lead_tokens"}
    return save_checkpoint(to, encoder, plan, seconds=2, provenance=SAID, onnx=True, **kept)


def export(path, to):
    done = CliRunner().invoke(app, ["export", str(path), "--to", str(to)], catch_exceptions=False)
    assert done.exit_code == 0 and "MiB" in done.output
    return onnxruntime.InferenceSession(str(to), providers=["CPUExecutionProvider"])


def test_a_delineator_takes_any_leads_and_gives_probabilities(tmp_path):
    path = checkpoint(tmp_path / "c", size="0.04m")
    session = export(path, tmp_path / "d.onnx")
    assert [value.name for value in session.get_inputs()] == ["signal", "lead_mask"]
    said = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
    assert said["classes"] == ["none", "P", "QRS", "T"] and said["waves_fs"] == 250.0 and said["unit"] == "mV"
    assert said["preprocessing"]["fs"] == 250.0 and "leads" not in said["preprocessing"]
    origin = said["provenance"]
    assert {key: origin[key] for key in SAID} == SAID and len(origin["recipe_digest"]) == 64
    model, rng = load(path), np.random.default_rng(0)
    for n_leads, time in ((12, 640), (1, 256), (3, 320)):
        signal = rng.normal(size=(2, n_leads, time)).astype(np.float32)
        lead_mask, valid = np.ones((2, n_leads), bool), np.ones((2, time), bool)
        lead_mask[0, n_leads - 1] = n_leads == 1
        waves = session.run(["waves"], {"signal": signal, "lead_mask": lead_mask})[0]
        model.encoder.leads = tuple(str(i) for i in range(n_leads))
        tokens = model.encoder.lead_tokens(*(torch.from_numpy(a) for a in (signal, lead_mask, valid)))
        logits = model.head(tokens).unflatten(3, (2, 4)).flatten(2, 3).transpose(2, 3)
        expected = torch.softmax(logits, 2).numpy()
        assert waves.shape == expected.shape == (2, n_leads, 4, 2 * -(-time // 2))
        np.testing.assert_allclose(waves[lead_mask], expected[lead_mask], atol=1e-5)
        assert (waves[~lead_mask][:, 0] == 1).all() and (waves[~lead_mask][:, 1:] == 0).all()


def test_from_simulated_hearts_to_a_file_by_commands(tmp_path):
    """The recipe of the package, made small: truth of simulated hearts in, a network file out."""

    def run(*arguments):
        done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    hearts, corpus = tmp_path / "hearts", tmp_path / "corpus"
    run("simulate", "--to", hearts, "--n", 6, "--rate", 250, "--fiducials")
    run("prepare", f"simulated={hearts}", "--to", corpus, "--workers", 1)
    run("split", corpus, "--cv", 3, "--to", tmp_path / "folds.csv")
    small = ["steps=2", "batch=4", "encoder.size=0.04m"]
    parts = ["--split", tmp_path / "folds.csv", "--test-fold", 0, "--all-but-test"]
    run("pretrain", "delineate/ludb", *small, "--corpus", corpus, "--to", tmp_path / "run", *parts)
    session = export(tmp_path / "run" / "checkpoint", tmp_path / "d.onnx")
    origin = json.loads(session.get_modelmeta().custom_metadata_map["provenance"])
    assert origin["recipe"]["encoder"]["size"] == "0.04m" and origin["facts"]["all_but_test"] is True
    assert [source["name"] for source in origin["sources"]] == ["simulated"]
    n_train = origin["sources"][0]["n_records"]
    assert n_train == 6 - Split.load(tmp_path / "folds.csv").fold.filter(pl.col("fold") == 0).height


def test_its_checkpoint_embeds_but_does_not_predict(tmp_path):
    path = checkpoint(tmp_path / "c", size="0.04m")
    signal = np.random.default_rng(0).normal(size=(1, 12, 500)).astype(np.float32)
    a, b = (load(path, backend=backend).embed(signal, fs=250) for backend in ("torch", "onnx"))
    np.testing.assert_allclose(a, b, atol=1e-4)
    with pytest.raises(CheckpointError, match="has no head"):
        load(path).predict(signal, fs=250)


def test_another_encoder_gives_what_pretrain_onnx_writes(tmp_path):
    session = export(checkpoint(tmp_path / "c", "xresnet1d", size="0.3m"), tmp_path / "m.onnx")
    assert [value.name for value in session.get_outputs()] == ["pooled"]


def test_a_head_on_leads_needs_an_encoder_with_leads(tmp_path):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 250.0)
    head = torch.nn.Linear(encoder.dim, 4)
    with pytest.raises(CheckpointError, match="needs an encoder that has them, got XResNet1d"):
        save_checkpoint(
            tmp_path / "c",
            encoder,
            Preprocessing(fs=250.0),
            seconds=2,
            head=head,
            labels="abcd",
            reads="lead_tokens",
        )
