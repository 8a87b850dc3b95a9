"""One optimiser step: batches in, weights changed, numbers for the log out."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..batch import Batch, BatchRandom
from ..errors import CorpusError, TrainingStopped
from ..objectives.base import Loss, Objective
from .plan import Optimiser, PretrainRecipe
from .processes import Processes
from .windows import Windows

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""A recipe's mixed precisions."""


class Stepper:
    """Owns the optimiser, and makes step after step.

    Parameters
    ----------
    recipe : PretrainRecipe
    objective : Objective
        On its device, in its type.
    windows : Windows
        The training part.
    here : Processes
    name_of : callable
        Row of the corpus → the record's name, for the error that a non-finite loss raises.

    Attributes
    ----------
    batch : int
        Windows a step: the recipe's, or fewer when there are fewer training records.
    """

    def __init__(
        self,
        recipe: PretrainRecipe,
        objective: Objective,
        windows: Windows,
        here: Processes,
        name_of: Callable[[int], str],
    ) -> None:
        self.recipe, self.objective, self.windows, self.here, self.name_of = recipe, objective, windows, here, name_of
        self.dtype = torch.float64 if recipe.precision == "float64" else torch.float32
        self.optimiser = adamw(objective, recipe.optimiser)
        self.scaler = torch.amp.GradScaler(here.device.type, enabled=recipe.precision == "float16")
        parts = recipe.accumulate * here.count
        self.batch = min(recipe.batch, len(windows.positions) // parts * parts)
        if self.batch < 1:
            raise CorpusError(
                f"training part: expected at least {parts} usable records, one for each of {here.count} processes × "
                f"{recipe.accumulate} parts, got {len(windows.positions)}"
            )
        self.model: nn.Module = objective
        if here.count > 1:
            ids = [here.device] if here.device.type == "cuda" else None
            self.model = nn.parallel.DistributedDataParallel(objective, device_ids=ids)
        self._ahead = _Ahead(self._batches, recipe.steps, 2 if here.device.type == "cuda" else 0)

    def step(self, number: int) -> dict[str, float]:
        """Step `number` (from 0): loss, terms, learning rate, norm of the gradient, share of time spent loading.

        Raises
        ------
        TrainingStopped
            Loss or gradient is not finite; names the records of this process' batch.
        """
        began = time.perf_counter()
        batches = self._ahead.get(number)
        loaded = time.perf_counter()
        rate = self.recipe.optimiser.rate(number, self.recipe.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # Dropout draws from PyTorch's generator: keyed by seed, step and process, so that resuming is exact.
        torch.manual_seed(_mixed(self.recipe.seed, number, self.here.number))
        values: dict[str, Tensor] = {}
        for i, batch in enumerate(batches):
            loss = self._backward(batch, number, last=i == len(batches) - 1)
            for name, value in {"loss": loss.total.detach(), **loss.terms}.items():
                values[name] = values.get(name, 0.0) + value / len(batches)
        norm = self._descend(batches, number)
        self.objective.after_step((number + 1) / self.recipe.steps)
        numbers = {name: float(value) for name, value in values.items()}
        share = (loaded - began) / (time.perf_counter() - began)
        return {**numbers, "lr": rate, "grad_norm": norm, "loading_share": share}

    def state(self) -> dict[str, Any]:
        """What the scaler remembers, as JSON values (empty unless float16)."""
        return dict(self.scaler.state_dict())

    def close(self) -> None:
        """Stop loading ahead."""
        self._ahead.close()

    def _batches(self, number: int) -> list[Batch]:
        """This process' parts of step `number`."""
        drawn = self.windows.draw(number, self.batch)
        parts = drawn.reshape(self.recipe.accumulate, self.here.count, -1)[:, self.here.number]
        return [self.windows.batch(number, part) for part in parts]

    def _backward(self, batch: Batch, number: int, last: bool) -> Loss:
        batch = batch.to(self.here.device, self.dtype)
        rng = BatchRandom.for_batch(self.recipe.seed, number, batch)
        wait = contextlib.nullcontext() if last or self.here.count == 1 else self.model.no_sync()  # type: ignore[operator]
        with wait:
            kind = AUTOCAST.get(self.recipe.precision)
            with torch.autocast(self.here.device.type, kind, enabled=kind is not None):
                loss: Loss = self.model(batch, rng)
            if not torch.isfinite(loss.total):
                self._stop("loss", float(loss.total.detach()), [batch], number)
            self.scaler.scale(loss.total / self.recipe.accumulate).backward()
        return loss

    def _descend(self, batches: list[Batch], number: int) -> float:
        self.scaler.unscale_(self.optimiser)
        clip = self.recipe.optimiser.clip or math.inf
        norm = float(nn.utils.clip_grad_norm_(self.objective.parameters(), clip))
        if not math.isfinite(norm) and not self.scaler.is_enabled():
            self._stop("gradient norm", norm, batches, number)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        return norm

    def _stop(self, what: str, value: float, batches: list[Batch], number: int) -> None:
        rows = [row for batch in batches for row in batch.row.tolist()]
        names = ", ".join(self.name_of(row) for row in rows)
        raise TrainingStopped(
            f"{what} of step {number}: expected a finite number, got {value}; the batch holds {names}; "
            "lower optimiser.lr, or look at these records"
        )


def adamw(module: nn.Module, settings: Optimiser) -> torch.optim.AdamW:
    """AdamW over what can be trained; weight decay for tensors of two or more dimensions only."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.lr, betas=betas, eps=settings.eps)


class _Ahead:
    """Makes the batches of the next steps in a thread while the device works; with depth 0 when they are asked for."""

    def __init__(self, make: Callable[[int], list[Batch]], steps: int, depth: int) -> None:
        self._make, self._steps, self._depth = make, steps, depth
        self._pool = ThreadPoolExecutor(1) if depth else None
        self._waiting: dict[int, Future[list[Batch]]] = {}

    def get(self, number: int) -> list[Batch]:
        if self._pool is None:
            return self._make(number)
        for n in range(number, min(number + self._depth + 1, self._steps)):
            if n not in self._waiting:
                self._waiting[n] = self._pool.submit(self._make, n)
        return self._waiting.pop(number).result()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _mixed(*parts: int) -> int:
    """One 63-bit seed from several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0]) >> 1
