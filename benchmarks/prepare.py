"""Preparing a corpus against the usual loop: ``wfdb.rdrecord``, then SciPy's ``resample_poly``, one process each.

    python benchmarks/prepare.py [FOLDER OF PTB-XL]

Both run in this process, alternating, over the 500 Hz records of PTB-XL, to 100 Hz and to 500 Hz. Ours does the whole
command: catalog and labels, reading with checksums, resampling, quantising, SHA-256, fingerprints, search for
duplicates, index, manifest, everything synced to disk. The loop only reads and resamples, and drops the result.

Two lines for each rate and clock: *whole* is the command's time over its records; *marginal* is what a further record
costs, (time of all records - time of a quarter of them) / their difference, so without what a command costs once.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import wfdb
from scipy.signal import resample_poly

from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.sources.base import Source

ROUNDS = 5


def usual_loop(paths: list[Path], fs: int) -> None:
    """What one writes in five minutes."""
    for path in paths:
        record = wfdb.rdrecord(str(path.with_suffix("")))
        if record.fs != fs:
            resample_poly(record.p_signal, fs, record.fs, axis=0)


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and on the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def first(name: str, root: Path, count: int) -> Source:
    """A source that lists only its first records."""
    source = open_source(name, root)
    rows = source.rows
    source.rows = lambda: islice(rows(), count)  # type: ignore[method-assign]
    return source


def main() -> None:
    """Print the time a record of both and the ratios of the medians, with the spread over rounds."""
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.environ.get("ECGPRIOR_DATA", beside)) / "ptb-xl"
    paths = sorted(root.glob("records500/**/*.hea"))
    n, few = len(paths), len(paths) // 4
    sources = {count: first("ptbxl", root, count) for count in (n, few)}
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "corpus"
        for fs in (100, 500):
            times = []  # (round, all of ours | a quarter | theirs, wall | processor)
            for _ in range(ROUNDS + 1):
                turn = []
                for count in (n, few):
                    shutil.rmtree(to, ignore_errors=True)
                    turn.append(timed(partial(prepare, [sources[count]], to, fs=fs, workers=1)))
                times.append([*turn, timed(partial(usual_loop, paths, fs))])
            for column, clock in enumerate(("wall", "processor")):
                whole, part, loop = 1e3 * np.array(times)[1:, :, column].T  # the first round only warms up
                loop = loop / n
                for what, mine in (("whole", whole / n), ("marginal", (whole - part) / (n - few))):
                    print(
                        f"{n} records 500 -> {fs} Hz, {clock}, {what}: prepare {statistics.median(mine):.2f} ms a "
                        f"record, loop {statistics.median(loop):.2f} ms, ratio "
                        f"{statistics.median(loop) / statistics.median(mine):.1f} "
                        f"({(loop / mine).min():.1f} to {(loop / mine).max():.1f})"
                    )
    print("load average", *(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
