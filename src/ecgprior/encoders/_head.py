"""Heads a checkpoint can hold, said in JSON: a list of plain layers from pooled embedding to label logits."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..errors import CheckpointError

_LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "linear": (nn.Linear, ("in_features", "out_features")),
    "layer_norm": (nn.LayerNorm, ("normalized_shape",)),
    "batch_norm": (nn.BatchNorm1d, ("num_features",)),
    "gelu": (nn.GELU, ()),
    "relu": (nn.ReLU, ()),
    "dropout": (nn.Dropout, ("p",)),
}


def describe_head(head: nn.Module) -> list[dict[str, Any]]:
    """One entry a layer: its kind and the arguments that build it.

    Raises
    ------
    CheckpointError
        A layer of another kind than a checkpoint can hold.
    """
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    return [_describe(layer) for layer in layers]


def _describe(layer: nn.Module) -> dict[str, Any]:
    for kind, (cls, arguments) in _LAYERS.items():
        if type(layer) is cls:
            values = {name: getattr(layer, name) for name in arguments}
            if kind == "linear":
                values["bias"] = layer.bias is not None
            return {"kind": kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}
    raise CheckpointError(
        f"head: a checkpoint holds layers of kind {', '.join(_LAYERS)}, got {type(layer).__name__}"
    )


def build_head(layers: list[dict[str, Any]]) -> nn.Sequential:
    """The reverse of :func:`describe_head`: always an ``nn.Sequential``, so its keys are ``0.weight``, ….

    Raises
    ------
    CheckpointError
        An unknown kind, or arguments that do not fit it.
    """
    built: list[nn.Module] = []
    for layer in layers:
        values = dict(layer)
        kind = values.pop("kind", None)
        if kind not in _LAYERS:
            raise CheckpointError(f"head: expected layers of kind {', '.join(_LAYERS)}, got {kind!r}")
        try:
            built.append(_LAYERS[kind][0](**values))
        except TypeError as error:
            raise CheckpointError(f"head: layer '{kind}' does not take {values}: {error}") from None
    return nn.Sequential(*built)


def head_state(head: nn.Module) -> dict[str, Any]:
    """The head's state under the keys that :func:`build_head` gives."""
    return (head if isinstance(head, nn.Sequential) else nn.Sequential(head)).state_dict()


def n_outputs(head: nn.Module) -> int:
    """How many logits it gives: the width of its last linear layer, 0 without one."""
    widths = [layer.out_features for layer in head.modules() if isinstance(layer, nn.Linear)]
    return widths[-1] if widths else 0
