"""``ecgprior plot``: one ECG on paper, as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def command(
    file: Annotated[Path, typer.Argument(help="A record: a WFDB header or stem, .mat, .hdf5, .csv or .npy.")],
    to: Annotated[Path, typer.Option(help="The SVG file to write.")],
    start: Annotated[float, typer.Option(help="First second shown.")] = 0.0,
    seconds: Annotated[float | None, typer.Option(help="How long; default 10, strips go on to 60.")] = None,
    layout: Annotated[Literal["auto", "3x4", "strips"], typer.Option(help="Arrangement of leads.")] = "auto",
    rhythm: Annotated[str, typer.Option(help="Lead of the rhythm strip.")] = "II",
    fs: Annotated[float | None, typer.Option(help="Sampling rate in Hz, where the file has none.")] = None,
    leads: Annotated[
        str | None, typer.Option(help="Lead names, comma between, where the file has none.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="V, mV or uV, where the file does not say.")] = None,
    baseline: Annotated[float | None, typer.Option(help="Remove baseline wander below this many Hz.")] = None,
    mains: Annotated[float | None, typer.Option(help="Remove mains hum at this many Hz.")] = None,
) -> None:
    """Draw an ECG on paper: 25 mm/s, 10 mm/mV, 3 × 4 leads and a rhythm strip, true to scale."""
    from ...errors import where
    from ...provenance import atomic_open
    from ...record.filters import remove_baseline, remove_mains
    from ...record.read import read
    from ..plots.paper import plot_ecg

    if to.suffix.casefold() != ".svg":
        raise typer.BadParameter(f"--to: expected a name that ends in .svg, got '{to}'")
    record = read(file, fs=fs, leads=leads.split(",") if leads else None, unit=unit)
    with where(f"file '{file}'"):
        done: list[str] = []
        if baseline is not None:
            record, done = remove_baseline(record, hz=baseline), [*done, f"high-pass {baseline:g} Hz"]
        if mains is not None:
            record, done = remove_mains(record, hz=mains), [*done, f"notch {mains:g} Hz"]
        drawing = plot_ecg(
            record,
            start_s=start,
            seconds=seconds,
            layout=layout,
            rhythm=rhythm,
            filter_text=", ".join(done) or "as recorded, no filter",
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(to) as svg:
        svg.write(drawing)
    print(f"{to}: {record!r}")
