"""``ecgprior prepare``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE=DIR…", help="For example ptbxl=ptb-xl ludb=ludb.")],
    to: Annotated[Path, typer.Option(help="The corpus' folder: new, or of the same call interrupted.")],
    rate: Annotated[float, typer.Option(help="Sampling rate of the corpus in Hz.")] = 500.0,
    seconds: Annotated[float, typer.Option(help="Window that training will cut; records keep their length.")] = 10.0,
    leads: Annotated[str | None, typer.Option(help="Leads to keep, as I,II,V1; by default the twelve.")] = None,
    workers: Annotated[int | None, typer.Option(help="Local processes; by default one a core.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")] = None,
) -> None:
    """Write publishers' folders as one corpus: same rate, same leads, millivolts, no recording twice.

    Killed or out of space? The same command again goes on where it was. `ecgprior sources` lists the sources.
    """
    from contextlib import nullcontext

    from ...corpus.catalog import open_source
    from ...corpus.prepare import prepare
    from ...errors import CorpusError
    from ...jobs import dask_executor
    from ...record.record import LEADS
    from ..progress import progress_bar

    opened = []
    for text in sources:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise CorpusError(f"source '{text}': expected SOURCE=DIR, as ptbxl=path/to/ptb-xl")
        opened.append(open_source(name, Path(folder)))
    wanted = LEADS if leads is None else tuple(lead.strip() for lead in leads.split(",") if lead.strip())
    with dask_executor(scheduler) if scheduler else nullcontext() as executor, progress_bar("prepare") as move:
        corpus = prepare(
            opened,
            to,
            fs=rate,
            seconds=seconds,
            leads=wanted,
            executor=executor,
            workers=workers,
            progress=move,
        )
    facts = corpus.manifest
    typer.echo(
        f"{to}: {facts['n_records']} records of {facts['n_patients']} known patients "
        f"({facts['n_without_patient']} records without a patient id), {facts['hours']:.2f} h at {corpus.fs:g} Hz"
    )
    if facts["n_duplicates"]:
        typer.echo(f"{facts['n_duplicates']} were recordings that others hold too: {to / 'duplicates.csv'}")
    if facts["n_rejected"]:
        typer.echo(f"{facts['n_rejected']} were rejected: {to / 'rejected.csv'}")
