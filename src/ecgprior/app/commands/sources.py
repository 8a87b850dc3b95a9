"""``ecgprior sources``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...corpus.sources.base import Source


def command(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders to look into, and into the folders in them.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only this source.")] = None,
) -> None:
    """List the sources: expected layout, licence, where to get them; with folders, what was found in them."""
    from ... import lookup
    from ...corpus.catalog import source_class

    if folders:
        for folder in folders:
            _look(folder, name)
        return
    for known in [name] if name else lookup.names("corpus.sources"):
        _describe(known, source_class(known))


def _describe(name: str, source: "type[Source]") -> None:
    tested = (
        "tested on real files"
        if source.tested == "real"
        else "layout-tested only: nobody here had the real files"
    )
    get = source.url or "one's own recordings"
    if source.sums:
        get += f"  (ecgprior download {name} --to DIR)"
    lines = [("licence", source.licence), ("tested", tested), ("get it", get)]
    lines += [
        ("layout" if i == 0 else "", text.strip())
        for i, text in enumerate(source.layout.strip().splitlines())
    ]
    lines.append(("labels", ", ".join(source.vocabularies) or "none"))
    if folds := source.folds:
        parts = (f"{part} {_span(getattr(folds, part))}" for part in ("train", "validation", "test"))
        lines.append(("folds", ", ".join(parts)))
    typer.echo(f"{name} – {source.title}")
    for key, text in lines:
        typer.echo(f"    {key:8} {text}")
    typer.echo("")


def _span(folds: tuple[int, ...]) -> str:
    return str(folds[0]) if len(folds) == 1 else f"{folds[0]}–{folds[-1]}"


def _look(folder: Path, name: str | None) -> None:
    from ...corpus.catalog import catalog, open_source, survey, vocabularies
    from ...errors import CorpusError

    if not folder.is_dir():
        raise CorpusError(f"'{folder}' is not a folder: expected one that may hold recordings.")
    here = [open_source(name, folder)] if name else survey(folder)
    if not here:
        typer.echo(f"{folder}: nothing here looks like a source; ecgprior sources lists the layouts.")
    for source in here:
        mark = "" if source.tested == "real" else "  [layout-tested only]"
        if not any(True for _ in source.rows()):
            typer.echo(
                f"{source.name}={source.root}: its tables, but none of the recordings that they name{mark}"
            )
            continue
        table = catalog([source])
        people = table["patient"].drop_nulls().n_unique()
        labelled = ", ".join(
            f"{v} {table.height - table[f'labels.{v}'].null_count()}" for v in vocabularies(table)
        )
        typer.echo(f"{source.name}={source.root}: {table.height} records{mark}")
        typer.echo(f"    patients {people or 'unknown'}; labelled {labelled or 'none'}")
