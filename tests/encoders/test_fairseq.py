"""Published fairseq-signals weights as a checkpoint: the same embeddings, and nothing in the file is executed.

The network below is written anew from the public description, with the names that published files have. Its size is
cut down, and the encoder's with it.
"""

import argparse
import json
import os
import zipfile
from collections import OrderedDict
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.encoders import transformer
from ecgprior.encoders._fairseq import convert
from ecgprior.encoders._load import load
from ecgprior.encoders._pickled import Archive
from ecgprior.errors import CheckpointError

STEM, DIM, INNER, HEADS, LAYERS = 32, 96, 192, 12, 2
CFG = {
    "model": {
        "_name": "wav2vec2_cmsc",
        "layer_norm_first": False,
        "encoder_attention_heads": HEADS,
        "extractor_mode": "default",
        "conv_bias": False,
        "conv_feature_layers": "[(256, 2, 2)] * 4",
        "conv_pos_groups": 16,
        "args": {"task": {}},
    },
    "task": {"_name": "ecg_pretraining", "normalize": False, "sample_rate": 250},
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    size = transformer._Size(STEM, DIM, INNER, HEADS, LAYERS)
    monkeypatch.setitem(transformer._SIZES, "paper", size)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(DIM, DIM) for _ in range(4))

    def forward(self, x):
        q, k, v = (
            one(x).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for one in (self.q_proj, self.k_proj, self.v_proj)
        )
        weights = torch.softmax(q @ k.transpose(2, 3) / (DIM / HEADS) ** 0.5, -1)
        return self.out_proj((weights @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn = Attention()
        self.fc1, self.fc2 = nn.Linear(DIM, INNER), nn.Linear(INNER, DIM)
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(DIM), nn.LayerNorm(DIM)

    def forward(self, x):
        x = self.self_attn_layer_norm(x + self.self_attn(x))
        return self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x))))


class Published(nn.Module):
    """What a published file holds the weights of; without dropout it computes their embedding."""

    def __init__(self, n_layers=LAYERS, n_leads=12):
        super().__init__()
        convs = [nn.Conv1d(STEM if i else n_leads, STEM, 2, 2, bias=False) for i in range(4)]
        rest = [[nn.Dropout(0), nn.GroupNorm(STEM, STEM), nn.GELU()], *[[nn.Dropout(0), nn.GELU()]] * 3]
        self.feature_extractor = nn.Module()
        self.feature_extractor.conv_layers = nn.ModuleList(
            nn.Sequential(conv, *more) for conv, more in zip(convs, rest, strict=True)
        )
        self.post_extract_proj = nn.Linear(STEM, DIM)
        self.mask_emb = nn.Parameter(torch.rand(DIM))
        self.conv_pos = nn.Module()
        position = nn.utils.parametrizations.weight_norm(
            nn.Conv1d(DIM, DIM, 128, padding=64, groups=16), dim=2
        )
        self.conv_pos.pos_conv = nn.Sequential(position)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(Layer() for _ in range(n_layers))
        self.encoder.layer_norm, self.layer_norm = nn.LayerNorm(DIM), nn.LayerNorm(STEM)
        self.quantizer = nn.Linear(3, 3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))

    def forward(self, x):
        for layer in self.feature_extractor.conv_layers:
            x = layer(x)
        x = self.post_extract_proj(self.layer_norm(x.transpose(1, 2)))
        position = F.gelu(self.conv_pos.pos_conv(x.transpose(1, 2))[:, :, :-1]).transpose(1, 2)
        x = self.encoder.layer_norm(x + position)
        for layer in self.encoder.layers:
            x = layer(x)
        return x.mean(1)


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Published().eval()


def state(model, **more):
    """The object that fairseq-signals saves."""
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.ones(4)}}, "param_groups": [{"lr": 5e-5}]}
    return {
        "args": None,
        "cfg": CFG,
        "model": model.state_dict(),
        "criterion": {},
        "optimizer_history": [{"criterion_name": "Wav2vec2WithCMSC", "num_updates": 3}],
        "task_state": {},
        "extra_state": {"metrics": [(0, "loss", "avg", {"val": np.float64(1.5)})], "best": np.float32(2)},
        "last_optimizer_state": optimiser,
        **more,
    }


