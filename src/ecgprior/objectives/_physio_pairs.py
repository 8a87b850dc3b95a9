"""Which windows of a batch are physiologically alike, and which are not.

Similarity comes from measured features (:mod:`._feature_space`), over the batch of all processes. A pair of which
too little was measured is neither; a window is never its own partner; windows of one patient are never negatives.

**Source** – PhysioCLR (arXiv 2509.08116): pairs above a cosine of δ = 0.25 are positive, all others negative. Ours:
what was not measured stays unknown, patients are known, δ may be the quantile that gives a share of positives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ..errors import ColumnMissing, CorpusError
from ..physiology.similarity import BLOCKS, BlockSpace, PlainSpace, Space
from ..recipe import Part
from ._distributed import gather, process
from ._feature_space import DeviceSpace, blocks_of, choose
from ._measured import refuse_alike
from .base import Names

_WANTED = {"plain": ("physioclr",), "block": ("physiology",)}


class Relations(NamedTuple):
    """How each of this process' b windows is related to the N of all processes.

    Attributes
    ----------
    similar, dissimilar : Tensor, bool, (b, N)
        Both False: itself, unknown, or dissimilar and of the same patient.
    weight : Tensor, float64, (b, N)
        In [0, 1], how much alike; 0 where neither.
    itself : Tensor, bool, (b, N)
    stranger : Tensor, bool, (b, N)
        Of another patient.
    """

    similar: Tensor
    dissimilar: Tensor
    weight: Tensor
    itself: Tensor
    stranger: Tensor


class PairSettings(Part):
    """How pairs are made of features.

    Parameters
    ----------
    similarity : "block" or "plain", default "block"
        Block by block (:class:`BlockSpace`), or the cosine of all features' components (:class:`PlainSpace`).
    features : list of str
        What is compared: blocks, features or words of :func:`~ecgprior.objectives._feature_space.choose`. Default:
        ``physioclr``, the paper's vector, for ``plain``; ``physiology``, all five blocks, for ``block``. Of a table
        that is another descriptor all of it, and its blocks are what stands before the first underscore of a name.
    components : int, default 0
        Of the space or of each block, at most; 0 = 50 and 2.
    threshold : float or None
        δ, above which a pair is similar; None = the quantile of training pairs that gives `positives`.
    positives : float, default 0.05
        Share of similar pairs that δ shall give.
    nearest : int, default 0
        Instead of δ: the so many nearest windows of the batch are similar.
    softness : float, default 0.05
        κ of the weight σ((similarity − δ) / κ).
    """

    similarity: Literal["block", "plain"] = "block"
    features: tuple[str, ...] = ()
    components: int = Field(0, ge=0)
    threshold: float | None = None
    positives: float = Field(0.05, gt=0, lt=1)
    nearest: int = Field(0, ge=0)
    softness: float = Field(0.05, gt=0)


class Pairs(nn.Module):
    """Relations of the windows of a batch, by a space that is fitted on the training part.

    Parameters
    ----------
    settings : PairSettings
    """

    def __init__(self, settings: PairSettings) -> None:
        super().__init__()
        self.settings, self.space = settings, DeviceSpace()

    def fit(self, columns: Mapping[str, Tensor], names: Names) -> None:
        """Fit the space on the training part.

        Raises
        ------
        ColumnMissing
            The features have no names, or none of them is what is compared.
        CorpusError
            All training pairs are similar, or none is; or the recordings differ by noise alone.
        """
        if "features" not in names:
            raise ColumnMissing("features: expected their names beside the training part, got none")
        self.space.set(self._space(columns["features"].cpu().numpy(), names["features"], names["rows"]))
        self._check_spread()

    def _space(self, matrix: Any, names: tuple[str, ...], rows: tuple[str, ...]) -> Space:
        own = self.settings
        chosen = choose(names, own.features or _WANTED[own.similarity])
        # The space keeps the table's columns, so that a batch is placed as it comes.
        values = np.where(np.isin(names, chosen), matrix, np.nan)
        if own.similarity == "plain":
            return PlainSpace.fit(values, names, ids=rows, components=own.components or 50)
        blocks = {name: block for name, block in blocks_of(names).items() if name in chosen}
        use = [*BLOCKS, *sorted(set(blocks.values()) - {*BLOCKS, ""})]
        return BlockSpace.fit(values, names, blocks, ids=rows, use=use, components=own.components or 2)

    def _check_spread(self) -> None:
        assert self.space.space is not None
        refuse_alike(self.space.space.standardiser, self.space.space.training["n_rows"])
        low, high = self.space.space.quantiles[[0, -1]].tolist()
        if self.settings.nearest:
            return
        if not low <= self.delta < high:
            given = self.settings.threshold is not None
            other = ", or leave out objective.pairs.threshold: δ then follows objective.pairs.positives"
            raise CorpusError(
                "training part: expected recordings of which some are physiologically alike and some are not, got "
                f"similarities of {low:.3g} to {high:.3g} between {self.space.space.training['n_rows']} rows of "
                f"features, δ = {self.delta:.3g}; prepare more recordings{other if given else ''}"
            )

    @property
    def delta(self) -> float:
        """δ: a similarity above it makes a pair similar."""
        if self.settings.threshold is not None:
            return self.settings.threshold
        assert self.space.space is not None
        return self.space.space.delta(self.settings.positives)

    def learnt(self) -> dict[str, Any]:
        """What was fitted, for a checkpoint's provenance."""
        if self.space.space is None:
            return {}
        space = self.space.space
        return {
            "similarity": space.kind,
            "digest": space.digest,
            "training": dict(space.training),
            "n_features": len(space.standardiser.names),
            "delta": self.delta,
        }

    def forward(self, features: Tensor, patient: Tensor) -> Relations:
        """Relations of this process' windows to those of all processes.

        Parameters
        ----------
        features : Tensor, float, (b, C)
            NaN = not measured.
        patient : Tensor, int64, (b,)
        """
        with torch.no_grad():
            here, there = self.space.coordinates(features)
            everyone = (gather(here), gather(there.to(here.dtype)) > 0.5)
            similarity = self.space.similarity((here, there), everyone)
            mine = torch.arange(len(here), device=here.device) + process() * len(here)
            own = self.settings
            return related(
                similarity, mine, (patient, gather(patient)),
                delta=0.0 if own.nearest else self.delta, nearest=own.nearest, softness=own.softness,
            )  # fmt: skip


