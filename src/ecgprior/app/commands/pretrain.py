"""``ecgprior pretrain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ...corpus.shards import Corpus


def command(
    recipe: Annotated[
        str, typer.Argument(help="A .toml file, or a recipe of the package: simclr, delineate/ludb.")
    ],
    corpus: Annotated[Path, typer.Option(help="A prepared corpus.")],
    to: Annotated[Path, typer.Option(help="The run folder; the same again goes on.")],
    values: Annotated[list[str] | None, typer.Argument(help="key=value over the recipe's: steps=100")] = None,
    split: Annotated[Path | None, typer.Option(help="A fold file of `ecgprior split`.")] = None,
    test_fold: Annotated[int | None, typer.Option(help="Of a cross-validation: the fold left out.")] = None,
    all_but_test: Annotated[
        bool, typer.Option(help="Learn from the validation part too; the last step is then kept.")
    ] = False,
    labels: Annotated[
        str | None, typer.Option(help="Vocabulary to train on, for supervised objectives.")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="A checkpoint whose weights are the first ones.")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1; default: CUDA when there is one.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option(help="Also write TensorBoard files.")] = False,
    onnx: Annotated[bool, typer.Option(help="Also write an ONNX file, to serve without PyTorch.")] = False,
    anew: Annotated[bool, typer.Option(help="Forget what the run folder holds and start again.")] = False,
) -> None:
    """Pre-train an encoder by a recipe; a killed run goes on where it was.

    With --split only the training part is learnt from, and the validation part decides which step is kept
    (where the recipe looks at it). Several processes: torchrun --nproc-per-node N -m ecgprior pretrain …
    """
    import os
    from contextlib import nullcontext

    from ...corpus.labels import label_matrix, vocabulary_of
    from ...corpus.shards import Corpus
    from ...training.fit import fit
    from ...training.plan import PretrainRecipe
    from ..progress import progress_bar

    plan = PretrainRecipe.read(recipe, values)
    opened = Corpus(corpus)
    parts = _parts(split, test_fold, opened, all_but_test)
    known = None
    if labels is not None:
        names = vocabulary_of(opened.index, labels).codes
        known = (names, label_matrix(opened.index, labels, names))
    first = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one speaks
    with progress_bar("pretrain") if first else nullcontext() as move:
        checkpoint = fit(
            plan,
            opened,
            to,
            train=parts.get("train"),
            validation=parts.get("validation"),
            labels=known,
            init=init,
            device=device,
            tensorboard=tensorboard,
            onnx=onnx,
            resume=not anew,
            facts=parts["facts"],
            progress=move,
        )
    if first:
        typer.echo(f"checkpoint: {checkpoint}")


def _parts(path: Path | None, test_fold: int | None, corpus: "Corpus", all_but_test: bool) -> dict[str, Any]:
    """Training and validation records of a fold file, checked for leaks, and what the checkpoint says of it."""
    from ...corpus.splits import Split, check_leaks
    from ...errors import CorpusError
    from ..split_parts import parts_of

    if path is None:
        if test_fold is not None or all_but_test:
            option = "--test-fold" if test_fold is not None else "--all-but-test"
            raise CorpusError(f"{option} needs a fold file: pass --split FILE")
        return {"facts": {}}
    split = Split.load(path)
    parts = parts_of(split, test_fold)
    check_leaks(parts, corpus.index)
    said: dict[str, Any] = {"split": split.manifest, "test_fold": test_fold}
    if all_but_test:
        parts = {"train": [*parts["train"], *parts["validation"]]}
        said["all_but_test"] = True
    return {**parts, "facts": said}
