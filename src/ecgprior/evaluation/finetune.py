"""Fine-tuning: an arm's encoder and a linear head learn the labels of all tasks of the fold together.

Training is that of the objective ``supervised``, begun from the arm's checkpoint, with the arm's preprocessing, window and
precision; the step is kept that is best by macro AUROC on the validation part. An untrained arm is fine-tuned as well:
that is the same supervised training from random weights, what the others must beat.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..recipe import Part, to_plain
from ..training.plan import PretrainRecipe

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..encoders._load import Checkpoint
    from ..training.run import Labels
    from ..training.windows import Progress, WindowStore


class FinetunePlan(Part):
    """How encoders are fine-tuned, all arms alike.

    Attributes
    ----------
    steps : int
        At most.
    batch, accumulate : int
        As in a pre-training recipe; a batch is never larger than the labelled training part.
    lr, weight_decay, warmup : float
        Of AdamW, for encoder and head.
    validate_every : int
        Steps between looks at the validation part.
    patience : int
        Stop after this many looks without a better one; 0 = go on to the end.
    objective : dict
        Settings of ``supervised``: augmentations, dropout, …
    """

    steps: int = Field(300, ge=1)
    batch: int = Field(64, ge=1)
    accumulate: int = Field(1, ge=1)
    lr: float = Field(5e-4, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup: float = Field(0.1, ge=0, le=1)
    validate_every: int = Field(25, ge=1)
    patience: int = Field(6, ge=0)
    objective: dict[str, Any] = {}

    def over(self, recipe: PretrainRecipe) -> PretrainRecipe:
        """The training recipe for an arm's encoder, with the arm's seed.

        Raises
        ------
        RecipeError
            A setting that ``supervised`` does not have.
        """
        return PretrainRecipe.of(
            {
                "seed": recipe.seed,
                "steps": self.steps,
                "batch": self.batch,
                "accumulate": self.accumulate,
                "seconds": recipe.seconds,
                "precision": recipe.precision,
                "preprocessing": to_plain(recipe.preprocessing),
                "encoder": recipe.encoder,
                "objective": {"name": "supervised", **self.objective},
                "optimiser": {"lr": self.lr, "weight_decay": self.weight_decay, "warmup": self.warmup},
                "validate_every": self.validate_every,
                "patience": self.patience,
                "save_every": 10 * self.validate_every,
                "compile": recipe.compile,
            }
        )


def finetune(
    plan: FinetunePlan,
    recipe: PretrainRecipe,
    begin: Path,
    corpus: Corpus,
    to: Path,
    parts: dict[str, list[str]],
    labels: Labels,
    store: WindowStore,
    device: str,
    progress: Progress | None = None,
) -> Checkpoint:
    """The fine-tuned checkpoint of the kept step, with its head.

    Parameters
    ----------
    plan : FinetunePlan
    recipe : PretrainRecipe
        The arm's, with its seed.
    begin : Path
        The arm's checkpoint.
    corpus : Corpus
    to : Path
        The run folder, of this plan and checkpoint alone; a run that was killed goes on, one that is done is not done again,
        also when the folder was moved with its checkpoint.
    parts : dict of "train" and "validation" to record names
        Every one with at least one label.
    labels : (names, array)
        Names of the C labels, and float32 (len(corpus), C), NaN = not labelled.
    store : WindowStore
    device : str
    progress : callable, optional
    """
    from ..encoders._load import load
    from ..training.fit import fit

    if (to / "checkpoint" / "config.json").is_file():  # written last
        return load(to / "checkpoint", device)
    path = fit(
        plan.over(recipe),
        corpus,
        to,
        train=parts["train"],
        validation=parts["validation"],
        labels=labels,
        init=begin,
        store=store,
        device=device,
        progress=progress,
    )
    return load(path, device)