def related(
    similarity: Tensor,
    mine: Tensor,
    patient: tuple[Tensor, Tensor],
    *,
    delta: float,
    nearest: int = 0,
    softness: float = 0.05,
) -> Relations:
    """Relations from similarities.

    Parameters
    ----------
    similarity : Tensor, float, (b, N)
        NaN = unknown.
    mine : Tensor, int64, (b,)
        Which of the N each row is.
    patient : tuple of Tensor, int64, (b,) and (N,)
    delta, softness : float
    nearest : int
        Above 0: the so many nearest are similar, whatever `delta` is; the weight is then 1 for them and 0 for others.
    """
    n = similarity.shape[1]
    itself = mine[:, None] == torch.arange(n, device=mine.device)
    known = similarity.isfinite() & ~itself
    if nearest:
        ranked = similarity.masked_fill(~known, -torch.inf)
        similar = (
            torch.zeros_like(known).scatter_(1, ranked.topk(min(nearest, n), dim=1).indices, True) & known
        )
        weight = similar.to(similarity.dtype)
    else:
        similar = known & (similarity > delta)
        weight = torch.sigmoid((similarity.nan_to_num() - delta) / softness)
    stranger = patient[0][:, None] != patient[1]
    dissimilar = known & ~similar & stranger
    return Relations(similar, dissimilar, weight.masked_fill(~(similar | dissimilar), 0.0), itself, stranger)
