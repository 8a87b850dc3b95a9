"""``ecgprior report``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    result: Annotated[Path, typer.Argument(help="A result folder of `ecgprior benchmark`.")],
    corpus: Annotated[Path, typer.Option(help="The corpus it was computed on.")],
    to: Annotated[Path, typer.Option(help="The HTML file to write.")],
    work: Annotated[
        Path | None, typer.Option(help="Where its runs lie, for the curves; default RESULT/work.")
    ] = None,
) -> None:
    """Write a benchmark as one self-contained HTML page: result, labels, curves, recordings, ECGs on paper."""
    from ...corpus.shards import Corpus
    from ...provenance import atomic_open, check_target
    from ..report.from_benchmark import report_of
    from ..report.page import render

    check_target(to)
    page = render(report_of(result, Corpus(corpus), work=work))
    to.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(to) as file:
        file.write(page)
    typer.echo(f"{to}: {len(page) / 1e6:.1f} MB")
