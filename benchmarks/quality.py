"""How good the quality score and the findings are, on recordings that a model has not seen.

    python benchmarks/quality.py [DATA]

1. Score: CinC 2011, acceptable or not, 5-fold stratified cross-validation repeated with five seeds. Terms and penalty
   are chosen inside each training part. AUROC with a bootstrap interval over recordings, accuracy at 0.5.
2. Exchanged electrodes: made by arithmetic on recordings whose model never saw their patient (5 folds by patient), and
   on Brugada-HUCA, which takes no part in any fit.
3. Gains wrong by five, units wrong by a thousand, on all recordings of PTB-XL.
4. False alarms: how many recordings of each set have each finding (shipped models; their sets are named in the files).
5. Time: ``ep.quality`` on PTB-XL, 12 leads of 10 s at 500 Hz, one core: processor time, the median.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import ecgprior as ep
from ecgprior.corpus.catalog import open_source
from ecgprior.evaluation.bootstrap import auroc_interval
from ecgprior.physiology.quality import _reversal as rev
from ecgprior.physiology.quality.findings import _REVERSAL, FINDINGS
from ecgprior.physiology.quality.measurements import measure_quality
from ecgprior.physiology.quality.score import seen
from fit_quality import (
    SETS,
    choose,
    cinc2011,
    data_folder,
    exchanged,
    fit_reversal,
    fit_weights,
    hearts,
    predict,
    stratified,
)

ALL = SETS | {
    "brugada": "brugada-huca",
    "sph": "sph-sample",
    "cpsc2021": "cpsc2021-sample",
    "cinc2011": "cinc2011",
}


def score(data: Path) -> None:
    sets, accepted, names = cinc2011(data)
    source = open_source("cinc2011", data / "cinc2011")
    by_name = {row.record: row.path for row in source.rows()}
    rule = np.array([seen(measure_quality(source.load(by_name[name]))) for name in names])
    print(
        f"1. Score: CinC 2011, {len(accepted)} recordings, {accepted.sum()} acceptable; 5 folds, nested choice"
    )
    for seed in range(5):
        rng = np.random.default_rng(seed)
        fold = stratified(accepted, 5, rng)
        p, chosen = np.empty(len(accepted)), []
        for k in range(5):
            train = fold != k
            which, strength = choose({n: x[train] for n, x in sets.items()}, accepted[train], rng)
            model = fit_weights(sets[which][train], accepted[train], strength)
            p[~train] = predict(sets[which][~train], *model) * rule[~train]
            chosen.append(f"{which} {strength:g}")
        area = auroc_interval(accepted.astype(float)[:, None], p[:, None], names, replicates=2000, seed=seed)
        right = (p > 0.5) == accepted
        spared, caught = right[accepted].mean(), right[~accepted].mean()
        print(f"   seed {seed}: AUROC {area}, accuracy {right.mean():.3f} (acceptable {spared:.3f}, "
              f"unacceptable {caught:.3f}); chosen: {dict(Counter(chosen))}")  # fmt: skip


def odds_of(waves: np.ndarray, model: dict) -> np.ndarray:
    numbers = rev.evidence(waves, np.asarray(model["covariance"]))
    return numbers @ np.asarray(model["weights"]).T + np.asarray(model["intercepts"])


def reversal(data: Path) -> None:
    print("2. Exchanged electrodes: share named as such (any exchange), with the finding's thresholds")
    waves, names, patients = hearts(data, SETS)
    people, of_record = np.unique(patients, return_inverse=True)
    fold = (np.random.default_rng(0).permutation(len(people)) % 5)[of_record]
    odds = np.empty((4, len(waves), 3))
    for k in range(5):
        model = fit_reversal(waves[fold != k])
        everything, _ = exchanged(waves[fold == k])
        odds[:, fold == k] = odds_of(everything, model).reshape(4, -1, 3)
    source = np.array([name.split("/")[0] for name in names])
    for which in SETS:
        _say(which, odds[:, source == which])
    outside, _, _ = hearts(data, {"brugada": "brugada-huca"})
    everything, _ = exchanged(outside)
    _say("brugada", odds_of(everything, fit_reversal(waves)).reshape(4, -1, 3))


def _say(which: str, odds: np.ndarray) -> None:
    named = odds > np.array(list(_REVERSAL.values()))
    parts = [f"none {named[0].any(axis=1).mean():.3f} ({named[0].any(axis=1).sum()} of {odds.shape[1]})"]
    for row, exchange in enumerate(rev.EXCHANGES):
        right = named[row + 1, :, row] & (odds[row + 1].argmax(axis=1) == row)
        parts.append(f"{exchange} {named[row + 1].any(axis=1).mean():.3f} (rightly named {right.mean():.3f})")
    print(f"   {which:11} {', '.join(parts)}")


def gains(data: Path) -> None:
    source = open_source("ptbxl", data / "ptb-xl")
    records = [source.load(row.path) for row in source.rows()]
    print(f"3. Gain and unit, PTB-XL, {len(records)} recordings: share with the finding")
    for factor in (1.0, 5.0, 0.2, 2.0, 1e3, 1e-3):
        n = sum(
            any(
                f.name == "gain or unit"
                for f in ep.quality(r.with_(signal=r.signal * np.float32(factor))).findings
            )
            for r in records
        )
        print(f"   × {factor:<6g} {n / len(records):.3f}")


def alarms(data: Path) -> None:
    print("4. Recordings with each finding (severe)")
    for name, folder in ALL.items():
        source = open_source(name, data / folder)
        found, severe, scores = Counter(), Counter(), []
        for row in source.rows():
            judged = ep.quality(source.load(row.path))
            scores.append(judged.score)
            found.update({f.name for f in judged.all_findings} | ({"any"} if judged.all_findings else set()))
            severe.update({f.name for f in judged.all_findings if f.severity == "severe"})
        listed = ", ".join(f"{k} {found[k]} ({severe[k]})" for k in FINDINGS if k in found)
        accepted = np.mean(np.array(scores) >= 0.5)
        print(f"   {name:11} {len(scores)} recordings, any {found['any']}, accepted {accepted:.3f}: {listed}")


def speed(data: Path) -> None:
    source = open_source("ptbxl", data / "ptb-xl")
    records = [source.load(row.path) for row in list(source.rows())[:40]]
    times = []
    for _ in range(5):
        for record in records:
            start = time.process_time()
            ep.quality(record)
            times.append(time.process_time() - start)
    print(
        f"5. Processor time: median {1e3 * statistics.median(times):.1f} ms, least {1e3 * min(times):.1f} ms"
    )


def main() -> None:
    data = data_folder()
    for part in (score, reversal, gains, alarms, speed):
        part(data)


if __name__ == "__main__":
    main()
