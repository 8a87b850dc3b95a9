"""One process or many: what ``torchrun`` says, brought into one value."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from ..errors import RecipeError


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes
    ----------
    number : int
        From 0; number 0 writes files.
    count : int
    device : torch.device
    """

    number: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Is this the one that writes?"""
        return self.number == 0

    def share(self, value: float) -> float:
        """The first process' number, for all."""
        if self.count == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(box, 0)
        return float(box)

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def processes(device: str | torch.device | None = None) -> Iterator[Processes]:
    """Join the process group that ``torchrun`` describes, or run alone; leave it at the end.

    Parameters
    ----------
    device : str or torch.device, optional
        None = CUDA when there is one (the ``LOCAL_RANK``-th), else the CPU. CUDA speaks nccl, the CPU gloo.

    Raises
    ------
    RecipeError
        PyTorch has no such device here.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if device is None:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        device = f"cuda:{local}" if torch.cuda.is_available() else "cpu"
    where = _usable(device)
    if count == 1:
        yield Processes(0, 1, where)
        return
    joined = not dist.is_initialized()
    if joined:
        dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), where)
    finally:
        if joined:
            dist.destroy_process_group()


def _usable(device: str | torch.device) -> torch.device:
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:  # PyTorch built without CUDA asserts
        text = str(error).splitlines()[0]
        raise RecipeError(f"device: expected one that PyTorch has here, got '{device}': {text}") from None
