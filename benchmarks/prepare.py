"""Preparing a corpus against the usual loop: ``wfdb.rdrecord``, then SciPy's ``resample_poly``, one process each.

    python benchmarks/prepare.py [FOLDER OF PTB-XL]

Both run in this process, alternating, over the 500 Hz records of PTB-XL, to 100 Hz and to 500 Hz. Ours does the whole
command: catalog and labels, reading with checksums, resampling, quantising, SHA-256, fingerprints, search for
duplicates, index, manifest, everything synced to disk. The loop only reads and resamples, and drops the result.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import wfdb
from scipy.signal import resample_poly

from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare

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


def main() -> None:
    """Print records a second and the ratio of the medians."""
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.environ.get("ECGPRIOR_DATA", beside)) / "ptb-xl"
    paths = sorted(root.glob("records500/**/*.hea"))
    source = open_source("ptbxl", root)
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "corpus"
        for fs in (100, 500):
            ours, theirs = [], []
            for turn in range(ROUNDS + 1):  # the first one only warms up
                shutil.rmtree(to, ignore_errors=True)
                a = timed(lambda fs=fs: prepare([source], to, fs=fs, workers=1))
                b = timed(lambda fs=fs: usual_loop(paths, fs))
                if turn:
                    ours.append(a)
                    theirs.append(b)
            for kind, column in (("wall", 0), ("processor", 1)):
                mine, loop = (statistics.median(row[column] for row in rows) for rows in (ours, theirs))
                spread = np.array(theirs)[:, column] / np.array(ours)[:, column]
                print(
                    f"{len(paths)} records 500 -> {fs} Hz, {kind}: prepare {1e3 * mine / len(paths):.2f} ms a record, "
                    f"loop {1e3 * loop / len(paths):.2f} ms, ratio {loop / mine:.1f} "
                    f"({spread.min():.1f} to {spread.max():.1f})"
                )


if __name__ == "__main__":
    main()
