"""Measure every record of a corpus: the side tables ``fiducials``, ``features`` and ``reasons`` (of each NaN).

The corpus is cut into parts of consecutive records. A part is one job: its windows are delineated and measured, and
its rows of the tables are written, whole or not at all. A run that is killed goes on with the parts that are not
there yet; when all are, they are joined, with the memory of a few of them, and the tables are signed. Parts of other
settings – another network, window or version of the measuring code – have another place and are never mixed in.

A window is measured by itself, as if it were all that was recorded: so a row is what :func:`ecgprior.measure` says of
that stretch, and nothing of its surroundings is in it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import CorpusError, EcgpriorError
from ..jobs import Progress, run_jobs
from ..physiology.features.registry import feature_names
from ..physiology.network import WaveNetwork
from ..provenance import digest_json, digest_pairs, sha256, sha256_file, version
from ._fiducials import Given
from ._measure import TABLES, MeasurePart, Task, measure_part, windows_of
from ._plan import locked
from ._write import write_csv, writing
from .shards import Corpus
from .tables import about_table, is_sound, join_table

_PART_S = (640.0, 5120.0)
"""A part lasts about a 64th of the corpus, at least and at most so many seconds of recording."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was done.

    Attributes
    ----------
    n_windows : int
        Rows of ``features``.
    n_features : int
        Its columns besides record and window.
    n_failed : int
        Rows that are all NaN because the record could not be worked on.
    failed : Path or None
        ``tables/failed.csv`` (record, start, stop, reason), when there are any.
    new : bool
        False = the tables were there already.
    given : dict of str to int
        Source → records whose fiducials were given; the engine delineated all others.
    """

    n_windows: int
    n_features: int
    n_failed: int
    failed: Path | None
    new: bool
    given: dict[str, int]


def measure_corpus(
    corpus: Corpus | str | Path,
    *,
    window_s: float | None = None,
    network: str | Path | None = None,
    fiducials: str | Path | None = None,
    fiducials_fs: float | None = None,
    replace: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Add the side tables ``fiducials``, ``features`` and ``reasons`` to a corpus, or finish what was interrupted.

    Parameters
    ----------
    corpus : Corpus or path
    window_s : float, optional
        Windows of so many seconds side by side in each record; a rest of at least half of that is a shorter window.
        Default: each record as a whole.
    network : path, optional
        An ONNX file of other weights than the package's.
    fiducials : path, optional
        Fiducials that were found elsewhere, as Parquet: the table ``fiducials``, or rows of ``Delineation.table()`` with
        a column ``record``. A record that the file holds is measured by them alone, in a window without a row of it
        no wave is; every other record is delineated. A record in which nothing was found is held by one row whose
        ``wave`` is null – without it the network looks, also where it learnt from that very record.
    fiducials_fs : float, optional
        Rate of their samples in Hz; by default the corpus' rate.
    replace : bool
        Tables of other settings may be overwritten.
    executor, workers, progress
        As for :func:`ecgprior.prepare`; the progress counts windows.

    Raises
    ------
    CorpusError
        A setting is impossible; the file of fiducials holds no record of the corpus; the tables are there, made
        otherwise, and `replace` is False; the folder cannot be written to.
    CheckpointError
        The network cannot be loaded.
    JobsStopped
        A worker process died (the same call then goes on where it was).
    """
    corpus = corpus if isinstance(corpus, Corpus) else Corpus(corpus)
    task = _task(corpus, window_s, network, fiducials, fiducials_fs)
    folder = corpus.path / "tables"
    with writing(folder):
        if _is_there(corpus, task.settings, replace):
            return _said(corpus, new=False)
        folder.mkdir(exist_ok=True)
        parts = folder / f".measuring-{digest_json(task.settings)[:16]}"
        parts.mkdir(exist_ok=True)
        with locked(parts):
            plan = _plan(corpus)
            _run(plan, corpus, task, parts, executor, workers, progress)
            _join(corpus, task, [parts / f"{number:05d}" for number in range(len(plan))])
        for old in folder.glob(".measuring-*"):
            shutil.rmtree(old, ignore_errors=True)
    return _said(corpus, new=True)


def _task(
    corpus: Corpus,
    window_s: float | None,
    network: str | Path | None,
    fiducials: str | Path | None,
    fiducials_fs: float | None,
) -> Task:
    if window_s is not None and not (isfinite(window_s) and window_s >= 1):
        raise CorpusError(f"window: expected at least 1 s, below which no beat is looked for, got {window_s}")
    rate = corpus.fs if fiducials_fs is None else float(fiducials_fs)
    if not (isfinite(rate) and rate > 0):
        raise CorpusError(
            f"rate of the fiducials: expected a finite number of Hz above 0, got {fiducials_fs}"
        )
    settings: dict[str, Any] = {
        "corpus": corpus.digest,
        "window_seconds": window_s,
        "features": sha256("\n".join(feature_names(corpus.leads))),
        "code_sha256": _code(),
    }
    path, file, rest = Path(network).resolve() if network is not None else None, None, len(corpus)
    if fiducials is not None:
        file = Path(fiducials).resolve()
        held = Given(file, rate, corpus.fs).held(corpus.index["record"])
        rest -= len(held)
        by_source = sorted(Counter(corpus.index["source"].gather(corpus.rows(held))).items())
        settings |= {"fiducials_sha256": sha256_file(file), "fiducials_fs": rate, "given": dict(by_source)}
        if path is not None and not rest:
            raise CorpusError(
                "fiducials and network: expected one of them, got both – the file holds every record, nothing is left "
                "to delineate"
            )
    if rest:
        metadata = WaveNetwork(path).metadata  # also says at once when there is none
        weights = sha256_file(path) if path is not None else _shipped_sha256()
        settings |= {"network_sha256": weights, "network": metadata.get("provenance")}
    return Task(_samples(window_s, corpus), path, file, rate, settings)


