"""How long will it take? From finished cells of the same arm, else from timing two training steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .arms import Setting
from .cells import CellName, CellStore
from .plan import PretrainRecipe, ResolvedArm

_RECORD_S = 0.006  # reading, preprocessing and embedding one record on a laptop's core
_TREES_S, _LINEAR_S = 5.0, 2.0  # fitting one label on about 1,000 features of 1,000 records
_STACK_S = 10.0  # the features' side of a stack, one label; once for all arms of a seed and fold
_DRAW_S = 0.02  # a probe on a draw of the labels, one task


def project(setting: Setting, store: CellStore, todo: Sequence[CellName], workers: int = 1) -> str:
    """One sentence: cells to compute, hours they will take, and what the guess rests on.

    Notes
    -----
    An arm without finished cells is timed: two forward and backward passes of its objective on random windows of
    its recipe's shape, the first one not counted. Stopping early is not foreseen: the guess is an upper one.
    """
    seconds, guessed = 0.0, []
    for arm in setting.arms:
        mine = [name for name in todo if name.arm == arm.name]
        if not mine:
            continue
        past = [cell for name in setting.cells() if name.arm == arm.name and (cell := store.read(name))]
        if past:
            each = sum(sum(cell["seconds"].values()) for cell in past) / len(past)
        else:
            each = _guess(setting, arm)
            guessed.append(f"{arm.name} {each:.0f} s" if each == each else f"{arm.name} not foreseen")
        seconds += each * len(mine) if each == each else 0.0
    basis = f"timed: {', '.join(guessed)} a cell" if guessed else "as the finished cells took"
    total = len(setting.cells())
    return (
        f"{total - len(todo)} of {total} cells are finished; the other {len(todo)} will take about "
        f"{seconds / workers / 3600:.2f} hours with {workers} process{'es' if workers > 1 else ''} ({basis})"
    )


def _guess(setting: Setting, arm: ResolvedArm) -> float:
    n_labels = max(1, len(setting.joined[0]))
    fixed = _RECORD_S * (setting.folds.table.height + 50 * n_labels) + 3.0
    if arm.arm.features is not None:
        return (_TREES_S if arm.arm.features == "trees" else _LINEAR_S) * n_labels
    plan, recipe = setting.recipe, arm.recipe(0)
    n_draws = len(plan.fractions) * plan.draws * len(plan.tasks)
    n_changed = len(plan.changed) * setting.folds.table.height / max(setting.folds.n, 3)
    fixed += _DRAW_S * n_draws + _RECORD_S * n_changed
    if "stacked" in plan.readouts:
        fixed += _STACK_S * n_labels / len(setting.arms)
    if "finetune" in plan.readouts:
        fixed += _training(setting, plan.finetune.over(recipe))
    return fixed + (_training(setting, recipe) if arm.arm.train else 0.0)


def _training(setting: Setting, recipe: PretrainRecipe) -> float:
    looks = recipe.steps / recipe.validate_every if recipe.validate_every else 0
    look_share = setting.folds.table.height / max(setting.folds.n, 3) / recipe.batch / 3
    return _step_seconds(recipe, setting.joined[0]) * (recipe.steps + looks * look_share)


def _step_seconds(recipe: Any, labels: tuple[str, ...]) -> float:
    import torch

    from .. import lookup
    from ..batch import Batch, BatchRandom
    from ..encoders._build import build_encoder
    from ..objectives.base import Objective

    plan = recipe.preprocessing
    encoder = build_encoder(recipe.encoder["name"], recipe.settings("encoder"), plan.leads, plan.fs, seed=0)
    kind: Any = lookup.method("objectives", recipe.objective["name"], Objective)
    names = labels if "labels" in kind.needs else ()
    objective = kind(encoder, kind.Config.check(recipe.settings("objective")), names)
    generator = torch.Generator().manual_seed(0)
    n = recipe.batch // recipe.accumulate
    batch = Batch(
        signal=torch.randn(n, len(plan.leads), recipe.samples, generator=generator),
        lead_mask=torch.ones(n, len(plan.leads), dtype=torch.bool),
        valid=torch.ones(n, recipe.samples, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        labels=(torch.rand(n, len(names), generator=generator) < 0.5).float() if names else None,
        fs=plan.fs,
        leads=tuple(plan.leads),
    )
    batch = batch.with_(next=batch, other=batch)
    if kind.needs - {"labels", "next", "same_patient"}:
        return float("nan")  # it needs measured columns: nothing to time it on
    for step in range(2):
        started = time.perf_counter()
        objective(batch, BatchRandom.for_batch(0, step, batch)).total.backward()
    return (time.perf_counter() - started) * recipe.accumulate
