"""``ecgprior demo``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    to: Annotated[
        Path, typer.Option(help="The folder to write; the same again goes on where it was.")
    ] = Path("demo"),
    data: Annotated[
        Path | None, typer.Option(help="A folder of published sets: use these, not simulated ECGs.")
    ] = None,
    n: Annotated[int, typer.Option(help="How many ECGs to simulate.", min=200)] = 2000,
    seed: Annotated[int, typer.Option(help="Of the simulated ECGs.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 2,
    values: Annotated[list[str] | None, typer.Argument(help="key=value over the benchmark recipe's.")] = None,
) -> None:
    """The whole way on one command: ECGs, corpus, features, pre-training, probe, comparison, report.

    Without --data the ECGs are simulated, and every page and table says so. With it, every set that is found there
    is prepared; those with labels of the panel are tested, the others only pre-trained on.
    """
    from ..demo import run_demo

    run_demo(to, data=data, n=n, seed=seed, workers=workers, values=values or [])
