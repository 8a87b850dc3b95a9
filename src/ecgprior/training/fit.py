"""A recipe and a corpus in, a run folder and a checkpoint out.

The run folder holds ``run.json`` (resolved recipe, hashes of what it was given), ``log.jsonl``, the resume state
while it goes on, and ``checkpoint/`` when it is done. A killed run is started again with the same call and ends as
if it had never been killed, bit for bit on a CPU with as many threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..corpus.shards import Corpus
from ..errors import RecipeError
from ..recipe import to_plain
from .needs import check_lead_names
from .plan import PretrainRecipe
from .processes import processes
from .run import Labels, Run
from .windows import Progress, WindowStore


def fit(
    recipe: PretrainRecipe | dict[str, Any] | str | Path,
    corpus: Corpus | str | Path,
    to: str | Path,
    *,
    train: Sequence[str] | None = None,
    validation: Sequence[str] | None = None,
    labels: Labels | None = None,
    init: str | Path | None = None,
    store: WindowStore | None = None,
    device: str | torch.device | None = None,
    resume: bool = True,
    onnx: bool = False,
    tensorboard: bool = False,
    facts: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Pre-train an encoder.

    Parameters
    ----------
    recipe : PretrainRecipe, dict, or path or name of a recipe
    corpus : Corpus or path
    to : path
        The run folder, made when it is absent.
    train, validation : sequence of str, optional
        Names of records; `train` None = the whole corpus. The validation part is looked at every
        ``recipe.validate_every`` steps, and the best step is kept: by macro AUROC when the objective has a head
        and `labels` hold both classes, else by the objective's loss in eval mode on fixed windows. Without it,
        or with ``validate_every = 0``, the last step is kept.
    labels : (names, array), optional
        Names of the C labels, and float32 (len(corpus), C): 0, 1, NaN = not labelled.
    init : path, optional
        A checkpoint whose encoder's weights are the first ones.
    store : WindowStore, optional
        The preprocessed records, at least those of both parts, made with the recipe's preprocessing: so that many
        runs share them. None = made here.
    device : str or torch.device, optional
        None = CUDA when there is one, else the CPU.
    resume : bool, default True
        Go on from the resume state in `to`, or return at once when that run is done; False = start anew.
    onnx : bool, default False
        The checkpoint also holds an ONNX file.
    tensorboard : bool, default False
    facts : dict, optional
        JSON values that the checkpoint's provenance shall hold (a split's digest, …).
    progress : callable, optional
        ``(done, total, text)``.

    Returns
    -------
    Path
        The checkpoint, ``to/checkpoint``.

    Raises
    ------
    RecipeError
        The recipe, or `to` holds a run of another one.
    LeadMissing
        The preprocessing names a lead that is neither standard nor in the corpus.
    ColumnMissing
        The objective needs what the corpus does not have; before the first step.
    TrainingStopped
        Loss or gradient is not finite.

    Notes
    -----
    Under ``torchrun`` every process calls this; the batch is shared out, and the first process writes. PyTorch's
    global generator is left as it was.
    """
    corpus = corpus if isinstance(corpus, Corpus) else Corpus(corpus)
    resolved = _resolve(recipe)
    check_lead_names(resolved.preprocessing.leads, corpus)
    _check_view(resolved)
    run = Run(resolved, corpus, Path(to), labels, facts or {}, progress)
    run.find(train, validation)
    with processes(device) as here, torch.random.fork_rng(_cuda(here.device)):
        identity = run.identity(init)
        if (done := run.earlier(identity, resume)) is not None:
            return done
        try:
            run.build(here, init, store)
        except BaseException:
            run.leave()
            raise
        try:
            run.claim(identity, here)
            run.loop(here, tensorboard)
            if here.first:
                run.finish(identity, onnx)
            here.wait()
        finally:
            run.stepper.close()
    return run.to / "checkpoint"


def _resolve(recipe: PretrainRecipe | dict[str, Any] | str | Path) -> PretrainRecipe:
    if isinstance(recipe, PretrainRecipe):
        return PretrainRecipe.of(to_plain(recipe))
    return PretrainRecipe.of(recipe) if isinstance(recipe, dict) else PretrainRecipe.read(recipe)


def _check_view(recipe: PretrainRecipe) -> None:
    """A view is cut out of a window: it cannot be longer."""
    view = recipe.objective.get("view_seconds")
    if view is not None and view > recipe.seconds:
        raise RecipeError(
            f"objective.view_seconds: expected at most the window's seconds = {recipe.seconds:g}, got {view:g}"
        )


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
