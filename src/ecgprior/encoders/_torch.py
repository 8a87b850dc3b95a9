"""The weights of a checkpoint as PyTorch modules: written, read with a readable difference, run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import CheckpointError, RecipeError, UnknownName
from ._build import build_encoder
from ._checkpoint import WEIGHTS, CheckpointConfig
from ._head import build_head, head_state
from .base import Encoder

_SHOWN = 6  # lines of a difference that are printed


def weights_bytes(encoder: Encoder, head: nn.Module | None) -> bytes:
    """``model.safetensors``: keys ``encoder.*`` and ``head.*``."""
    state = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    if head is not None:
        state |= {f"head.{key}": value for key, value in head_state(head).items()}
    return safetensors.torch.save({key: value.detach().cpu().contiguous().clone() for key, value in state.items()})


class TorchModel:
    """Encoder and head, in evaluation mode on one device.

    Raises
    ------
    CheckpointError
        The weights do not fit the architecture that ``config.json`` names: missing, unexpected and other-shaped
        tensors are listed.
    """

    def __init__(self, folder: Path, config: CheckpointConfig, device: str) -> None:
        spec = config.architecture
        try:
            encoder = build_encoder(spec.name, spec.config, config.leads, config.fs, seed=0)
        except (UnknownName, RecipeError) as error:
            raise CheckpointError(f"checkpoint '{folder}', architecture: {error}") from None
        head = None if config.head is None else build_head(list(config.head.layers))
        both = nn.ModuleDict({"encoder": encoder} | ({} if head is None else {"head": head}))
        try:
            state = safetensors.torch.load_file(folder / WEIGHTS)
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"checkpoint '{folder}': {WEIGHTS} cannot be read: {error}") from None
        if fault := difference(both.state_dict(), state):
            raise CheckpointError(f"checkpoint '{folder}': {WEIGHTS} does not fit {spec.name}: {fault}")
        both.load_state_dict(state)
        if encoder.dim != spec.dim:
            raise CheckpointError(f"checkpoint '{folder}': field 'dim' is {spec.dim}, the encoder has {encoder.dim}")
        self.on_pooled = config.head is None or config.head.reads == "pooled"
        self.encoder, self.head, self.device = encoder, head, _device(both.eval().requires_grad_(False), device)

    @torch.inference_mode()
    def run(
        self, signal: NDArray[np.float32], lead_mask: NDArray[np.bool_], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Pooled (B, D) and logits (B, C) or None."""
        inputs = (torch.from_numpy(array).to(self.device) for array in (signal, lead_mask, valid))
        pooled = self.encoder(*inputs).pooled
        logits = None if self.head is None or not self.on_pooled else self.head(pooled).float().cpu().numpy()
        return pooled.float().cpu().numpy(), logits


def _device(module: nn.Module, name: str) -> torch.device:
    """Move the module there."""
    try:
        module.to(name)
    except (RuntimeError, AssertionError) as error:
        text = str(error).splitlines()[0]
        raise CheckpointError(f"device: expected one that PyTorch has here, got '{name}': {text}") from None
    return torch.device(name)


def difference(expected: dict[str, Tensor], got: dict[str, Tensor]) -> str:
    """Why `got` is not a state for `expected`, or an empty string."""
    shape: Any = lambda tensor: "×".join(map(str, tensor.shape)) or "scalar"  # noqa: E731
    faults = [f"'{key}' is missing (expected {shape(value)})" for key, value in expected.items() if key not in got]
    faults += [f"'{key}' is not of this encoder" for key in got if key not in expected]
    for key, value in expected.items():
        if key in got and got[key].shape != value.shape:
            faults.append(f"'{key}': expected {shape(value)}, got {shape(got[key])}")
        elif key in got and got[key].dtype != value.dtype:
            faults.append(f"'{key}': expected {value.dtype}, got {got[key].dtype}")
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return "; ".join(faults[:_SHOWN]) + more
