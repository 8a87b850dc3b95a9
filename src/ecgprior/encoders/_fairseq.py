"""Published weights of fairseq-signals – ECG-FM and what has its shape – as the encoder ``transformer``, size "paper".

The file is read by :mod:`._pickled`: nothing in it is executed, and fairseq is not needed. Weights are mapped by name;
what fits neither way is listed. Of the file's own settings, those that change what the weights compute are held
against ours (weights alone do not tell how many heads there are); a setting that the file does not state is taken as
ECG-FM's and noted. What pre-training needs besides the encoder (quantiser, projections, the mask's vector) and a
fine-tuned classifier are left out, by name.

What comes before the encoder is not in such files. ECG-FM was trained on 5 s at 500 Hz, each lead standardised; that
is the default here.

**Source**: the public code of fairseq-signals (Wav2Vec2CMSCModel) for names and settings; McKeen et al. 2024,
*ECG-FM*, arXiv 2408.05178.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import CheckpointError, where
from ..provenance import sha256_file
from ..record.preprocess import Preprocessing
from ..record.record import LEADS
from ._build import build_encoder, n_parameters
from ._load import save_checkpoint
from ._pickled import Archive, Stored
from ._torch import difference

FS, SECONDS = 500.0, 5.0

_FIRST = "feature_extractor.conv_layers.0.0.weight"
_LEFT_OUT = (
    "mask_emb", "quantizer.", "project_q.", "final_proj.", "target_glu.", "proj.", "final_dropout.", "input_quantizer.",
)  # fmt: skip
_POSITION = (
    ("conv_pos.pos_conv.0.", "parametrizations.weight.original0", "parametrizations.weight.original1"),
    ("conv_pos.pos_conv.0.", "weight_g", "weight_v"),
    ("encoder.pos_conv.0.", "parametrizations.weight.original0", "parametrizations.weight.original1"),
    ("encoder.pos_conv.0.", "weight_g", "weight_v"),
)
_LAYER = {
    "out": "self_attn.out_proj",
    "attention_norm": "self_attn_layer_norm",
    "expand": "fc1",
    "contract": "fc2",
    "feed_norm": "final_layer_norm",
}
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "layer_norm_first": (False,),
    "encoder_attention_heads": (12,),
    "extractor_mode": ("default",),
    "conv_bias": (False,),
    "conv_feature_layers": ("[(256,2,2)]*4", "[(256,2,2),(256,2,2),(256,2,2),(256,2,2)]"),
    "conv_pos_groups": (16,),
    "activation_fn": ("gelu", None),
    "normalize": (False,),
}
"""Values under which the encoder computes what fairseq-signals would; a number of heads, say, is in no weight."""


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes
    ----------
    path : Path
        The checkpoint.
    n_parameters : int
    left_out : tuple of str
        Names of weights that are not the encoder's.
    assumed : tuple of str
        Settings that the file does not state.
    """

    path: Path
    n_parameters: int
    left_out: tuple[str, ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    """The encoder's weights as a file has them, and the settings it states."""

    weights: dict[str, Stored]
    left_out: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


def convert(
    path: str | Path,
    to: str | Path,
    *,
    fs: float | None = None,
    seconds: float = SECONDS,
    normalise: Literal["none", "lead", "record"] = "lead",
    said: Mapping[str, str] | None = None,
    onnx: bool = False,
) -> Converted:
    """Turn a file of fairseq-signals into a checkpoint.

    Parameters
    ----------
    path : str or Path
        A ``.pt`` file.
    to : str or Path
        The checkpoint's folder.
    fs : float, optional
        Rate in Hz that the weights were trained at; by default what the file says, else 500.
    seconds : float
        Length of a window.
    normalise : "none", "lead" or "record"
        How the training signals were normalised (:class:`~ecgprior.record.preprocess.Preprocessing`).
    said : mapping of str to str, optional
        Where the weights come from and under which licence: kept in the checkpoint's provenance.
    onnx : bool
        Write ``model.onnx`` too.

    Raises
    ------
    CheckpointError
        Not a file of tensors and plain containers, not of this layout, or of settings that the encoder has not.
    """
    path = Path(path)
    archive = Archive(path)
    with where(f"file '{path.name}'"):
        source = _read(archive.content)
        assumed = _check_settings(source.settings)
        shapes = {key: torch.empty(value.shape, device="meta") for key, value in source.weights.items()}
        leads = _leads(shapes)
        plan = Preprocessing(fs=fs or _rate(source.settings), leads=leads, normalise=normalise)
        encoder = build_encoder("transformer", {"size": "paper"}, leads, plan.fs, seed=0)
        names = _names(tuple(encoder.state_dict()), set(shapes))
        if fault := difference(_expected(encoder.state_dict(), names), shapes):
            raise CheckpointError(f"the weights do not fit transformer, size 'paper': {fault}")
        encoder.load_state_dict({ours: _joined(archive, source, theirs) for ours, theirs in names.items()})
    provenance = {
        "converted": {
            "from": "fairseq-signals",
            "file": path.name,
            "sha256": sha256_file(path),
            "settings": source.settings,
            "assumed": list(assumed),
            "left_out": list(source.left_out),
            **{key: value for key, value in (said or {}).items() if value},
        }
    }
    written = save_checkpoint(to, encoder, plan, seconds=seconds, provenance=provenance, onnx=onnx)
    return Converted(written, n_parameters(encoder), source.left_out, assumed)


def _read(content: Any) -> _Source:
    """The part of the file that is the encoder, whatever it is wrapped in."""
    outer = content if isinstance(content, dict) else {}
    state = outer["model"] if isinstance(outer.get("model"), dict) else outer
    tensors = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Stored)}
    prefix = next((key.removesuffix(_FIRST) for key in tensors if key.endswith(_FIRST)), None)
    if prefix is None:
        some = ", ".join(str(key) for key in list(tensors or outer)[:5])
        raise CheckpointError(
            f"expected weights named as fairseq-signals names them ('{_FIRST}', …), got {some or 'no tensor'}"
        )
    inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    own = {key: value for key, value in inside.items() if not key.startswith(_LEFT_OUT)}
    left = [key for key in tensors if not key.startswith(prefix) or key.removeprefix(prefix) not in own]
    return _Source(own, tuple(left), _settings(outer))


