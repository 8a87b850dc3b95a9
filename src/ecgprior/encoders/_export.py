"""Export of an encoder to ONNX: one graph for any batch size and length.

By PyTorch's older, tracing exporter: the newer one (tried with 2.13) cannot see that a mask cut in strides is as
long as a convolution's output for every length, and fixes the length or refuses. The tests hold the file against
PyTorch at several lengths.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, ExtraMissing
from ..provenance import digest_json
from ._checkpoint import ONNX_INPUTS, WEIGHTS
from ._head import n_outputs
from ._load import Checkpoint
from .base import Encoder, LeadEncoder

OPSET = 17


class _Exported(nn.Module):
    """Encoder and head with plain tensors out."""

    def __init__(self, encoder: Encoder, head: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        pooled = self.encoder(signal, lead_mask, valid).pooled
        return pooled if self.head is None else (pooled, self.head(pooled))


class _Waves(nn.Module):
    """A head on lead tokens with plain tensors out: probabilities in the order of time."""

    def __init__(self, encoder: LeadEncoder, head: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.encoder, self.head, self.n_classes = encoder, head, n_classes

    def forward(self, signal: Tensor, lead_mask: Tensor) -> Tensor:
        logits = self.head(self.encoder.lead_tokens(signal, lead_mask, None))  # type: ignore[operator]
        moments = logits.unflatten(3, (-1, self.n_classes)).flatten(2, 3)  # (B, L, P · S, C)
        chance = torch.softmax(moments.transpose(2, 3), 2)
        nothing = (torch.arange(self.n_classes, device=chance.device) == 0).to(chance.dtype)[:, None]
        return torch.where(lead_mask[:, :, None, None], chance, nothing)


def export_onnx(encoder: Encoder, head: nn.Module | None, metadata: dict[str, Any]) -> bytes:
    """The encoder (and head), in evaluation mode, as the bytes of an ONNX file.

    Inputs ``signal`` float32 (B, L, T), ``lead_mask`` bool (B, L), ``valid`` bool (B, T); outputs ``pooled``
    float32 (B, D) and, with a head, ``logits`` (B, C). `metadata` goes into the file's own properties as JSON.

    Raises
    ------
    ExtraMissing
        The package ``onnx`` is not installed.
    """
    outputs = {"pooled": {0: "batch"}} | ({} if head is None else {"logits": {0: "batch"}})
    return _exported(_Exported(encoder, head), encoder, outputs, metadata)


def export_waves(encoder: LeadEncoder, head: nn.Module, n_classes: int, metadata: dict[str, Any]) -> bytes:
    """The encoder and its head on lead tokens, in evaluation mode, as the bytes of an ONNX file.

    Inputs ``signal`` float32 (B, L, T) and ``lead_mask`` bool (B, L): any number of leads in any order, T a multiple of
    32 and without padding; output ``waves`` float32 (B, L, C, moments), probabilities; an absent lead is of the first
    class.

    Raises
    ------
    ExtraMissing
        The package ``onnx`` is not installed.
    """
    waves = {0: "batch", 1: "lead", 3: "moment"}
    return _exported(_Waves(encoder, head, n_classes), encoder, {"waves": waves}, metadata)


def export_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The ONNX file of a checkpoint: encoder and head, whichever it has.

    A head on lead tokens gives ``waves`` (:func:`export_waves`), and the file's properties hold ``preprocessing``
    (``fs`` and what else is done before, in the fields of ``Preprocessing``), ``unit``, ``classes``, ``waves_fs``
    (moments a second; the first stands for the middle of the samples that it speaks of) and ``provenance``: recipe and
    its digest, those of the run it began from, corpus and training part, sources with licence and attribution. Any other checkpoint gives what
    ``pretrain --onnx`` writes.

    Raises
    ------
    CheckpointError
        The checkpoint was loaded without PyTorch.
    ExtraMissing
        The package ``onnx`` is not installed.
    """
    encoder, head, config = checkpoint.encoder, checkpoint.head, checkpoint.config
    if encoder is None:
        raise CheckpointError(f"checkpoint '{checkpoint.path}' was loaded without its PyTorch encoder")
    if not checkpoint.classes:
        keys = ("fs", "leads", "unit", "seconds", "preprocessing", "pooling", "head")
        return export_onnx(encoder, head, {key: config[key] for key in keys})
    assert isinstance(encoder, LeadEncoder) and head is not None
    per_token = n_outputs(head) // len(checkpoint.classes)
    said = config["provenance"]
    keys = ("recipe", "init", "init_recipe", "corpus", "train", "sources", "facts")
    origin = {key: said[key] for key in keys if key in said}
    metadata = {
        "preprocessing": {key: value for key, value in config["preprocessing"].items() if key != "leads"},
        "unit": config["unit"],
        "classes": list(checkpoint.classes),
        "waves_fs": checkpoint.fs * per_token / encoder.lead_stride,
        "provenance": {
            "recipe_digest": digest_json(said.get("recipe")),
            "weights": config["files"][WEIGHTS],
            **origin,
        },
    }
    return export_waves(encoder, head, len(checkpoint.classes), metadata)


def _exported(
    model: nn.Module, encoder: Encoder, outputs: dict[str, dict[int, str]], metadata: dict[str, Any]
) -> bytes:
    try:
        import onnx
    except ImportError:
        raise ExtraMissing.of("onnx", "train", "exporting to ONNX") from None
    modes = {module: module.training for module in model.modules()}
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            _export(model.eval(), encoder, outputs, path)
            proto = onnx.load(path)
    finally:
        for module, mode in modes.items():
            module.training = mode
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=json.dumps(value, ensure_ascii=False))
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def _export(model: nn.Module, encoder: Encoder, outputs: dict[str, dict[int, str]], path: Path) -> None:
    weight = next(encoder.parameters())
    n_leads, length = len(encoder.leads), max(encoder.min_samples, round(encoder.fs))
    inputs: tuple[Tensor, ...] = (
        torch.zeros(2, n_leads, length, device=weight.device, dtype=weight.dtype),
        torch.ones(2, n_leads, dtype=torch.bool, device=weight.device),
        torch.ones(2, length, dtype=torch.bool, device=weight.device),
    )
    axes = {"signal": {0: "batch", 2: "time"}, "lead_mask": {0: "batch"}, "valid": {0: "batch", 1: "time"}}
    if "waves" in outputs:
        inputs = (inputs[0][:, :, : length // 32 * 32], inputs[1])
        axes["signal"][1] = axes["lead_mask"][1] = "lead"
    axes = {name: axes[name] for name in ONNX_INPUTS[: len(inputs)]} | outputs
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            model,
            inputs,
            str(path),
            input_names=list(ONNX_INPUTS[: len(inputs)]),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's own notices: that it is the older one, and that some masks were not folded."""
    with warnings.catch_warnings():
        for category, message in (
            (DeprecationWarning, "You are using the legacy TorchScript-based ONNX export"),
            (DeprecationWarning, "The feature will be removed"),
            (UserWarning, "Constant folding - Only steps=1 can be constant folded"),
            (UserWarning, "Exporting a model to ONNX with a batch_size other than 1"),  # first states go with the batch
        ):
            warnings.filterwarnings("ignore", message=message, category=category)
        yield
