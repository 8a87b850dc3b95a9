"""``ecgprior split``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    corpus: Annotated[Path, typer.Argument(help="A prepared corpus.")],
    to: Annotated[Path, typer.Option(help="The fold file, folds.csv; its manifest goes beside it.")],
    cv: Annotated[
        int | None, typer.Option(help="Folds for cross-validation, instead of published folds.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option(help="Vocabulary to keep in proportion; repeatable; by default all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides ties among patients.", min=0)] = 0,
) -> None:
    """Split a corpus by patients: published folds where there are any, else labels in proportion.

    No patient and no recording lies in two parts. Records without a patient id count as patients of their own.
    """
    from ...corpus.shards import Corpus
    from ...corpus.splits import split

    opened = Corpus(corpus)
    made = split(opened, cv=cv, labels=labels or None, seed=seed)
    made.save(to)
    counts = made.fold.group_by("fold").len().sort("fold").rows()
    listed = ", ".join(f"{fold}: {count}" for fold, count in counts)
    typer.echo(f"{to}: {made.kind}, records a fold {listed}")
    if without := made.manifest["n_without_patient"]:
        typer.echo(
            f"{without} of {made.fold.height} records have no patient id: each counts as its own patient"
        )
