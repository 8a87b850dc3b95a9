"""``ecgprior convert``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Normalise(StrEnum):
    """How the weights' training signals were normalised."""

    none = "none"
    lead = "lead"
    record = "record"


def command(
    file: Annotated[
        Path, typer.Argument(help="A .pt file of fairseq-signals: ECG-FM and what has its shape.")
    ],
    to: Annotated[Path, typer.Option(help="The checkpoint's folder.")],
    licence: Annotated[str, typer.Option(help="The weights' licence, kept in the checkpoint.")] = "",
    source: Annotated[str, typer.Option(help="Where the weights are published, kept likewise.")] = "",
    fs: Annotated[
        float | None, typer.Option(help="Rate in Hz of their training signals; default: the file's.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of their training windows.")] = 5.0,
    normalise: Annotated[
        Normalise, typer.Option(help="Normalisation of their training signals.")
    ] = Normalise.lead,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx too.")] = False,
) -> None:
    """Turn published fairseq-signals weights into a checkpoint, without fairseq.

    Nothing in the file is executed: a file that holds anything but tensors and plain containers is refused.
    """
    from ...encoders._fairseq import convert
    from ...provenance import check_target

    check_target(to / "config.json")
    said = {"licence": licence, "source": source}
    done = convert(file, to, fs=fs, seconds=seconds, normalise=normalise.value, said=said, onnx=onnx)
    typer.echo(f"{done.path}: {done.n_parameters / 1e6:.2f} million parameters")
    if done.left_out:
        typer.echo(f"not part of the encoder, left out: {', '.join(done.left_out[:8])}{_more(done.left_out)}")
    if done.assumed:
        typer.echo(f"not said by the file, taken as ECG-FM's: {', '.join(done.assumed)}")
    if not licence:
        typer.echo(
            "the file does not say its licence: pass --licence and --source to keep them with the weights"
        )


def _more(names: tuple[str, ...]) -> str:
    return f", and {len(names) - 8} more" if len(names) > 8 else ""
