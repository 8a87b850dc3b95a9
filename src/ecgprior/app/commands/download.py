"""``ecgprior download``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="A source that `ecgprior sources` says can be downloaded.")],
    to: Annotated[Path, typer.Option(help="The folder; the same again goes on where it was.")] = ...,  # type: ignore[assignment]
    only: Annotated[
        list[str] | None, typer.Option(help="Only files like this: 'records500/*'. Repeatable.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Address of another folder with its SHA256SUMS.txt.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Files at a time.")] = 4,
) -> None:
    """Download an openly licensed source: resumed, and every file verified by the publisher's SHA-256.

    Offered is only what the publisher lists with SHA-256 (SHA256SUMS.txt): a download that cannot be checked is not offered.
    """
    from ...corpus.catalog import source_class
    from ...corpus.download import download
    from ..progress import progress_bar

    source = source_class(name)
    typer.echo(f"{source.title}, licence {source.licence}, from {mirror or source.url}")
    with progress_bar(name) as progress:
        download(source, to, only=only or (), mirror=mirror, workers=workers, progress=progress)
    found = [place for place in (to, *sorted(to.iterdir())) if place.is_dir() and source(place).found()]
    for place in found[:1]:
        typer.echo(f"ready: ecgprior prepare {name}={place} --to CORPUS")
    if not found:
        typer.echo("what was fetched is not a whole source yet: without --only every file is fetched")
