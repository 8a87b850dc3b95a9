"""What is written, and what is said of a checkpoint that is broken."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch

from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._checkpoint import read_config
from ecgprior.encoders._load import load, save_checkpoint
from ecgprior.errors import CheckpointError
from ecgprior.provenance import sha256_file
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS


def edit(folder, change):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def replace_weights(folder, change):
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    change(state)
    path.write_bytes(safetensors.torch.save(state))
    edit(folder, lambda c: c["files"].update({path.name: sha256_file(path)}))


def test_holds_what_the_format_says_and_no_optimiser(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["format_version"] == 1 and config["kind"] == "ecgprior-checkpoint"
    assert config["architecture"] == {
        "name": "xresnet1d", "config": {"size": "0.3m", "kernel": 5, "weakest_lead": 0}, "dim": 128, "min_samples": 32
    }  # fmt: skip
    assert config["leads"] == list(LEADS) and config["unit"] == "mV" and config["fs"] == 100
    assert config["preprocessing"]["normalise"] == "lead" and config["seconds"] == 5
    assert config["head"]["labels"] == ["AF", "NORM", "PVC"]
    assert config["head"]["layers"] == [
        {"kind": "linear", "in_features": 128, "out_features": 3, "bias": True}
    ]
    assert config["trained_on"] == {"n_records": 2, "fingerprints": True}
    assert config["provenance"] == {"recipe": {"steps": 3}} and config["metrics"] == {"macro_auroc": 0.5}
    assert set(config["files"]) == {"model.safetensors", "fingerprints.safetensors", "model.onnx"}
    assert {p.name for p in checkpoint.iterdir()} == set(config["files"]) | {"config.json"}
    keys = safetensors.torch.load_file(checkpoint / "model.safetensors").keys()
    assert {key.partition(".")[0] for key in keys} == {"encoder", "head"}


def test_the_onnx_file_says_what_it_needs(checkpoint):
    import onnx

    model = onnx.load(checkpoint / "model.onnx")
    said = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert said["preprocessing"]["fs"] == 100 and said["leads"] == list(LEADS) and said["unit"] == "mV"
    assert said["head"]["labels"] == ["AF", "NORM", "PVC"]


def test_replaces_a_checkpoint_whole(copied):
    encoder = build_encoder("transformer", {}, ("I",), 250, seed=0)
    save_checkpoint(copied, encoder, Preprocessing(fs=250, leads=("I",)), seconds=10)
    assert {p.name for p in copied.iterdir()} == {"config.json", "model.safetensors"}
    loaded = load(copied)
    assert (loaded.fs, loaded.leads, loaded.labels, loaded.fingerprints) == (250, ("I",), (), None)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "model.onnx", "fingerprints.safetensors", "config.json"]
)
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    backend = "onnx" if name == "model.onnx" else "torch"
    with pytest.raises(CheckpointError, match=f"{name} is missing; there are "):
        _ = load(copied, backend=backend).fingerprints


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx", "fingerprints.safetensors"])
def test_a_cut_or_changed_file_is_named(copied, name):
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    for bad in (bytes(data), bytes(data[: len(data) // 2])):
        (copied / name).write_bytes(bad)
        with pytest.raises(CheckpointError, match=f"{name} was changed or cut: expected SHA-256"):
            _ = load(copied, backend="onnx" if name == "model.onnx" else "torch").fingerprints


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format_version=2), "reads format_version 1, got 2"),
        (lambda c: c.pop("format_version"), "reads format_version 1, got None"),
        (
            lambda c: c.update(kind="corpus"),
            "expected kind 'ecgprior-checkpoint' in config.json, got 'corpus'",
        ),
        (lambda c: c.pop("leads"), "field 'leads' is missing"),
        (lambda c: c.update(led=1), "field 'led' is unknown"),
        (lambda c: c.update(unit="uV"), "field 'unit'.*got 'uV'"),
        (lambda c: c.update(fs=500.0), "field 'fs' is 500.0, but its preprocessing gives 100.0"),
        (lambda c: c.update(leads=["I"]), r"field 'leads' is \('I',\), but its preprocessing gives"),
        (lambda c: c["preprocessing"].update(normalize="lead"), "Did you mean 'normalise'"),
        (lambda c: c["architecture"].update(name="xresnet"), "Did you mean 'xresnet1d'"),
        (lambda c: c["architecture"]["config"].update(size="34"), "'size'"),
        (lambda c: c["architecture"].update(dim=64), "'dim' is 64, the encoder has 128"),
        (lambda c: c["head"]["layers"][0].update(kind="lstm"), "got 'lstm'"),
        (lambda c: c["head"]["layers"][0].update(size=3), "layer 'linear' does not take"),
        (lambda c: c.update(head=None), "'head.0.bias' is not of this encoder"),
    ],
)
def test_a_wrong_config_is_explained(copied, change, said):
    edit(copied, change)
    with pytest.raises(CheckpointError, match=said):
        load(copied, backend="torch")


@pytest.mark.parametrize("text", ["", "[1]", "{", "\ufffe", "null"])
def test_a_config_that_is_no_config(copied, text):
    (copied / "config.json").write_bytes(text.encode("utf-16") if text == "\ufffe" else text.encode())
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load(copied)


def test_weights_that_do_not_fit_are_compared(copied):
    def change(state):
        del state["encoder.stem.0.conv.weight"]
        state["encoder.extra"] = torch.zeros(3)
        state["head.0.weight"] = torch.zeros(4, 128)
        state["head.0.bias"] = torch.zeros(3, dtype=torch.float16)

    replace_weights(copied, change)
    with pytest.raises(CheckpointError) as caught:
        load(copied, backend="torch")
    said = str(caught.value)
    assert "'encoder.stem.0.conv.weight' is missing (expected 16×12×5)" in said
    assert "'encoder.extra' is not of this encoder" in said
    assert "'head.0.weight': expected 3×128, got 4×128" in said
    assert "'head.0.bias': expected torch.float32, got torch.float16" in said


def test_many_differences_are_counted(copied):
    replace_weights(copied, lambda state: [state.pop(key) for key in list(state)[:20]])
    with pytest.raises(CheckpointError, match="; and 14 more"):
        load(copied, backend="torch")


def test_not_a_folder_at_all(tmp_path, checkpoint):
    with pytest.raises(CheckpointError, match="got nothing"):
        load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="got a file"):
        load(checkpoint / "config.json")


def test_files_that_are_not_what_they_are_called(copied):
    for name in ("model.safetensors", "model.onnx", "fingerprints.safetensors"):
        path = copied / name
        path.write_bytes(b"no such thing" * 9)
        edit(copied, lambda c, path=path: c["files"].update({path.name: sha256_file(path)}))
    for backend in ("torch", "onnx"):
        with pytest.raises(CheckpointError, match="cannot be"):
            load(copied, backend=backend)
    from ecgprior.encoders._checkpoint import read_fingerprints

    with pytest.raises(CheckpointError, match="cannot be read"):
        read_fingerprints(copied, read_config(copied))


def test_parts_that_contradict_each_other_are_not_saved(tmp_path):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 100, seed=0)
    with pytest.raises(CheckpointError, match="encoder takes 100 Hz.*preprocessing gives 250 Hz"):
        save_checkpoint(tmp_path / "c", encoder, Preprocessing(fs=250), seconds=10)
    plan = Preprocessing(fs=100)
    with pytest.raises(CheckpointError, match="got a head, 0 labels"):
        save_checkpoint(tmp_path / "c", encoder, plan, seconds=10, head=torch.nn.Linear(128, 2))
    with pytest.raises(CheckpointError, match="2 outputs, 3 labels"):
        save_checkpoint(tmp_path / "c", encoder, plan, seconds=10, head=torch.nn.Linear(128, 2), labels="abc")
    with pytest.raises(CheckpointError, match=r"fingerprints: expected int8 \(records, sketch\)"):
        save_checkpoint(tmp_path / "c", encoder, plan, seconds=10, fingerprints=np.zeros(3))
    with pytest.raises(CheckpointError, match="not a JSON value"):
        save_checkpoint(tmp_path / "c", encoder, plan, seconds=10, metrics={"auroc": float("nan")})
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_a_window_of_no_length_is_refused(copied, seconds):
    edit(copied, lambda values: values.update(seconds=seconds))
    with pytest.raises(CheckpointError, match="field 'seconds'"):
        load(copied)


def test_a_shortest_window_of_nothing_and_endless_json_are_refused(copied):
    edit(copied, lambda values: values["architecture"].update(min_samples=0))
    with pytest.raises(CheckpointError, match="field 'min_samples'"):
        load(copied)
    (copied / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="is not JSON"):
        load(copied)
