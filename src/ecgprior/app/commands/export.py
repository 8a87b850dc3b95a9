"""``ecgprior export``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint's folder: RUN/checkpoint.")],
    to: Annotated[Path, typer.Option(help="The ONNX file to write.")],
) -> None:
    """Write a checkpoint as one ONNX file that says itself what it needs and where it came from.

    Of a delineator the file gives the probability of each wave, moment by moment, for any number of leads; of any
    other encoder the embedding and, with a head, the logits of its labels.
    """
    from ...encoders._export import export_checkpoint
    from ...encoders._load import load
    from ...provenance import atomic_open, check_target

    check_target(to)
    data = export_checkpoint(load(checkpoint, backend="torch"))
    with atomic_open(to, "wb") as file:
        file.write(data)
    typer.echo(f"{to}: {len(data) / 2**20:.2f} MiB")
