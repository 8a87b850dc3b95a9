"""A look at the validation part during training: one number, higher is better, that decides which step is kept."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn

from ..batch import BatchRandom
from ..objectives._distributed import total
from ..objectives.base import Objective
from .processes import Processes
from .windows import Windows

_FIXED_STEP = 2**31 - 1


@torch.no_grad()
def validation_score(
    objective: Objective, windows: Windows, here: Processes, dtype: torch.dtype, batch: int
) -> dict[str, float]:
    """Score the objective in eval mode; its mode is put back afterwards.

    Returns
    -------
    dict of str to float
        ``score`` (higher is better) and what it is: ``auroc``, the mean AUROC over labels that have both classes,
        when the objective has a head and there are labels; else ``loss``, the objective's own on fixed windows.
    """
    training = objective.training
    objective.eval()
    try:
        head = objective.head()
        if head is not None and windows.labels is not None:
            macro = macro_auroc(_scores(objective, head, windows, here, dtype, batch), _targets(windows))
            if np.isfinite(macro):
                return {"score": macro, "auroc": macro}
        loss = _mean_loss(objective, windows, here, dtype, batch)
        return {"score": -loss, "loss": loss}
    finally:
        objective.train(training)


def macro_auroc(scores: NDArray[np.floating], targets: NDArray[np.floating]) -> float:
    """Mean AUROC over the labels that have both classes among the known targets; NaN when none has."""
    found = []
    for score, target in zip(scores.T, targets.T):
        known = np.isfinite(target)
        if len(np.unique(target[known])) == 2:
            found.append(roc_auc_score(target[known], score[known]))
    return float(np.mean(found)) if found else float("nan")


def _targets(windows: Windows) -> NDArray[np.float32]:
    assert windows.labels is not None
    return windows.labels[windows.positions]


def _scores(
    objective: Objective, head: nn.Module, windows: Windows, here: Processes, dtype: torch.dtype, batch: int
) -> NDArray[np.float64]:
    """Logits (N, C) of the embedding averaged over a record's windows by valid length, as a checkpoint does."""
    n = len(windows.positions)
    summed = torch.zeros(n, objective.encoder.dim, dtype=torch.float64)
    weight = torch.zeros(n, 1, dtype=torch.float64)
    for index, part in windows.whole(batch):
        part = part.to(here.device, dtype)
        pooled = objective.encoder(part.signal, part.lead_mask, part.valid).pooled.double().cpu()
        share = part.valid.sum(1, keepdim=True).double().cpu()
        where = torch.from_numpy(index)
        summed.index_add_(0, where, pooled * share)
        weight.index_add_(0, where, share)
    return head((summed / weight).to(here.device, dtype)).double().cpu().numpy()


def _mean_loss(objective: Objective, windows: Windows, here: Processes, dtype: torch.dtype, batch: int) -> float:
    n = len(windows.positions)
    size = min(batch, n) // here.count
    if size == 0:
        return float("nan")
    losses = []
    for begin in range(0, n - size * here.count + 1, size * here.count):
        own = windows.positions[begin + here.number * size :][:size]
        part = windows.batch(_FIXED_STEP, own).to(here.device, dtype)
        loss = objective(part, BatchRandom.for_batch(windows.seed, _FIXED_STEP, part)).total
        losses.append(float(total(loss)) / here.count)
    return float(np.mean(losses))
