"""``ecgprior features``."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    corpus: Annotated[Path, typer.Argument(help="A corpus, as `ecgprior prepare` wrote it.")],
    window: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Windows side by side in each record, at least 1 s; a rest of half of one or more is a shorter one.",
        ),
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help="An ONNX file of other weights than the package's.")
    ] = None,
    fiducials: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Fiducials found elsewhere, as Parquet: the records that it holds are not delineated.",
        ),
    ] = None,
    fiducials_rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Rate of their samples; by default the corpus' rate.")
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Instead, beside the table features: `permuted`, the same rows dealt out anew within each source, or "
            "`spectrum`, log-power in bands of frequency.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of --control permuted.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite tables of other settings.")] = False,
    workers: Annotated[int | None, typer.Option(help="Local processes; by default one a core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")
    ] = None,
) -> None:
    """Delineate and measure every record of a corpus: the tables fiducials, features and reasons beside it.

    Killed or out of space? The same command again goes on where it was.
    """
    from contextlib import nullcontext

    from ...corpus.controls import write_control
    from ...corpus.measured import measure_corpus, measured_shares
    from ...corpus.shards import Corpus
    from ...errors import RecipeError
    from ...jobs import dask_executor
    from ..progress import progress_bar

    with (
        dask_executor(scheduler) if scheduler else nullcontext() as executor,
        progress_bar("features") as move,
    ):
        if control is not None:
            if any(value is not None for value in (window, network, fiducials, fiducials_rate)):
                raise RecipeError(
                    "--control: expected --seed and --replace at most beside it, a control has the windows of the table "
                    "features and measures nothing"
                )
            made = write_control(
                corpus, control, seed=seed, replace=replace, executor=executor, workers=workers, progress=move
            )  # fmt: skip
            typer.echo(
                f"{corpus / 'tables'}: {made.table}.parquet, {made.n_values} values of {made.n_windows} windows"
                f'{"" if made.new else " (was there already)"}; recipes take it by features_table="{made.table}"'
            )
            return
        done = measure_corpus(
            corpus,
            window_s=window,
            network=network,
            fiducials=fiducials,
            fiducials_fs=fiducials_rate,
            replace=replace,
            executor=executor,
            workers=workers,
            progress=move,
        )
    there = "" if done.new else " (were there already)"
    typer.echo(
        f"{corpus / 'tables'}: fiducials.parquet, features.parquet and reasons.parquet (why a value is NaN), "
        f"{done.n_features} features of {done.n_windows} {'records' if window is None else 'windows'}{there}"
    )
    if done.given:
        sources = Corpus(corpus).index["source"]
        n_given, held = sum(done.given.values()), sources.value_counts()
        of = ", ".join(f"{source} {done.given.get(source, 0)} of {n}" for source, n in sorted(held.iter_rows()))
        typer.echo(f"fiducials: {n_given} records from {fiducials}, {len(sources) - n_given} by the engine ({of})")
    main = ("rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms", "qrs_axis_deg")
    shares = measured_shares(corpus, main)
    typer.echo("measurable: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    if done.failed is not None:
        typer.echo(f"{done.n_failed} could not be worked on, all their features are NaN: {done.failed}")