def save(to, content, **options):
    torch.save(content, to, **options)
    return to


@pytest.fixture
def file(model, tmp_path):
    return save(tmp_path / "ecg_fm.pt", state(model))


def expected(model, signal):
    """What the published network gives for z-scored leads."""
    x = torch.from_numpy(signal)
    z = (x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True, unbiased=False)
    with torch.no_grad():
        return model(z).numpy()


def test_embeddings_are_those_of_the_published_network(model, file, tmp_path):
    done = convert(file, tmp_path / "c", said={"licence": "MIT", "source": ""}, onnx=True)
    signal = np.random.default_rng(0).normal(size=(3, 12, 1250)).astype(np.float32)
    found = load(done.path)
    assert (found.fs, found.seconds, found.dim) == (250.0, 5.0, DIM)
    np.testing.assert_allclose(found.embed(signal, fs=250), expected(model, signal), atol=2e-5)
    by_onnx = load(done.path, backend="onnx").embed(signal, fs=250)
    np.testing.assert_allclose(by_onnx, expected(model, signal), atol=1e-4)
    said = found.config["provenance"]["converted"]
    assert said["licence"] == "MIT" and "source" not in said and said["file"] == "ecg_fm.pt"
    assert len(said["sha256"]) == 64 and said["settings"]["encoder_attention_heads"] == HEADS
    assert done.left_out == ("mask_emb", "quantizer.weight", "quantizer.bias")
    assert done.assumed == ("activation_fn",)


@pytest.mark.parametrize("form", ["weight_g", "under encoder", "in a classifier", "half", "plain state"])
def test_older_names_other_types_and_wrappings_give_the_same(model, form, tmp_path):
    weights = OrderedDict(model.state_dict())
    old = "conv_pos.pos_conv.0.parametrizations.weight.original"
    place = "encoder.pos_conv.0." if form == "under encoder" else "conv_pos.pos_conv.0."
    if form in ("weight_g", "under encoder"):
        weights = OrderedDict(
            (k.replace(f"{old}0", f"{place}weight_g").replace(f"{old}1", f"{place}weight_v"), v)
            for k, v in weights.items()
        )
        weights[f"{place}bias"] = weights.pop("conv_pos.pos_conv.0.bias")
    if form == "in a classifier":
        weights = OrderedDict((f"encoder.w2v_model.{k}", nn.Parameter(v)) for k, v in weights.items())
        weights["proj.weight"] = torch.zeros(5, DIM)
    if form == "half":
        weights = OrderedDict((k, v.half()) for k, v in weights.items())
    content = (
        weights if form == "plain state" else {"args": argparse.Namespace(conv_bias=False), "model": weights}
    )
    done = convert(save(tmp_path / "w.pt", content), tmp_path / "c", fs=250)
    signal = np.random.default_rng(1).normal(size=(2, 12, 1250)).astype(np.float32)
    close = 0.03 if form == "half" else 2e-5
    np.testing.assert_allclose(load(done.path).embed(signal, fs=250), expected(model, signal), atol=close)
    assert "encoder_attention_heads" in done.assumed
    assert ("conv_bias" in done.assumed) == (form == "plain state")
    assert ("proj.weight" in done.left_out) == (form == "in a classifier")


