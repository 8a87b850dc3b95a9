"""What every objective is: a module that owns its heads and turns a batch into a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from ..batch import Batch, BatchRandom
from ..encoders.base import Encoder
from ..recipe import Part

Names = Mapping[str, tuple[str, ...]]
NO_NAMES: Names = MappingProxyType({})


class Loss(NamedTuple):
    """The number to minimise and its named parts.

    Attributes
    ----------
    total : Tensor, float, ()
        Carries the gradient.
    terms : dict of str to Tensor, ()
        What the log shows; detached.
    """

    total: Tensor
    terms: dict[str, Tensor]


class LeadHead(NamedTuple):
    """A head that says of each lead and moment which of several classes it belongs to.

    Attributes
    ----------
    module : nn.Module
        Plain layers (``encoders/_head.py``) from lead tokens (B, L, P, D) to logits (B, L, P, S · C): S moments a
        token in the order of time, C classes each.
    classes : tuple of str, (C,)
        They exclude each other: probability = softmax. The first is that of an absent lead.
    """

    module: nn.Module
    classes: tuple[str, ...]


class Objective(nn.Module, ABC):
    """Base of all objectives: ``objectives/<name>.py`` defines one subclass with its ``Config`` inside.

    Parameters
    ----------
    encoder : Encoder
        Registered as ``self.encoder``, so its parameters are the objective's too.
    config : Part
        The objective's own ``Config``.
    labels : tuple of str
        Names of the C labels, empty when the objective needs none.

    Attributes
    ----------
    needs : frozenset of str
        Columns a batch must hold: ``"labels"``, ``"next"``, ``"same_patient"`` (another record), ``"features"`` (one row a record, from the side table
        of that name; where it was measured in several windows, the one that overlaps most), ``"fiducials"`` (of
        each beat, over all leads: P, QRS, T × onset, peak, offset), ``"waves"`` (the class of each sample of each
        lead, from the marks of waves or, where a record has none, from its fiducials).
    requires : frozenset of str
        What the encoder must offer: ``"token_mask"`` (a TokenEncoder), ``"lead_tokens"`` (a LeadEncoder).
    passes : int
        Encoder passes a window costs in one step: the budget is counted in these. An objective whose settings
        decide it sets its own.
    """

    Config: ClassVar[type[Part]]
    needs: ClassVar[frozenset[str]] = frozenset()
    requires: ClassVar[frozenset[str]] = frozenset()
    passes: int = 1

    @classmethod
    def asks(cls, config: Part) -> frozenset[str]:
        """What is needed under these settings: ``needs``, unless a switch makes the second window superfluous."""
        return cls.needs

    def __init__(self, encoder: Encoder, config: Part, labels: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.encoder, self.config, self.labels = encoder, config, tuple(labels)

    @abstractmethod
    def forward(self, batch: Batch, rng: BatchRandom) -> Loss:
        """The loss of this process' part of the batch; contrastive ones gather across processes."""

    def before_training(self, columns: Mapping[str, Tensor], names: Names = NO_NAMES) -> None:
        """Called once, before the first step of a run: what must be learnt from the training part as a whole.

        `columns` holds each needed column of all training records, (N, …), NaN = missing; ``"labels"`` is
        (N, C), ``"features"`` (N, F), or (windows, F) where records were measured in several windows; ``"waves"``
        and ``"fiducials"`` are not among them. `names` holds what their columns are called – ``"features"``,
        (F,), ``"labels"``, (C,) – and under ``"rows"`` a name for each row of ``"features"``, or each record.
        Keep what is learnt in buffers, so that it is saved and resumed.
        """

    def learnt(self) -> dict[str, Any]:
        """JSON values that tell what :meth:`before_training` learnt: kept in the checkpoint's provenance."""
        return {}

    def head(self) -> nn.Module | None:
        """The module from pooled embedding (B, D) to label logits (B, C) that a checkpoint keeps, or None."""
        return None

    def lead_head(self) -> LeadHead | None:
        """The head on a LeadEncoder's tokens that a checkpoint keeps and ``ecgprior export`` writes, or None.

        An objective that returns one declares that its encoder is of no use without it. It has no :meth:`head`.
        """
        return None

    def after_step(self, progress: float) -> None:
        """Called after every optimiser step; `progress` runs from 0 to 1 (a moving-average target's turn)."""
