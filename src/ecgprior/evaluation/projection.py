"""How long will it take? From finished cells of the same arm, else from timing two training steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..errors import EcgpriorError
from ..record.beats import FIDUCIALS, WAVES
from .arms import Setting
from .cells import CellName, CellStore
from .plan import PretrainRecipe, ResolvedArm
from .trunk import has_trunk, two_parts

if TYPE_CHECKING:
    import torch

    from ..batch import Batch

_RECORD_S = 0.006  # reading, preprocessing and embedding one record on a laptop's core
_TREES_S, _LINEAR_S = 5.0, 2.0  # fitting one label on about 1,000 features of 1,000 records
_STACK_S = 10.0  # the features' side of a stack, one label; once for all arms of a seed and fold
_DRAW_S = 0.02  # a probe on a draw of the labels, one task
_ROWS = 512  # of measured features, that an objective may learn from before it is timed
_BEAT_S = 0.8  # from one made-up beat to the next


def project(setting: Setting, store: CellStore, todo: Sequence[CellName], workers: int = 1) -> str:
    """One sentence: cells to compute, hours they will take, and what the guess rests on.

    Notes
    -----
    An arm without finished cells is timed: two forward and backward passes of its objective on random windows of
    its recipe's shape – with rows of the corpus' measured features, where it needs them –, the first one not counted.
    Its trunk is counted once a seed. Stopping early is not foreseen: the guess is an upper one.
    """
    seconds, guessed = 0.0, []
    for arm in setting.arms:
        mine = [name for name in todo if name.arm == arm.name]
        if not mine:
            continue
        past = [cell for name in setting.cells() if name.arm == arm.name and (cell := store.read(name))]
        if past:
            seconds += len(mine) * sum(sum(cell["seconds"].values()) for cell in past) / len(past)
            continue
        each, trunk = _guess(setting, arm)
        if each + trunk != each + trunk:
            guessed.append(f"{arm.name} not foreseen")
            continue
        guessed.append(f"{arm.name} {each:.0f} s" + (f" and {trunk:.0f} s a seed" if trunk else ""))
        seconds += each * len(mine) + trunk * len({name.seed for name in mine})
    basis = f"timed a cell: {', '.join(guessed)}" if guessed else "as the finished cells took"
    total = len(setting.cells())
    return (
        f"{total - len(todo)} of {total} cells are finished; the other {len(todo)} will take about "
        f"{seconds / workers / 3600:.2f} hours with {workers} process{'es' if workers > 1 else ''} ({basis})"
    )


def _guess(setting: Setting, arm: ResolvedArm) -> tuple[float, float]:
    """Seconds of each cell, and of the trunk that the cells of a seed share; NaN = it cannot be timed."""
    n_labels = max(1, len(setting.joined[0]))
    fixed = _RECORD_S * (setting.folds.table.height + 50 * n_labels) + 3.0
    if arm.arm.features is not None:
        return (_TREES_S if arm.arm.features == "trees" else _LINEAR_S) * n_labels, 0.0
    plan, recipe = setting.recipe, arm.recipe(0)
    n_draws = len(plan.fractions) * plan.draws * len(plan.tasks)
    n_changed = len(plan.changed) * setting.folds.table.height / max(setting.folds.n, 3)
    fixed += _DRAW_S * n_draws + _RECORD_S * n_changed
    if "stacked" in plan.readouts:
        fixed += _STACK_S * n_labels / len(setting.arms)
    if "finetune" in plan.readouts:
        tuned = plan.finetune.over(recipe)
        fixed += _steps(setting, tuned) * _timed(setting, tuned)
    if not arm.arm.train:
        return fixed, 0.0
    first, then = (
        two_parts(plan.trunk, recipe) if plan.trunk and has_trunk(plan.trunk, arm) else (None, recipe)
    )
    step = _timed(setting, recipe)
    trunk = 0.0 if first is None else step * first.steps
    return fixed + (0.0 if then is None else step * _steps(setting, then)), trunk


def _steps(setting: Setting, recipe: PretrainRecipe) -> float:
    """Steps of a run, the looks at the validation part counted as parts of steps."""
    looks = recipe.steps / recipe.validate_every if recipe.validate_every else 0
    return recipe.steps + looks * setting.folds.table.height / max(setting.folds.n, 3) / recipe.batch / 3


def _timed(setting: Setting, recipe: PretrainRecipe) -> float:
    """Seconds a step; NaN where what it needs is not there – what that is, its first cell says."""
    try:
        return _step_seconds(recipe, setting.joined[0], setting.corpus.side(recipe.features_table))
    except EcgpriorError:
        return float("nan")


def _step_seconds(
    recipe: PretrainRecipe, labels: tuple[str, ...], measured: pl.DataFrame | None = None
) -> float:
    """Seconds of the second of two steps; NaN when it needs measured features and none are given.

    Parameters
    ----------
    recipe : PretrainRecipe
    labels : tuple of str
        What an objective that learns from labels is given.
    measured : polars.DataFrame, optional
        A table of the form of ``features``.
    """
    import torch

    from .. import lookup
    from ..batch import BatchRandom
    from ..encoders._build import build_encoder
    from ..objectives.base import Objective

    plan = recipe.preprocessing
    encoder = build_encoder(recipe.encoder["name"], recipe.settings("encoder"), plan.leads, plan.fs, seed=0)
    kind: Any = lookup.method("objectives", recipe.objective["name"], Objective)
    names = labels if "labels" in kind.needs else ()
    objective = kind(encoder, kind.Config.check(recipe.settings("objective")), names)
    batch = _made_up(recipe, names)
    if "features" in kind.needs:
        if measured is None or not measured.height:
            return float("nan")
        values, called = _some_rows(measured)
        objective.before_training({"features": values}, called)
        own = torch.arange(len(batch)) % len(values)
        batch = batch.with_(columns={**batch.columns, "features": values[own]})
    batch = batch.with_(next=batch, other=batch)
    for step in range(2):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            loss = objective(batch, BatchRandom.for_batch(0, step, batch)).total
        loss.backward()
    return (time.perf_counter() - started) * recipe.accumulate


def _made_up(recipe: PretrainRecipe, labels: tuple[str, ...]) -> Batch:
    """A batch of noise with a beat every 0.8 s, of the recipe's shape."""
    import torch

    from ..batch import Batch

    plan = recipe.preprocessing
    n, samples = recipe.batch // recipe.accumulate, recipe.samples
    generator = torch.Generator().manual_seed(0)
    peaks = torch.arange(0, samples, _BEAT_S * plan.fs).reshape(-1, 1, 1)
    near = (
        torch.linspace(-0.2, 0.3, len(WAVES) * len(FIDUCIALS)).reshape(len(WAVES), len(FIDUCIALS)) * plan.fs
    )
    marks = peaks + near
    marks[(marks < 0) | (marks > samples - 1)] = float("nan")
    shape = (n, len(plan.leads), samples)
    return Batch(
        signal=torch.randn(shape, generator=generator),
        lead_mask=torch.ones(n, len(plan.leads), dtype=torch.bool),
        valid=torch.ones(n, samples, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        labels=(torch.rand(n, len(labels), generator=generator) < 0.5).float() if labels else None,
        columns={
            "fiducials": marks.expand(n, *marks.shape),
            "waves": torch.randint(0, 1 + len(WAVES), shape, generator=generator, dtype=torch.int8),
            "simulated": torch.zeros(n, dtype=torch.bool),
        },
        fs=plan.fs,
        leads=tuple(plan.leads),
    )


def _some_rows(measured: pl.DataFrame) -> tuple[torch.Tensor, dict[str, tuple[str, ...]]]:
    """A few hundred rows of measured features, and what objectives are told of names."""
    import torch

    from ..training.features import feature_columns

    some, names = measured.sample(min(_ROWS, measured.height), seed=0), feature_columns(measured)
    values = some.select(pl.col(names).cast(pl.Float32).fill_null(np.nan)).to_numpy()
    return torch.tensor(values), {"features": names, "rows": tuple(some["record"])}
