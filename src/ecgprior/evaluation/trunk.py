"""The trunk: pre-training that all folds of an arm and seed share, on sources that no task asks.

An arm's steps are parted: most are spent once, on sources outside the tasks (simulated hearts, other people's
recordings), the rest in each fold, on that fold's training patients. No fold's trunk can have seen a test record, and
it is paid for once.

What goes on is the encoder. Projector, decoder, a moving average of the encoder, prototypes, the space of measured
features and the optimiser begin anew in each fold, as do schedules over steps: an arm that has much beside its encoder
has less of its steps for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CorpusError
from ..provenance import digest_json
from .cells import alone
from .plan import PretrainRecipe, ResolvedArm, TrunkPlan

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..training.windows import WindowStore

Progress = Callable[[int, int, str], None]


def has_trunk(plan: TrunkPlan | None, arm: ResolvedArm) -> bool:
    """Whether an arm is trained in two parts: not without training, and not when it learns from the tasks' labels."""
    from .. import lookup
    from ..objectives.base import Objective

    if plan is None or arm.arm.features is not None or not arm.arm.train:
        return False
    kind: Any = lookup.method("objectives", arm.recipe(0).objective["name"], Objective)
    return "labels" not in kind.needs


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
        raise CorpusError(f"trunk.sources: none of {', '.join(plan.sources)} is in the corpus: it holds {present}")
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
    records: list[str],
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
    records : list of str
    work : Path
        The benchmark's work folder.
    store : WindowStore
        Holds at least `records`.
    device, progress
        As of :func:`~ecgprior.training.fit.fit`.
    """
    from ..recipe import to_plain
    from ..training.fit import fit

    digest = digest_json([to_plain(recipe), sorted(records), corpus.digest])
    folder = work / f"trunk-{arm.name}-s{recipe.seed}-{digest[:12]}"
    with alone(folder):
        return fit(
            recipe, corpus, folder / "run", train=records, store=store, device=device, facts={"benchmark": folder.name},
            progress=progress,
        )  # fmt: skip

