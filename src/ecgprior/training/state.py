"""The resume state of a run: safetensors and JSON, whole or absent, never a pickle.

``state.json`` names the tensor file and its SHA-256 and is replaced last, so a kill at any moment leaves the
former state or the new one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import CheckpointError
from ..provenance import sha256_file, write_json

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save_state(folder: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write the state after `step` steps; the one before it is removed afterwards.

    Parameters
    ----------
    folder : Path
        The run's.
    step : int
        Steps done.
    tensors : dict of str to Tensor
    facts : dict
        JSON values.
    """
    target = folder / f"state-{step:08d}.safetensors"
    part = folder / f".{target.name}.part"
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, part)
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)
    write_json(
        folder / "state.json",
        {"format_version": 1, "step": step, "tensors": target.name, "sha256": sha256_file(target), "facts": facts},
    )
    for old in folder.glob("state-*.safetensors"):
        if old != target:
            old.unlink()


def has_state(folder: Path) -> bool:
    """Whether a run has saved anything that a resumed one goes on from."""
    return (folder / "state.json").is_file()


def load_state(folder: Path) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
    """The last whole state, (steps done, tensors, facts), or None when there is none.

    Raises
    ------
    CheckpointError
        ``state.json`` or the tensor file that it names is not what was written.
    """
    if not has_state(folder):
        return None
    index = folder / "state.json"
    try:
        said = json.loads(index.read_text(encoding="utf-8"))
        step, name, digest, facts = (said[key] for key in ("step", "tensors", "sha256", "facts"))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"resume state '{index}' is broken: {error}; delete the folder to start anew") from None
    path = folder / Path(str(name)).name
    if not path.is_file() or sha256_file(path) != digest:
        raise CheckpointError(f"resume state '{path}' is not the file that was written; delete the folder to start anew")
    return int(step), load_file(path), facts


def remove_state(folder: Path) -> None:
    """Remove the resume state of a finished run."""
    for path in [folder / "state.json", *folder.glob("state-*.safetensors"), *folder.glob(".state-*.part")]:
        path.unlink(missing_ok=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """AdamW's moments and step counts by parameter name: ``optimiser.exp_avg.<parameter>``, …"""
    return {
        f"optimiser.{moment}.{name}": optimiser.state[parameter][moment]
        for name, parameter in module.named_parameters()
        if parameter in optimiser.state
        for moment in _MOMENTS
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`optimiser_tensors` gave."""
    for name, parameter in module.named_parameters():
        if f"optimiser.step.{name}" in tensors:
            optimiser.state[parameter] = {
                moment: tensors[f"optimiser.{moment}.{name}"].to(parameter.device if moment != "step" else "cpu")
                for moment in _MOMENTS
            }
