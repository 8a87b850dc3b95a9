"""Encoders by name: what recipes and checkpoints say, built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .. import lookup
from ..errors import BadSamplingRate, ShapeError
from .base import Encoder


def build_encoder(
    name: str, config: dict[str, Any], leads: Sequence[str], fs: float, *, seed: int | None = None
) -> Encoder:
    """A freshly initialised encoder.

    Parameters
    ----------
    name : str
        A file of ``encoders/`` without its ending: ``"xresnet1d"``, ``"transformer"``, ``"s4d"``, ``"vit"``, ….
    config : dict
        Fields of that encoder's ``Config``; absent ones take their defaults.
    leads : sequence of str
        Names of the input leads, in order.
    fs : float
        Sampling rate of the input in Hz.
    seed : int or None
        Initialise from this seed and leave PyTorch's generator as it was; None = draw from the generator.

    Raises
    ------
    UnknownName
        No such encoder.
    RecipeError
        `config` has an unknown key or an impossible value.
    ShapeError, BadSamplingRate
        No lead, or a rate that is not above 0.
    """
    if not leads:
        raise ShapeError("leads: expected at least one name, got none")
    if not fs > 0:
        raise BadSamplingRate(f"sampling rate: expected a number of Hz above 0, got {fs!r}")
    kind: type[Encoder] = lookup.method("encoders", name, Encoder)
    checked = kind.Config.check(config)
    if seed is None:
        return kind(checked, tuple(leads), fs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(checked, tuple(leads), fs)


def n_parameters(module: torch.nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