def _settings(content: dict[str, Any]) -> dict[str, Any]:
    """Plain values of ``cfg.task`` and ``cfg.model``, or of ``args``."""
    cfg = content.get("cfg") or {}
    tables = [cfg.get("task"), cfg.get("model")] if isinstance(cfg, dict) else []
    found: dict[str, Any] = {}
    for table in (content.get("args"), *tables):
        if isinstance(table, dict):
            found |= {str(key): value for key, value in table.items() if _is_plain(value)}
    return found


def _is_plain(value: Any) -> bool:
    """Whether JSON has it."""
    return isfinite(value) if isinstance(value, float) else isinstance(value, str | int | None)


def _check_settings(settings: dict[str, Any]) -> tuple[str, ...]:
    """Names of settings that are not stated.

    Raises
    ------
    CheckpointError
        One is stated otherwise than the encoder is built.
    """
    for name, allowed in _SETTINGS.items():
        value = settings.get(name, allowed[0])
        value = value.replace(" ", "") if isinstance(value, str) else value
        if value not in allowed:
            raise CheckpointError(
                f"setting '{name}': expected {allowed[0]}, got {value}; the encoder would compute something else"
            )
    return tuple(name for name in _SETTINGS if name not in settings)


def _rate(settings: dict[str, Any]) -> float:
    rate = settings.get("sample_rate")
    return float(rate) if isinstance(rate, int | float) and 0 < rate < float("inf") else FS


def _leads(shapes: Mapping[str, Tensor]) -> tuple[str, ...]:
    first = shapes[_FIRST]
    if first.ndim != 3 or first.shape[1] != len(LEADS):
        raise CheckpointError(
            f"'{_FIRST}': expected {len(LEADS)} leads as its second dimension, got {tuple(first.shape)}"
        )
    return LEADS


def _names(ours: tuple[str, ...], theirs: set[str]) -> dict[str, tuple[str, ...]]:
    """Each of our weights → the names of theirs that it is made of (query, key and value are one of ours)."""
    place, length, direction = next((form for form in _POSITION if form[0] + form[1] in theirs), _POSITION[0])
    fixed = {
        "stem_norm": "feature_extractor.conv_layers.0.2",
        "project_norm": "layer_norm",
        "project": "post_extract_proj",
        "norm": "encoder.layer_norm",
    }
    names: dict[str, tuple[str, ...]] = {
        "position.length": (place + length,),
        "position.direction": (place + direction,),
        "position.bias": (place + "bias",),
    }
    for key in ours:
        module, _, kind = key.rpartition(".")
        parts = module.split(".")
        if parts[0] == "stem":
            names[key] = (f"feature_extractor.conv_layers.{parts[1]}.0.{kind}",)
        elif module in fixed:
            names[key] = (f"{fixed[module]}.{kind}",)
        elif parts[0] == "layers" and parts[2] == "qkv":
            names[key] = tuple(f"encoder.layers.{parts[1]}.self_attn.{one}_proj.{kind}" for one in "qkv")
        elif parts[0] == "layers":
            names[key] = (f"encoder.layers.{parts[1]}.{_LAYER[parts[2]]}.{kind}",)
    return {key: names[key] for key in ours}


def _expected(state: Mapping[str, Tensor], names: Mapping[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """Shapes under their names."""
    return {
        one: part.to("meta")
        for ours, theirs in names.items()
        for one, part in zip(theirs, state[ours].chunk(len(theirs)), strict=True)
    }


def _joined(archive: Archive, source: _Source, theirs: tuple[str, ...]) -> Tensor:
    parts = [archive.read(source.weights[name]).float() for name in theirs]
    for name, part in zip(theirs, parts, strict=True):
        if not torch.isfinite(part).all():
            raise CheckpointError(f"'{name}': expected finite weights, got NaN or infinity")
    return torch.cat(parts)