def test_the_command_says_what_it_did(file, tmp_path):
    call = ["convert", str(file), "--to", str(tmp_path / "c"), "--source", "a page", "--seconds", "10"]
    done = CliRunner().invoke(app, [*call, "--normalise", "none", "--fs", "500"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "million parameters" in done.output and "quantizer.weight" in done.output
    assert "does not say its licence" in done.output
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    assert config["fs"] == 500 and config["seconds"] == 10
    assert config["preprocessing"]["normalise"] == "none"
    assert config["provenance"]["converted"]["source"] == "a page"


def test_what_does_not_fit_is_listed_by_its_published_name(model, tmp_path):
    def refused(content, says, **options):
        with pytest.raises(CheckpointError, match=says) as error:
            convert(save(tmp_path / "w.pt", content), tmp_path / "c", **options)
        assert "file 'w.pt'" in "".join(error.value.__notes__)
        assert not (tmp_path / "c").exists()

    less = dict(model.state_dict())
    del less["encoder.layers.1.fc1.weight"]
    refused({"model": less}, rf"'encoder.layers.1.fc1.weight' is missing \(expected {INNER}×{DIM}\)")
    other = model.state_dict() | {"encoder.layers.0.self_attn.k_proj.weight": torch.zeros(5, DIM)}
    refused(
        {"model": other}, rf"'encoder.layers.0.self_attn.k_proj.weight': expected {DIM}×{DIM}, got 5×{DIM}"
    )
    refused(state(Published(n_layers=3)), "'encoder.layers.2.self_attn.k_proj.weight' is not of this encoder")
    refused(state(Published(n_leads=1)), "expected 12 leads")
    wrong = model.state_dict() | {"layer_norm.bias": torch.full((STEM,), float("nan"))}
    refused({"model": wrong}, "'layer_norm.bias': expected finite weights")
    for table, name, value in (
        ("model", "encoder_attention_heads", 8),
        ("model", "layer_norm_first", True),
        ("model", "conv_feature_layers", "[(256, 2, 2)] * 5"),
        ("task", "normalize", True),
    ):
        cfg = CFG | {table: CFG[table] | {name: value}}
        refused(state(model, cfg=cfg), f"setting '{name}': expected")
    refused({"weights": torch.zeros(3)}, "named as fairseq-signals names them .*, got weights")
    refused([1, 2], "got no tensor")
    refused({"model": 3}, "got model")


class Evil:
    """An object whose unpickling would write a file."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda mark: Evil(os.system, f"touch {mark}"), "posix.system"),
        (lambda mark: Evil(os.mkdir, mark), "posix.mkdir"),
        (lambda mark: Evil(eval, f"open({mark!r}, 'w')"), "__builtin__.eval"),
        (lambda mark: Evil(exec, f"open({mark!r}, 'w')"), "__builtin__.exec"),
        (lambda mark: Evil(torch.load, mark), "torch.serialization.load"),
        (lambda mark: Evil(getattr, [], "append"), "__builtin__.getattr"),
        (lambda mark: Fraction(1, 2), "fractions.Fraction"),
        (lambda mark: np.arange(3), "numpy.*_reconstruct"),
        (lambda mark: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    ],
)
@pytest.mark.parametrize("where", ["cfg", "model"])
def test_what_would_execute_something_is_refused_and_named(model, make, named, where, tmp_path):
    named = named if os.name == "posix" else named.replace("posix", "nt")
    mark = str(tmp_path / "mark")
    content = state(model)
    content[where] = {"evil": make(mark), **content[where]}
    path = save(tmp_path / "evil.pt", content)
    with pytest.raises(CheckpointError, match=f"data.pkl names '{named}'"):
        convert(path, tmp_path / "c")
    assert not os.path.exists(mark) and not (tmp_path / "c").exists()


def archive(to, pickled, compression=zipfile.ZIP_STORED, **entries):
    """An archive with this ``data.pkl``."""
    with zipfile.ZipFile(to, "w", compression) as out:
        out.writestr("archive/data.pkl", pickled)
        for name, data in entries.items():
            out.writestr(f"archive/{name}", data)
    return to


@pytest.mark.parametrize(
    ("pickled", "says"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "names 'os.system'"),
        (b"(X\x04\x00\x00\x00trueios\nsystem\n.", "the instruction INST"),
        (b"(S'true'\nos.", "the instruction STRING"),
        (b"(cos\nsystem\nS'true'\no.", "names 'os.system'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "names 'os.system'"),
        (b"\x80\x04]]\x93.", "broken|names"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n]R.", "expected a tuple"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "cannot be called"),
        (b"\x80\x02}]]s.", "expected keys that are words or numbers, got list"),
        (b"\x80\x02}))s.", "expected keys that are words or numbers, got tuple"),
        (b"\x80\x02NN.", "expected one object"),
        (b"\x80\x02N", "broken|cut"),
        (b"R.", "too few values"),
        (b"0.", "broken"),
        (b"u.", "broken"),
        (b"h\x05.", "broken"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "broken"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "broken"),
        (b"\xff\xff", "broken"),
        (b"", "broken|cut"),
        (b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".", "got no tensor"),
        (b"\x80\x02Nr\xff\xff\xff\xff.", "got no tensor"),
    ],
)
def test_broken_and_hostile_pickles_are_refused(pickled, says, tmp_path):
    with pytest.raises(CheckpointError, match=says):
        convert(archive(tmp_path / "w.pt", pickled), tmp_path / "c")


def test_sizes_are_held_against_the_bytes_that_are_there(tmp_path):
    absurd = torch.zeros(1).expand(10**6, 10**6)
    with pytest.raises(CheckpointError, match="does not fit its 1 numbers"):
        Archive(save(tmp_path / "expanded.pt", {"w": absurd}))
    with zipfile.ZipFile(save(tmp_path / "w.pt", {"w": torch.zeros(300)})) as whole:
        pickled = next(whole.read(name) for name in whole.namelist() if name.endswith("/data.pkl"))
    claimed = pickled.replace(b"M\x2c\x01", b"J\xff\xff\xff\x7f")
    assert claimed != pickled
    path = archive(tmp_path / "claims.pt", claimed, **{"data/0": bytes(1200)})
    held = Archive(path)
    with pytest.raises(CheckpointError, match="expected 8589934588 bytes, got 1200"):
        held.read(held.content["w"])
    held = Archive(archive(tmp_path / "without.pt", pickled))
    with pytest.raises(CheckpointError, match="expected 1200 bytes, got nothing"):
        held.read(held.content["w"])
    bomb = archive(tmp_path / "bomb.pt", pickled, zipfile.ZIP_DEFLATED, **{"data/0": bytes(10**7)})
    with pytest.raises(CheckpointError, match="expected it uncompressed"):
        Archive(bomb)
    with pytest.raises(CheckpointError, match="at most 16777216 bytes"):
        Archive(archive(tmp_path / "long.pt", b"N" * (17 << 20)))
    with pytest.raises(CheckpointError, match="byteorder: expected little"):
        Archive(archive(tmp_path / "big.pt", pickled, byteorder=b"big"))


def test_what_is_no_such_file_is_refused(file, tmp_path):
    (tmp_path / "text.pt").write_text("no weights")
    (tmp_path / "cut.pt").write_bytes(file.read_bytes()[:-3000])
    (tmp_path / "empty.pt").write_bytes(b"")
    save(tmp_path / "old.pt", {"w": torch.zeros(3)}, _use_new_zipfile_serialization=False)
    archive(tmp_path / "other.pt", b"N.")
    with zipfile.ZipFile(tmp_path / "foreign.pt", "w") as out:
        out.writestr("a.txt", "a")
    for name, says in (
        ("text.pt", "no file of torch.save"),
        ("cut.pt", "no file of torch.save"),
        ("empty.pt", "no file of torch.save"),
        ("old.pt", "PyTorch before 1.6"),
        ("absent.pt", "expected a file, got nothing"),
        (".", "got a folder"),
        ("foreign.pt", "expected one data.pkl"),
        ("other.pt", "got no tensor"),
    ):
        with pytest.raises(CheckpointError, match=says):
            convert(tmp_path / name, tmp_path / "c")


def test_a_changed_weight_is_refused(file, tmp_path):
    """The archive keeps a checksum of every tensor."""
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as whole:
        biggest = max(whole.infolist(), key=lambda entry: entry.file_size)
    data[biggest.header_offset + 2000] ^= 0xFF
    (tmp_path / "changed.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match="cannot be read|no file of torch.save"):
        convert(tmp_path / "changed.pt", tmp_path / "c")