def _samples(window_s: float | None, corpus: Corpus) -> int | None:
    return None if window_s is None else max(1, round(window_s * corpus.fs))


def _shipped_sha256() -> str:
    return sha256(resources.files("ecgprior.physiology").joinpath("delineator.onnx").read_bytes())


@lru_cache(maxsize=1)
def _code() -> str:
    """SHA-256 over the code that measures: the rooms ``physiology`` and ``record``, and this file."""
    root = Path(__file__).parents[1]
    rooms = [path for room in ("physiology", "record") for path in (root / room).rglob("*.py")]
    mine = [Path(__file__).with_name(name) for name in ("measured.py", "_measure.py", "_fiducials.py")]
    return digest_pairs((path.relative_to(root).as_posix(), sha256_file(path)) for path in (*rooms, *mine))


def _is_there(corpus: Corpus, settings: dict[str, Any], replace: bool) -> bool:
    """Whether all tables were made with these settings already, and can be read.

    Raises
    ------
    CorpusError
        One was made otherwise, and may not be replaced.
    """
    same = []
    for name in TABLES:
        about = about_table(corpus.path, name)
        if about is None:
            same.append(False)
            continue
        made_by = about.get("made_by") if isinstance(about.get("made_by"), dict) else {}
        found = made_by.get("settings") if isinstance(made_by, dict) else None
        if found == settings:  # a broken one is made again: nothing is lost
            same.append(is_sound(corpus.path, name, corpus.digest))
            continue
        same.append(False)
        if not replace:
            differ = [
                key for key in settings if not isinstance(found, dict) or found.get(key) != settings[key]
            ]
            raise CorpusError(
                f"table '{name}' of corpus '{corpus.path}' is there, made otherwise ({', '.join(differ) or 'settings'} "
                "differ): expected the same call again, or leave to replace it (--replace)"
            )
    return all(same)


def _plan(corpus: Corpus) -> list[range]:
    """Consecutive rows of each part."""
    lengths = corpus.index["n_samples"].to_numpy()
    total = float(lengths.sum())
    size = min(max(total / 64, _PART_S[0] * corpus.fs), _PART_S[1] * corpus.fs)
    number = ((np.cumsum(lengths) - lengths) // size).astype(np.int64)
    edges = [*np.unique(number, return_index=True)[1].tolist(), len(lengths)]
    return [range(a, b) for a, b in zip(edges, edges[1:])]


def _run(
    plan: Sequence[range],
    corpus: Corpus,
    task: Task,
    folder: Path,
    executor: Executor | None,
    workers: int | None,
    progress: Progress | None,
) -> None:
    for left in folder.glob(".*.part"):
        left.unlink(missing_ok=True)
    lengths = corpus.index["n_samples"]
    sizes = [sum(len(windows_of(lengths[row], task.window)) for row in rows) for rows in plan]
    jobs = [
        MeasurePart(corpus.path.resolve(), task, rows, folder.resolve() / f"{number:05d}")
        for number, rows in enumerate(plan)
        if not (folder / f"{number:05d}.failed").is_file()
    ]
    done, failed = sum(sizes) - sum(sizes[int(job.to.name)] for job in jobs), 0
    for _, result in run_jobs(measure_part, jobs, executor=executor, workers=workers):
        if isinstance(result, EcgpriorError):
            raise result
        done, failed = done + result[0], failed + result[1]
        if progress is not None:
            progress(done, sum(sizes), f"{failed} failed" if failed else "")


def _join(corpus: Corpus, task: Task, parts: Sequence[Path]) -> None:
    failed = pl.concat([pl.read_parquet(part.with_suffix(".failed")) for part in parts])
    path = corpus.path / "tables" / "failed.csv"
    path.unlink(missing_ok=True)
    if failed.height:
        write_csv(path, failed)
    made_by = {
        "method": "ecgprior features",
        "ecgprior": version(),
        "n_failed": failed.height,
        "settings": task.settings,
    }
    for name in TABLES:
        (corpus.path / "tables" / f"{name}.json").unlink(missing_ok=True)
    for name in TABLES:
        join_table(
            corpus.path, name, [part.with_suffix(f".{name}") for part in parts], corpus.digest, made_by
        )


def _said(corpus: Corpus, *, new: bool) -> Measurement:
    about = about_table(corpus.path, "features") or {}
    failed = corpus.path / "tables" / "failed.csv"
    n_failed = int(about.get("made_by", {}).get("n_failed", 0))
    n_features = len(feature_names(corpus.leads))
    given = about.get("made_by", {}).get("settings", {}).get("given", {})
    return Measurement(int(about["n_rows"]), n_features, n_failed, failed if n_failed else None, new, given)


def measured_shares(corpus: Corpus | str | Path, names: Sequence[str]) -> dict[str, float]:
    """In what share of the windows each of these features was measured; those that the table has not are left out.

    Raises
    ------
    CorpusError
        The corpus has no table ``features``.
    """
    path = Path(corpus.path if isinstance(corpus, Corpus) else corpus) / "tables" / "features.parquet"
    if not path.is_file():
        raise CorpusError(f"features: expected {path}, got none – run 'ecgprior features'")
    table = pl.scan_parquet(path, glob=False)
    there = [name for name in names if name in table.collect_schema()]
    shares = table.select(pl.col(there).is_finite().mean()).collect()
    return {name: float(shares[name][0]) for name in there}
