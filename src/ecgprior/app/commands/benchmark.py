"""``ecgprior benchmark``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    recipe: Annotated[
        str | None, typer.Argument(help="A .toml file, or the name of a recipe in the package: panel, demo.")
    ] = None,
    values: Annotated[list[str] | None, typer.Argument(help="key=value over the recipe's: seeds=[0]")] = None,
    corpus: Annotated[Path, typer.Option(help="A prepared corpus.")] = ...,  # type: ignore[assignment]
    to: Annotated[Path | None, typer.Option(help="The result folder; the same again goes on.")] = None,
    work: Annotated[Path | None, typer.Option(help="Runs, checkpoints, embeddings; default TO/work.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the cells.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda; default: CUDA when there is one.")] = None,
    verify: Annotated[Path | None, typer.Option(help="Check this result folder instead of computing.")] = None,
) -> None:
    """Compare ways of training an encoder: arms × tasks × seeds × folds, with intervals.

    Finished cells are not computed again, and several of these commands may work on one result folder (give each
    its share of the cores by OMP_NUM_THREADS; --workers does that by itself). With
    --verify RESULT every sample, label, fold and recipe value that is not what it was is named, and all figures
    are computed again from the stored scores.
    """
    from ...corpus.shards import Corpus
    from ...errors import RecipeError

    if verify is not None:
        _verify(verify, corpus)
        return
    if recipe is None or to is None:
        raise RecipeError("benchmark: expected a recipe and --to FOLDER, or --verify RESULT")
    from ...evaluation.benchmark import benchmark
    from ...evaluation.plan import BenchmarkRecipe
    from ..plots.benchmark import save_figures
    from ..progress import progress_bar, watched

    plan = BenchmarkRecipe.read(recipe, values)
    with progress_bar("benchmark") as move:
        told = watched(move, work or to / "work") if workers > 1 else move
        result = benchmark(
            plan, Corpus(corpus), to, work=work, workers=workers, device=device, progress=told, say=typer.echo
        )
    save_figures(result, to)
    typer.echo((to / "results.md").read_text(encoding="utf-8"))


def _verify(result: Path, corpus: Path) -> None:
    from ...corpus.shards import Corpus
    from ...evaluation.verify import verify

    found = verify(result, Corpus(corpus))
    for line in found:
        typer.echo(line)
    if found:
        typer.echo(f"{result}: {len(found)} differences", err=True)
        raise typer.Exit(1)
    typer.echo(f"{result}: samples, labels, folds, recipe and figures are as they were")
