"""``ecgprior delineate``: the waves of one ECG, as a picture, a table and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def command(
    file: Annotated[Path, typer.Argument(help="A record: a WFDB header or stem, .mat, .hdf5, .csv or .npy.")],
    plot: Annotated[Path | None, typer.Option(help="Draw it on paper: .svg, .png or .pdf.")] = None,
    waves: Annotated[Path | None, typer.Option(help="Write every wave found: .csv or .parquet.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Write every feature measured: .csv or .parquet.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help="An ONNX file of other weights than the package's.")
    ] = None,
    fs: Annotated[float | None, typer.Option(help="Sampling rate in Hz, where the file has none.")] = None,
    leads: Annotated[
        str | None, typer.Option(help="Lead names, comma between, where the file has none.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="V, mV or uV, where the file does not say.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Read as of this source, as ludb: puts right what its publisher got wrong."),
    ] = None,
    start: Annotated[float, typer.Option(help="First second drawn.")] = 0.0,
    seconds: Annotated[float | None, typer.Option(help="How long; default 10, strips go on to 60.")] = None,
    layout: Annotated[Literal["auto", "3x4", "strips"], typer.Option(help="Arrangement of leads.")] = "auto",
    rhythm: Annotated[str, typer.Option(help="Lead of the rhythm strip.")] = "II",
    baseline: Annotated[
        float | None, typer.Option(help="Draw without baseline wander below this many Hz.")
    ] = None,
    mains: Annotated[float | None, typer.Option(help="Draw without mains hum at this many Hz.")] = None,
) -> None:
    """Find P, QRS and T in one ECG, measure its intervals, and draw it on paper with coloured waves."""
    from ...corpus.catalog import source_class
    from ...errors import ReadError, where
    from ...physiology.delineate import delineate
    from ...physiology.features.measure import measure
    from ...physiology.network import WaveNetwork
    from ...physiology.quality.assess import quality
    from ...provenance import check_target
    from ...record.filters import remove_baseline, remove_mains
    from ...record.read import read
    from ..measurements import interval_table, printout_line, quality_lines
    from ..plots.paper import plot_ecg
    from ..plots.picture import check_suffix, write_picture
    from ..tables import check_table, write_table

    if plot is not None:
        check_suffix(plot)
    for table in (waves, features):
        if table is not None:
            check_table(table)
    for target in (plot, waves, features):
        if target is not None:
            check_target(target)
    if source is not None and not (fs is leads is unit is None):
        raise ReadError(
            "source and fs, leads or unit: expected one of them, got both – the source knows its files"
        )
    weights = WaveNetwork(network) if network is not None else None
    if source is not None:
        record = source_class(source)(file.parent).load(file.name)
    else:
        record = read(file, fs=fs, leads=leads.split(",") if leads else None, unit=unit)
    with where(f"file '{file}'"):
        found = delineate(record, network=weights)
        measured = measure(record, found)
        said = [f"{record!r}\n{interval_table(measured)}\n{quality_lines(quality(record))}"]
        if plot is not None:
            shown, done = record, []
            if baseline is not None:
                shown, done = remove_baseline(shown, hz=baseline), [f"high-pass {baseline:g} Hz"]
            if mains is not None:
                shown, done = remove_mains(shown, hz=mains), [*done, f"notch {mains:g} Hz"]
            drawing = plot_ecg(
                shown,
                start_s=start,
                seconds=seconds,
                layout=layout,
                rhythm=rhythm,
                filter_text=", ".join(done) or "as recorded, no filter",
                waves=found,
                note=printout_line(measured),
            )
            said.append(str(write_picture(drawing, plot)))
    if waves is not None:
        said.append(str(write_table(found.table(), waves)))
    if features is not None:
        said.append(str(write_table(measured.table(), features)))
    print("\n".join(said))  # last: where the reader goes away early (a pipe into head), the files are there
