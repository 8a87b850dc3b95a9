"""Running a checkpoint's ONNX file: embedding without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from ..errors import CheckpointError
from ._checkpoint import ONNX_INPUTS

# ONNX Runtime's errors have no base class of their own.
_BROKEN = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
)


class OnnxModel:
    """An exported encoder, run by ONNX Runtime on the CPU.

    Raises
    ------
    CheckpointError
        The file is no ONNX model, or not one of ours.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except _BROKEN as error:
            raise CheckpointError(f"{path.name} cannot be run: {error}") from None
        names = tuple(value.name for value in self._session.get_inputs())
        if names != ONNX_INPUTS:
            raise CheckpointError(f"{path.name}: expected inputs {', '.join(ONNX_INPUTS)}, got {', '.join(names)}")
        self.has_head = len(self._session.get_outputs()) > 1

    def run(
        self, signal: NDArray[np.float32], lead_mask: NDArray[np.bool_], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Pooled (B, D) and logits (B, C) or None."""
        outputs = self._session.run(None, dict(zip(ONNX_INPUTS, (signal, lead_mask, valid))))
        return outputs[0], outputs[1] if self.has_head else None
