"""Contrastive losses over given positives and negatives: logits and masks in, one number a row out.

``paper`` is PhysioCLR's: it has no lower bound, and its negatives are not weighed against its positives. ``bounded``
puts both in the denominator. Of the logarithm of a sum one easy positive is enough; ``mean_of_logs`` asks for every
one (its floor is the mean log of their number), and ``own_plus_neighbours`` for the window's own view first, for
similar windows with half the weight. ``soft`` takes how much alike as a weight.

**Source** – PhysioCLR (arXiv 2509.08116); ``mean_of_logs`` is the outer form of Khosla et al. 2020 (arXiv
2004.11362), equation 2; the others are ours.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Form = Literal["paper", "bounded", "mean_of_logs", "own_plus_neighbours", "soft"]
NEIGHBOUR_WEIGHT = 0.5


class Candidates(NamedTuple):
    """What each anchor is compared with.

    Attributes
    ----------
    logits : Tensor, float, (b, M)
        Cosine over temperature.
    own : Tensor, bool, (b, M)
        Another view of the anchor's own window.
    similar, negative : Tensor, bool, (b, M)
        Views of other windows. What is none of the three takes no part.
    weight : Tensor, float, (b, M)
        How much alike, in [0, 1]; used by ``soft``, and for others than `own`.
    """

    logits: Tensor
    own: Tensor
    similar: Tensor
    negative: Tensor
    weight: Tensor


def row_losses(form: Form, given: Candidates) -> tuple[Tensor, Tensor]:
    """The loss of each anchor.

    Returns
    -------
    loss : Tensor, float, (b,)
        0 in rows that are not kept.
    kept : Tensor, bool, (b,)
        Rows with at least one positive and at least one negative.
    """
    logits, positive = given.logits, given.own | given.similar
    kept = positive.any(1) & given.negative.any(1)
    everything = positive | given.negative
    if form == "paper":
        each = _log_sum(logits, given.negative) - _log_sum(logits, positive)
    elif form == "bounded":
        each = _log_sum(logits, everything) - _log_sum(logits, positive)
    elif form == "mean_of_logs":
        each = _log_sum(logits, everything) - _mean(logits, positive)
    elif form == "soft":
        weight = torch.where(given.own, 1.0, given.weight.to(logits.dtype)) * everything
        mean = (weight * logits).sum(1) / weight.sum(1).clamp(min=1e-12)
        each = _log_sum(logits, everything) - mean
    else:
        each = _own_plus_neighbours(given)
    return torch.where(kept, each, 0.0), kept


def _own_plus_neighbours(given: Candidates) -> Tensor:
    """Each own view against the negatives, and half of ``mean_of_logs`` over the similar ones."""
    logits = given.logits
    against = _log_sum(logits, given.negative)[:, None]
    own = _mean(torch.logaddexp(logits, against) - logits, given.own)
    near = _log_sum(logits, given.similar | given.negative) - _mean(logits, given.similar)
    return torch.where(given.own.any(1), own, 0.0) + NEIGHBOUR_WEIGHT * torch.where(
        given.similar.any(1), near, 0.0
    )


def _log_sum(logits: Tensor, mask: Tensor) -> Tensor:
    """log Σ exp over the mask; over everything where the mask is empty, so that no gradient is NaN."""
    mask = mask | ~mask.any(1, keepdim=True)
    return logits.masked_fill(~mask, -torch.inf).logsumexp(1)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum(1) / mask.sum(1).clamp(min=1)
