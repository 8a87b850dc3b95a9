"""wav2vec 2.0's discrete targets: product quantisation by Gumbel softmax, its diversity, and the contrast with them.

**Source** – Baevski et al. 2020 (arXiv 2006.11477), section 2 and equations 1–4; numbers not in the paper from the
authors' code and that of ECG-FM.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..batch import BatchRandom
from ..errors import RecipeError
from ._distributed import gather, total


class Quantised(NamedTuple):
    """What a quantiser gives.

    Attributes
    ----------
    vectors : Tensor, float, (B, M, D)
        One code of each group, side by side.
    code : Tensor, int64, (B, M, G)
        Which one.
    chance : Tensor, float, (B, M, G, V)
        Softmax without noise, for :func:`diversity`.
    """

    vectors: Tensor
    code: Tensor
    chance: Tensor


class Quantiser(nn.Module):
    """G groups of V codes each; a vector becomes the concatenation of one code a group.

    Parameters
    ----------
    dim : int
        Of the input.
    groups, codes : int
        G and V.
    out : int
        D, a multiple of G.

    Raises
    ------
    RecipeError
        `out` is no multiple of `groups`.
    """

    def __init__(self, dim: int, groups: int, codes: int, out: int) -> None:
        super().__init__()
        if out % groups:
            raise RecipeError(f"target_dim: expected a multiple of groups = {groups}, got {out}")
        self.score = nn.Linear(dim, groups * codes)
        nn.init.normal_(self.score.weight)
        nn.init.zeros_(self.score.bias)
        self.codes = nn.Parameter(torch.rand(groups, codes, out // groups))

    def forward(self, x: Tensor, noise: Tensor | None, temperature: Tensor | float) -> Quantised:
        """Quantise (B, M, dim).

        With `noise` (B, M, G, V) the choice is the largest of (score + noise) / temperature and its gradient that
        of the softmax (straight through); without, the largest score, and no gradient reaches `x`.
        """
        score = self.score(x).unflatten(2, self.codes.shape[:2])
        if noise is None:
            index = score.argmax(-1)
            chosen = functional.one_hot(index, score.shape[-1]).to(score.dtype)
        else:
            soft = ((score + noise.to(score.dtype)) / temperature).softmax(-1)
            index = soft.argmax(-1)
            chosen = functional.one_hot(index, score.shape[-1]).to(soft.dtype) + soft - soft.detach()
        vectors = torch.einsum("bmgv,gvd->bmgd", chosen, self.codes.to(chosen.dtype)).flatten(2)
        return Quantised(vectors, index, score.softmax(-1))


def gumbel_noise(rng: BatchRandom, *shape: int) -> Tensor:
    """−log(−log u), float32, (B, *shape)."""
    return -torch.log(-torch.log(rng.uniform("gumbel", *shape).clamp(min=2.0**-25)))


def diversity(chance: Tensor, keep: Tensor) -> Tensor:
    """1 − (sum of the groups' perplexities) / (G · V): 0 when all codes are used alike.

    Parameters
    ----------
    chance : Tensor, float, (B, M, G, V)
    keep : Tensor, bool, (B, M)
        Which count.

    Returns
    -------
    Tensor, float, ()
        Of the mean chance over the windows of all processes; perplexity = exp of the entropy of that mean.
    """
    summed = gather((chance * keep[:, :, None, None]).sum((0, 1))[None]).sum(0)
    mean = summed / total(keep.sum()).clamp(min=1)
    perplexity = torch.exp(-(mean * torch.log(mean + 1e-7)).sum(-1)).sum()
    return 1 - perplexity / mean.numel()


class Contrast(NamedTuple):
    """Sums over the anchors of this process.

    Attributes
    ----------
    loss : Tensor, float, ()
    n, right : Tensor, int64, ()
        How many anchors, and how many of them chose their own target.
    """

    loss: Tensor
    n: Tensor
    right: Tensor


def masked_contrast(
    context: Tensor, target: Tensor, index: Tensor, keep: Tensor, draw: Tensor, temperature: float
) -> Contrast:
    """Each masked token's context must tell its own target from those of other masked tokens of the window.

    Parameters
    ----------
    context, target : Tensor, float, (B, M, D)
    index : Tensor, int64, (B, M, G)
        Codes of the targets: a distractor with the same codes as the own target is left out.
    keep : Tensor, bool, (B, M)
        Masked tokens come first in each row; a row with fewer than two of them has no anchors.
    draw : Tensor, float, (B, M, N)
        Uniform in [0, 1): chooses N distractors an anchor, with repetition, never the anchor itself.
    temperature : float

    Notes
    -----
    −log [exp(cos(c_i, q_i)/τ) / Σ_{q ∈ {q_i, distractors}} exp(cos(c_i, q)/τ)].
    """
    n, own = keep.sum(1), torch.arange(keep.shape[1], device=keep.device)
    cosine = (
        functional.normalize(context, dim=2)
        @ functional.normalize(target, dim=2).transpose(1, 2)
        / temperature
    )
    other = (draw * (n[:, None, None] - 1)).long().clamp(min=0)
    other = (other + (other >= own[:, None])).clamp(max=len(own) - 1)
    same = (index[:, :, None] == index[:, None]).all(-1).gather(2, other)
    wrong = cosine.gather(2, other).masked_fill(same, float("-inf"))
    logits = torch.cat([cosine.diagonal(dim1=1, dim2=2)[:, :, None], wrong], 2)[keep & (n > 1)[:, None]]
    nought = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    loss = functional.cross_entropy(logits, nought, reduction="sum")
    return Contrast(loss, torch.full_like(n[:1], len(logits)).sum(), (logits.detach().argmax(1) == 0).sum())
