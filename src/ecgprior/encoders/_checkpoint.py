"""What lies in a checkpoint folder, read and checked without PyTorch. FORMAT.md is its specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from ..errors import CheckpointError, RecipeError
from ..provenance import atomic_open, sha256_file, write_json
from ..recipe import Part
from ..record.preprocess import Preprocessing

FORMAT_VERSION = 1
KIND = "ecgprior-checkpoint"
CONFIG, WEIGHTS, FINGERPRINTS, ONNX = (
    "config.json",
    "model.safetensors",
    "fingerprints.safetensors",
    "model.onnx",
)
ONNX_INPUTS = ("signal", "lead_mask", "valid")

POOLING = {
    "windows": "non-overlapping, from the start; a rest is kept, padded, if it is at least half a window",
    "tokens": "mean over valid tokens",
    "record": "mean over its windows, weighted by valid samples; probabilities likewise",
}


class Architecture(Part):
    """Which encoder, built from which values.

    Attributes
    ----------
    name : str
        A file of ``encoders/``.
    config : dict
        Every field of that encoder's ``Config``.
    dim : int
        Width D of the embedding.
    min_samples : int
        The shortest window it takes.
    """

    name: str
    config: dict[str, Any]
    dim: int
    min_samples: int


class HeadSpec(Part):
    """The head: its labels (C), and its layers to their logits.

    From the pooled embedding, each label is a question of its own (sigmoid); from lead tokens, the labels are
    classes that exclude each other at each moment of each lead (softmax).
    """

    labels: tuple[str, ...]
    layers: tuple[dict[str, Any], ...]
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    reads: Literal["pooled", "lead_tokens"] = "pooled"


class TrainedOn(Part):
    """How many records the weights have seen (None = not said), and whether their fingerprints are here."""

    n_records: int | None
    fingerprints: bool


class CheckpointConfig(Part):
    """``config.json``: fields as in FORMAT.md, section Checkpoint."""

    format_version: int
    kind: str
    architecture: Architecture
    fs: float
    leads: tuple[str, ...]
    unit: Literal["mV"]
    seconds: float
    preprocessing: dict[str, Any]
    pooling: dict[str, str]
    head: HeadSpec | None
    provenance: dict[str, Any]
    metrics: dict[str, Any]
    trained_on: TrainedOn
    files: dict[str, str]

    def preprocess(self) -> Preprocessing:
        """The preprocessing that every record goes through."""
        return Preprocessing.check(self.preprocessing)


def read_config(folder: Path) -> CheckpointConfig:
    """Read and check ``config.json``.

    Raises
    ------
    CheckpointError
        No checkpoint there, another version, a missing or unknown field, or fields that contradict each other.
    """
    if not folder.is_dir():
        raise CheckpointError(f"checkpoint '{folder}': expected a folder with {CONFIG}, got {_what(folder)}")
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"checkpoint '{folder}': {CONFIG} is missing; there are {_listing(folder)}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(f"checkpoint '{folder}': {CONFIG} is not JSON: {error}") from None
    kind = values.get("kind") if isinstance(values, dict) else None
    if kind != KIND:
        raise CheckpointError(f"checkpoint '{folder}': expected kind '{KIND}' in {CONFIG}, got {kind!r}")
    if values.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint '{folder}': this ecgprior reads format_version {FORMAT_VERSION}, "
            f"got {values.get('format_version')!r}; use the ecgprior that wrote it, or a newer one"
        )
    try:
        config = CheckpointConfig.check(values)
        plan = config.preprocess()
    except RecipeError as error:
        text = str(error).replace("recipe key", "field")
        raise CheckpointError(f"checkpoint '{folder}', {CONFIG}: {text}") from None
    for name, number in (("seconds", config.seconds), ("min_samples", config.architecture.min_samples)):
        if not 0 < number < float("inf"):
            raise CheckpointError(
                f"checkpoint '{folder}': field '{name}': expected above 0 and finite, got {number}"
            )
    for name, declared, applied in (("fs", config.fs, plan.fs), ("leads", config.leads, plan.leads)):
        if declared != applied:
            raise CheckpointError(
                f"checkpoint '{folder}': field '{name}' is {declared}, but its preprocessing gives {applied}"
            )
    return config


def check_file(folder: Path, config: CheckpointConfig, name: str) -> Path:
    """The path of a file of the checkpoint whose bytes are those that were written.

    Raises
    ------
    CheckpointError
        It is missing, or its SHA-256 is not the one in ``config.json``.
    """
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"checkpoint '{folder}': {name} is missing; there are {_listing(folder)}")
    expected, got = config.files.get(name), sha256_file(path)
    if expected != got:
        raise CheckpointError(
            f"checkpoint '{folder}': {name} was changed or cut: expected SHA-256 {expected or 'absent'}, got {got}"
        )
    return path


def write_folder(folder: Path, config: dict[str, Any], files: dict[str, bytes]) -> None:
    """Write the files, then ``config.json`` with their hashes: while it is absent, there is no checkpoint."""
    try:
        json.dumps(config, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"config.json: provenance or metrics hold what is not a JSON value: {error}"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (CONFIG, FINGERPRINTS, ONNX):
        (folder / stale).unlink(missing_ok=True)
    for name, data in files.items():
        with atomic_open(folder / name, "wb") as file:
            file.write(data)
    hashes = {name: sha256_file(folder / name) for name in sorted(files)}
    write_json(folder / CONFIG, config | {"files": hashes})


def read_fingerprints(folder: Path, config: CheckpointConfig) -> NDArray[np.int8] | None:
    """Sketches of the records the weights were trained on: int8 (N, S), or None when the checkpoint has none."""
    if not config.trained_on.fingerprints:
        return None
    path = check_file(folder, config, FINGERPRINTS)
    try:
        return safetensors.numpy.load_file(path)["fingerprints"]
    except (safetensors.SafetensorError, KeyError) as error:
        raise CheckpointError(f"checkpoint '{folder}': {FINGERPRINTS} cannot be read: {error}") from None


def _what(path: Path) -> str:
    return "a file" if path.exists() else "nothing"


def _listing(folder: Path) -> str:
    found = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(found[:8]) + (", …" if len(found) > 8 else "") if found else "no files"
