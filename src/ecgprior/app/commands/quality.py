"""``ecgprior quality``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of recordings, a publisher's folder, or a corpus.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(help="The folder for tables and page; default quality-NAME here, NAME the folder's."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Read as this source, as ludb: puts right what its publisher got wrong."),
    ] = None,
    worst: Annotated[int, typer.Option(help="How many of the worst recordings are drawn.", min=0)] = 6,
    workers: Annotated[int | None, typer.Option(help="Local processes; by default one a core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")
    ] = None,
) -> None:
    """Judge every ECG of a folder: a score and reasons lead by lead, as tables and one HTML page.

    Writes quality.csv, quality.parquet, findings.csv and quality.html. A file that cannot be read is listed with
    the reason. Killed? The same command goes on where it was.
    """
    from contextlib import nullcontext

    from ...errors import ReadError
    from ...jobs import dask_executor
    from ...provenance import atomic_open
    from ..folder_quality import Place, judge_folder
    from ..progress import progress_bar
    from ..report.from_quality import report_of
    from ..report.page import render

    if not folder.is_dir():
        raise ReadError(
            f"'{folder}': expected a folder, got {'a file' if folder.exists() else 'nothing there'}"
        )
    to = to or Path(f"quality-{folder.resolve().name}")
    if to.exists() and not to.is_dir():
        raise ReadError(f"'{to}': expected a folder to write to, got a file")
    place = Place(folder, source)
    with (
        dask_executor(scheduler) if scheduler else nullcontext() as executor,
        progress_bar("quality") as move,
    ):
        judged = judge_folder(place, to, executor=executor, workers=workers, progress=move)
    page = render(report_of(judged, place, worst=worst))
    with atomic_open(to / "quality.html") as file:
        file.write(page)
    accepted, unreadable = int(judged.records["acceptable"].sum()), judged.records["unreadable"].count()
    refused = judged.records.height - accepted - unreadable
    typer.echo(
        f"{accepted} recordings acceptable, {refused} not, {unreadable} unreadable: {to / 'quality.html'}"
    )
    if judged.passed_over:
        typer.echo(f"passed over as tables, not ECGs: {', '.join(judged.passed_over[:5])}")
