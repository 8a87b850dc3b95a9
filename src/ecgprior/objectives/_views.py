"""Views: a recipe's list of augmentations, applied in order, each to the windows that its chance picks."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any

import torch
from pydantic import AfterValidator

from .. import lookup
from ..augmentations.base import Augmentation
from ..batch import Batch, BatchRandom
from ..errors import RecipeError


class View:
    """Augmentations in order.

    Parameters
    ----------
    steps : sequence of dict
        ``{name = "time_out", probability = 0.5, high = 0.3}``: the augmentation's file, the chance that a
        window gets it (default 1), and its settings.
    columns : set of str or None
        What the batches hold: the objective's ``needs``; None = not said.

    Raises
    ------
    UnknownName
        No such augmentation.
    RecipeError
        A setting that it does not have, a probability outside 0…1, or a need that is not met.
    """

    def __init__(self, steps: tuple[dict[str, Any], ...], columns: Set[str] | None = None) -> None:
        self.steps = [_build(dict(step)) for step in steps]
        for (_, augmentation), step in zip(self.steps, steps):
            if columns is not None and (missing := augmentation.needs - columns):
                raise RecipeError(
                    f"augmentation '{step['name']}' needs {', '.join(sorted(missing))}: expected an objective that "
                    "needs the same, such as 'delineate'"
                )

    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A changed batch of the same shapes; the given one is left alone."""
        for number, (probability, augmentation) in enumerate(self.steps):
            own = rng.split(f"step {number}")
            if probability >= 1:
                batch = augmentation(batch, own)
            else:
                batch = _some(augmentation, batch, own, own.chance("apply", probability))
        return batch


def _build(step: dict[str, Any]) -> tuple[float, Augmentation]:
    name = step.pop("name", None)
    probability = step.pop("probability", 1.0)
    if not isinstance(name, str):
        raise RecipeError("recipe: every augmentation needs a name, as in {name = 'time_out'}")
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise RecipeError(f"augmentation '{name}': expected a probability from 0 to 1, got {probability!r}")
    kind = lookup.method("augmentations", name, Augmentation)
    return float(probability), kind.check(step)  # type: ignore[attr-defined]


def _some(augmentation: Augmentation, batch: Batch, rng: BatchRandom, chosen: torch.Tensor) -> Batch:
    """The batch with its `chosen` windows changed, and only they computed: each draws what it would among all."""
    rows = chosen.nonzero()[:, 0]
    if not len(rows):
        return batch
    part = batch.with_(
        **{
            name: getattr(batch, name)[rows]
            for name in ("signal", "lead_mask", "valid", "row", "start", "patient")
        },
        labels=None if batch.labels is None else batch.labels[rows],
        next=None,
        other=None,
        columns={name: column[rows] for name, column in batch.columns.items()},
    )
    changed = augmentation(part, rng.only(rows))
    put = lambda old, new: old if new is None else old.index_copy(0, rows, new)  # noqa: E731
    columns = {name: column if name not in changed.columns or changed.columns[name] is part.columns[name]
               else put(column, changed.columns[name]) for name, column in batch.columns.items()}  # fmt: skip
    return batch.with_(
        signal=put(batch.signal, changed.signal),
        lead_mask=put(batch.lead_mask, changed.lead_mask),
        valid=put(batch.valid, changed.valid),
        columns=columns,
    )


def _checked(steps: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    View(steps)
    return steps


Augmentations = Annotated[tuple[dict[str, Any], ...], AfterValidator(_checked)]
"""The type of a ``Config`` field that holds a view's augmentations: checked when the recipe is read."""


def crop(batch: Batch, rng: BatchRandom, samples: int) -> Batch:
    """A stretch of `samples` at a random place of each window, shorter in shape: (B, L, T) → (B, L, samples).

    The place is drawn within the recorded part; a window with fewer valid samples keeps them all.
    """
    if samples >= batch.signal.shape[-1]:
        return batch
    room = (batch.valid.sum(1) - samples).clamp(min=0) + 1
    start = (rng.uniform("crop") * room).long()
    index = start[:, None] + torch.arange(samples, device=start.device)
    leads = index[:, None, :].expand(-1, batch.signal.shape[1], -1)
    moved = {name: batch.columns[name].gather(2, leads) for name in ("waves",) if name in batch.columns}
    if "fiducials" in batch.columns:
        marks = batch.columns["fiducials"] - start[:, None, None, None]
        moved["fiducials"] = marks.masked_fill((marks < 0) | (marks > samples - 1), torch.nan)
    return batch.with_(
        signal=batch.signal.gather(2, leads), valid=batch.valid.gather(1, index), start=batch.start + start,
        columns=batch.columns | moved,
    )  # fmt: skip
