"""What objectives without negatives share: the expander, and what lies beside a matrix' diagonal."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ShapeError
from ._distributed import gather


def expander(dim: int, width: int, *, bias: bool = True) -> nn.Sequential:
    """Three linear layers of `width`, batch norm and ReLU after the first two: (B, dim) → (B, width).

    The last layer has no bias; the first two have one, as in VICReg, or none, as in Barlow twins. Under several
    processes the norms take the statistics of each process' own windows.
    """
    layers: list[nn.Module] = []
    for size in (dim, width):
        layers += [nn.Linear(size, width, bias=bias), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, width, bias=False))


def off_diagonal(matrix: Tensor) -> Tensor:
    """The D · (D − 1) numbers beside the diagonal of (D, D), in the order of rows."""
    beside = ~torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
    return matrix[beside]


def everybody(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both projections of all processes' windows, (N, D) each, at least in float32.

    Raises
    ------
    ShapeError
        Shapes differ, or there is only one window in all (it has no variance).
    """
    if first.shape != second.shape or first.ndim != 2:
        raise ShapeError(f"projections: expected two of shape (B, D), got {first.shape} and {second.shape}")
    first, second = (
        gather(z.float() if z.dtype in (torch.bfloat16, torch.float16) else z) for z in (first, second)
    )
    if len(first) < 2:
        raise ShapeError("projections: expected at least 2 windows in a batch, got 1")
    return first, second
