"""How fast are the spaces of similarity: fitting, one batch of 1,024, nearest neighbours among a million rows?

    OMP_NUM_THREADS=1 python benchmarks/similarity.py [--rows 1000000] [--features 200]

Seconds are of the processor, so a busy machine changes them little; with one thread they are those of an idle one.
The features are made up: eight causes, mixed, with noise; a tenth of the values is not measured.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ecgprior.physiology.similarity import BLOCKS, BlockSpace, Coordinates, PlainSpace, Space


def main() -> None:
    """Print one block of lines a space."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=200)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(8, asked.features))
    training = _rows(causes, 100_000, rng)
    names = [f"f{i}" for i in range(asked.features)]
    ids = [f"r{i}" for i in range(len(training))]
    blocks = {name: BLOCKS[i % len(BLOCKS)] for i, name in enumerate(names)}
    fits: tuple[Callable[[], Space], ...] = (
        lambda: PlainSpace.fit(training, names, ids=ids),
        lambda: BlockSpace.fit(training, names, blocks, ids=ids),
    )
    for fit in fits:
        space, seconds = _timed(fit)
        print(f"{type(space).__name__}: fitted on {len(training):,} × {asked.features} in {seconds:.1f} s")
        corpus, seconds = _timed(lambda space=space: _corpus(space, causes, asked.rows, rng))
        print(
            f"  {asked.rows:,} rows made and placed in {seconds:.1f} s, {corpus.values.nbytes / 2**20:.0f} MiB"
        )
        batch = corpus[:1024]
        times = [_timed(lambda space=space, batch=batch: space.similarity(batch, batch))[1] for _ in range(7)]
        print(f"  similarity of a batch, 1,024 × 1,024: {np.median(times) * 1e3:.1f} ms")
        for n in (1, 100, 1000):
            few = corpus[:n]
            _, seconds = _timed(lambda space=space, few=few, corpus=corpus: space.neighbours(few, corpus, 10))
            print(f"  10 nearest of {n:,} among {asked.rows:,}: {seconds:.2f} s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    return work(), time.process_time() - started


def _rows(causes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=(n, len(causes))) @ causes + rng.normal(size=(n, causes.shape[1]))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values.astype(np.float32)


def _corpus(space: Space, causes: np.ndarray, n: int, rng: np.random.Generator) -> Coordinates:
    parts = [space.coordinates(_rows(causes, min(50_000, n - a), rng)) for a in range(0, n, 50_000)]
    return Coordinates(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.measurable for part in parts]),
        np.concatenate([part.missing for part in parts]),
    )


if __name__ == "__main__":
    main()
