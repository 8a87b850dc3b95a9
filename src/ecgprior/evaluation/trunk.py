"""The trunk: pre-training that all folds of an arm and seed share, on sources that no task asks.

An arm's steps are parted: most are spent once, on sources outside the tasks (simulated hearts, other people's
recordings), the rest in each fold, on that fold's training patients. No fold's trunk can have seen a test record, and
it is paid for once.

What goes on is the encoder. Projector, decoder, a moving average of the encoder, prototypes, the space of measured
features and the optimiser begin anew in each fold, as do schedules over steps: an arm that has much beside its encoder
has less of its steps for it.

An arm that learns from labels has a trunk where it says which labels that is to learn (``trunk_labels``): the tasks' own
are not known there. Its head begins anew too, as that of other questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..corpus.labels import label_matrix
from ..errors import CorpusError
from ..provenance import digest_json
from .cells import alone
from .plan import PretrainRecipe, ResolvedArm, TrunkPlan
from .tasks import codes_in_use

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..training.windows import WindowStore

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Trunk:
    """What an arm's trunk is trained on.

    Attributes
    ----------
    records : list of str
        Empty where the arm has no trunk.
    rows : ndarray, int64, (len(records),)
        Of the corpus.
    names : tuple of str, (C,)
        Of the labels it learns; empty for most arms.
    labels : ndarray, float32, (len(corpus), C), or None
        0, 1, or NaN = not labelled, or not one of `records`. None = it learns no labels.
    """

    records: list[str]
    rows: NDArray[np.int64]
    names: tuple[str, ...] = ()
    labels: NDArray[np.float32] | None = None

    @cached_property
    def digest(self) -> str:
        """Of the labels, whatever the order of the records; only of a trunk that has some."""
        assert self.labels is not None
        own = self.labels[self.rows].tolist()
        return digest_json([self.names, dict(sorted(zip(self.records, own, strict=True)))])


def has_trunk(plan: TrunkPlan | None, arm: ResolvedArm) -> bool:
    """Whether an arm is trained in two parts: not without training, nor where it only learns the tasks' labels."""
    if plan is None or arm.arm.features is not None or not arm.arm.train:
        return False
    return bool(arm.arm.trunk_labels) or not arm.learns_labels


def trunk_of(corpus: Corpus, records: list[str], vocabulary: str = "") -> Trunk:
    """The trunk on `records`, or on those of them that are labelled in a vocabulary, with their labels.

    Raises
    ------
    CorpusError
        None of them is labelled in it, or no label has both classes.
    """
    rows = np.asarray(corpus.rows(records), dtype=np.int64)
    if not vocabulary:
        return Trunk(records, rows)
    index = corpus.index
    codes = codes_in_use(index[rows], vocabulary)
    if not codes:
        had = sorted(v for v in corpus.vocabularies if codes_in_use(index[rows], v))
        raise CorpusError(
            f"trunk_labels: expected a vocabulary in which records of the trunk's sources are labelled, got "
            f"'{vocabulary}'; they are in: {', '.join(had) or 'none'}"
        )
    found = label_matrix(index, vocabulary, codes)
    inside = np.zeros(len(index), dtype=bool)
    inside[rows] = True
    found[~inside] = np.nan
    both = (found == 1).any(axis=0) & (found == 0).any(axis=0)
    if not both.any():
        raise CorpusError(
            f"trunk_labels: expected a label of '{vocabulary}' with both classes, got {', '.join(codes)}"
        )
    kept = np.flatnonzero(~np.isnan(found).all(axis=1))
    names = tuple(code for code, ok in zip(codes, both, strict=True) if ok)
    return Trunk(index["record"].gather(kept).to_list(), kept, names, found[:, both])


def trunk_records(plan: TrunkPlan, corpus: Corpus, asked: set[str]) -> list[str]:
    """Records of the trunk's sources.

    Raises
    ------
    CorpusError
        A source is one of the tasks' (`asked`), or none of them is in the corpus.
    """
    if both := sorted(asked & set(plan.sources)):
        raise CorpusError(f"trunk.sources: expected sources that no task asks, got '{both[0]}'")
    index = corpus.index
    found = index.filter(index["source"].is_in(list(plan.sources)))["record"].to_list()
    if not found:
        present = ", ".join(sorted(set(index["source"])))
        raise CorpusError(
            f"trunk.sources: none of {', '.join(plan.sources)} is in the corpus: it holds {present}"
        )
    return found


def two_parts(plan: TrunkPlan, recipe: PretrainRecipe) -> tuple[PretrainRecipe, PretrainRecipe | None]:
    """The recipe of the trunk and that of the continuation; None when the trunk takes all steps.

    >>> recipe = PretrainRecipe.read("simclr", ["steps=1000", "optimiser.lr=0.002"])
    >>> [(r.steps, r.optimiser.lr) for r in two_parts(TrunkPlan(sources=("simulated",), share=0.7, lr=0.5), recipe)]
    [(700, 0.002), (300, 0.001)]
    """
    steps = max(1, round(plan.share * recipe.steps))
    trunk = recipe.model_copy(update={"steps": steps})
    if steps >= recipe.steps:
        return trunk, None
    optimiser = recipe.optimiser.model_copy(update={"lr": plan.lr * recipe.optimiser.lr})
    return trunk, recipe.model_copy(update={"steps": recipe.steps - steps, "optimiser": optimiser})


def train_trunk(
    arm: ResolvedArm,
    recipe: PretrainRecipe,
    corpus: Corpus,
    trunk: Trunk,
    work: Path,
    store: WindowStore,
    device: str | None,
    progress: Progress | None,
) -> Path:
    """The trunk's checkpoint; made by the first process that asks for it, the others wait.

    Parameters
    ----------
    arm : ResolvedArm
        Whose name the folder carries.
    recipe : PretrainRecipe
        Of the trunk, with its seed.
    corpus : Corpus
    trunk : Trunk
    work : Path
        The benchmark's work folder.
    store : WindowStore
        Holds at least its records.
    device, progress
        As of :func:`~ecgprior.training.fit.fit`.
    """
    from ..recipe import to_plain
    from ..training.fit import fit

    labels = None if trunk.labels is None else (trunk.names, trunk.labels)
    more = [] if labels is None else [trunk.digest]
    digest = digest_json([to_plain(recipe), sorted(trunk.records), corpus.digest, *more])
    folder = work / f"trunk-{arm.name}-s{recipe.seed}-{digest[:12]}"
    with alone(folder):
        return fit(
            recipe, corpus, folder / "run", train=trunk.records, labels=labels, store=store, device=device,
            facts={"benchmark": folder.name}, progress=progress,
        )  # fmt: skip
