"""``ecgprior probe``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    corpus: Annotated[Path, typer.Option(help="A prepared corpus.")] = ...,  # type: ignore[assignment]
    labels: Annotated[str, typer.Option(help="Vocabulary to probe: ptbxl_superclass, ….")] = ...,  # type: ignore[assignment]
    split: Annotated[Path, typer.Option(help="A fold file of `ecgprior split`.")] = ...,  # type: ignore[assignment]
    test_fold: Annotated[int | None, typer.Option(help="Of a cross-validation: the fold to test on.")] = None,
    min_positives: Annotated[int, typer.Option(help="Leave out labels with fewer positive records.")] = 8,
    to: Annotated[Path | None, typer.Option(help="Also write the per-label table: a .csv file.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.", min=0)] = 0,
) -> None:
    """Fit a linear probe on a checkpoint's embeddings and score it on the test part.

    The regularisation is chosen on the validation part; intervals resample test patients.
    """
    from rich.console import Console
    from rich.table import Table

    from ...corpus.shards import Corpus
    from ...corpus.splits import Split
    from ...evaluation.probe import probe
    from ...evaluation.tasks import Task
    from ...provenance import atomic_open, check_target
    from ..progress import progress_bar
    from ..split_parts import parts_of

    if to is not None:
        check_target(to)
    folds = Split.load(split)
    parts = parts_of(folds, test_fold)
    task = Task(name=labels, vocabulary=labels, min_positives=min_positives)
    with progress_bar("probe") as move:
        result = probe(checkpoint, Corpus(corpus), task, parts, seed=seed, progress=move)
    if to is not None:
        with atomic_open(to) as file:
            file.write(result.scores.per_label.write_csv())
    columns = ("label", "n", "positives", "auroc", "auprc", "f1_max", "brier", "ece")
    table = Table(*columns, title=f"{labels}, test part of {len(result.records)} records")
    for row in result.scores.per_label.iter_rows(named=True):
        table.add_row(*(f"{row[c]:.3f}" if isinstance(row[c], float) else str(row[c]) for c in columns))
    Console().print(table)
    macro, micro = result.scores.macro, result.scores.micro
    typer.echo(f"macro AUROC {result.macro_auroc}, AUPRC {macro['auprc']:.3f}, Brier {macro['brier']:.3f}, ECE {macro['ece']:.3f}")
    typer.echo(f"micro AUROC {micro['auroc']:.3f}, AUPRC {micro['auprc']:.3f}; F-max {micro['f_max']:.3f}")
    seen = "unknown: the checkpoint says nothing" if result.n_seen is None else str(result.n_seen)
    typer.echo(f"test recordings among those the checkpoint was trained on: {seen}")
