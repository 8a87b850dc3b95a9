"""``ecgprior embed``: recordings to embeddings, in a Parquet table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Records, folders of records, corpora, or @LIST: a text file with one path a line."
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="The Parquet file to write: columns record, embedding.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print each preprocessing step.")] = False,
    fs: Annotated[float | None, typer.Option(help="Sampling rate in Hz, where a file has none.")] = None,
    leads: Annotated[
        str | None, typer.Option(help="Lead names, comma between, where a file has none.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="V, mV or uV, where a file does not say.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Windows that go through the encoder together.")] = 64,
    device: Annotated[str, typer.Option(help="Where PyTorch runs it: cpu, cuda, …")] = "cpu",
) -> None:
    """Embed recordings with a checkpoint; what cannot be read is listed in OUT.rejected.csv."""
    from ...encoders._load import load

    if not explain and (to is None or not inputs):
        raise typer.BadParameter("expected FILES and --to OUT.parquet, or --explain")
    loaded = load(checkpoint, device)
    if explain:
        for number, step in enumerate(loaded.explain(), start=1):
            print(f"{number}. {step}")
    if to is None or not inputs:
        return
    from ..embedding import embed_to_parquet

    options = {"fs": fs, "leads": leads.split(",") if leads else None, "unit": unit, "batch_size": batch}
    done, rejected, tables = embed_to_parquet(loaded, inputs, to, **options)
    print(
        f"{to}: {done} embeddings of {loaded.dim} numbers"
        + (f"; {rejected} in the rejected list" if rejected else "")
    )
    if tables:
        more = ", …" if len(tables) > 3 else ""
        print(f"passed over, since no column is named as a lead: {', '.join(tables[:3])}{more}")
