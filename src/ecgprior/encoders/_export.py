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

from ..errors import ExtraMissing
from ._checkpoint import ONNX_INPUTS
from .base import Encoder

OPSET = 17


class _Exported(nn.Module):
    """Encoder and head with plain tensors out."""

    def __init__(self, encoder: Encoder, head: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, signal: Tensor, lead_mask: Tensor, valid: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        pooled = self.encoder(signal, lead_mask, valid).pooled
        return pooled if self.head is None else (pooled, self.head(pooled))


def export_onnx(encoder: Encoder, head: nn.Module | None, metadata: dict[str, Any]) -> bytes:
    """The encoder (and head), in evaluation mode, as the bytes of an ONNX file.

    Inputs ``signal`` float32 (B, L, T), ``lead_mask`` bool (B, L), ``valid`` bool (B, T); outputs ``pooled``
    float32 (B, D) and, with a head, ``logits`` (B, C). `metadata` goes into the file's own properties as JSON.

    Raises
    ------
    ExtraMissing
        The package ``onnx`` is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise ExtraMissing.of("onnx", "train", "exporting to ONNX") from None
    modes = {module: module.training for part in (encoder, head) if part for module in part.modules()}
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            _export(_Exported(encoder, head).eval(), path)
            proto = onnx.load(path)
    finally:
        for module, mode in modes.items():
            module.training = mode
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=json.dumps(value, ensure_ascii=False))
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def _export(model: _Exported, path: Path) -> None:
    encoder = model.encoder
    weight = next(encoder.parameters())
    n_leads, length = len(encoder.leads), max(encoder.min_samples, round(encoder.fs))
    inputs = (
        torch.zeros(2, n_leads, length, device=weight.device, dtype=weight.dtype),
        torch.ones(2, n_leads, dtype=torch.bool, device=weight.device),
        torch.ones(2, length, dtype=torch.bool, device=weight.device),
    )
    outputs = ["pooled"] if model.head is None else ["pooled", "logits"]
    axes = {"signal": {0: "batch", 2: "time"}, "lead_mask": {0: "batch"}, "valid": {0: "batch", 1: "time"}}
    axes |= {name: {0: "batch"} for name in outputs}
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            model,
            inputs,
            str(path),
            input_names=list(ONNX_INPUTS),
            output_names=outputs,
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
        ):
            warnings.filterwarnings("ignore", message=message, category=category)
        yield
