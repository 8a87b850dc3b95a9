"""Bootstrap AUROC: 1,000 replicates of 2,198 records × 71 labels on one core, beside scikit-learn.

    OMP_NUM_THREADS=1 python benchmarks/auroc.py

Prints the seconds of ours, of scikit-learn (measured on a few replicates and scaled), and the largest
difference between the two, with many ties (scores rounded to two digits).
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import resource
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from ecgprior.evaluation.bootstrap import patient_draws
from ecgprior.evaluation.metrics import auroc

REPLICATES, RECORDS, LABELS, CHECKED = 1000, 2198, 71, 3


def main() -> None:
    rng = np.random.default_rng(0)
    prevalence = rng.uniform(0.005, 0.4, LABELS)
    y = (rng.random((RECORDS, LABELS)) < prevalence).astype(float)
    score = np.round(rng.random((RECORDS, LABELS)) * 0.7 + 0.3 * y, 2)
    patients = rng.integers(0, 1900, RECORDS).astype(str)
    draws = patient_draws(patients, REPLICATES, rng)

    times = []
    for _ in range(5):
        start = time.perf_counter()
        ours = auroc(y, score, draws)
        times.append(time.perf_counter() - start)

    start = time.perf_counter()
    theirs = np.full((CHECKED, LABELS), np.nan)
    for r in range(CHECKED):
        for c in range(LABELS):
            if 0 < (draws[r] * y[:, c]).sum() < draws[r].sum():
                theirs[r, c] = roc_auc_score(y[:, c], score[:, c], sample_weight=draws[r])
    sklearn_s = (time.perf_counter() - start) * REPLICATES / CHECKED

    same = np.nanmax(np.abs(ours[:CHECKED] - theirs))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{REPLICATES} replicates of {RECORDS} × {LABELS}: {np.median(times):.2f} s (best {min(times):.2f} s)")
    print(f"scikit-learn, scaled from {CHECKED} replicates: {sklearn_s:.0f} s: {sklearn_s / np.median(times):.0f} ×")
    print(f"largest difference {same:.1e}, NaN alike: {np.array_equal(np.isnan(ours[:CHECKED]), np.isnan(theirs))}")
    print(f"peak memory of this process {peak:.0f} MiB")


if __name__ == "__main__":
    main()
