"""Printed pages of 3 × 4: what is found where each lead is there for a quarter of the time, against the whole recording.

    python benchmarks/pages.py PTBXL [--network FILE] [--every 3]

Recordings of 10 s of PTB-XL; three leads at a time in the usual order, without and with lead II all along as the rhythm
strip. Reference is what the same network finds in the twelve leads, so this says what the page costs, not how right
either is. A beat within 80 ms is the same one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ecgprior.corpus.catalog import open_source
from ecgprior.physiology.delineate import delineate
from ecgprior.physiology.network import WaveNetwork
from ecgprior.record.beats import Delineation
from ecgprior.record.record import Record

LEADS = [["I", "II", "III"], ["aVR", "aVL", "aVF"], ["V1", "V2", "V3"], ["V4", "V5", "V6"]]


def page(record: Record, strip: tuple[str, ...]) -> Record:
    quarter = record.n_samples // 4
    shown = np.full_like(record.signal, np.nan)
    for lead, name in enumerate(record.leads):
        column = next(number for number, names in enumerate(LEADS) if name in names)
        part = slice(None) if name in strip else slice(column * quarter, (column + 1) * quarter)
        shown[lead, part] = record.signal[lead, part]
    return record.with_(signal=shown)


def intervals(found: Delineation, fs: float) -> list[float]:
    """Median QRS and QT, ms; NaN = none."""
    each = (found.interval("QRS", "onset", wave, "offset") * 1000 / fs for wave in ("QRS", "T"))
    return [float(np.median(ms[known])) if (known := np.isfinite(ms)).any() else np.nan for ms in each]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("ptbxl", type=Path, help="PTB-XL as published")
    parser.add_argument("--network", type=Path, metavar="FILE", help="instead of the shipped weights")
    parser.add_argument("--every", type=int, default=3, help="of how many recordings one is taken")
    asked = parser.parse_args()
    network = None if asked.network is None else WaveNetwork(asked.network)
    source = open_source("ptbxl", asked.ptbxl)
    records = [source.load(row.path) for row in list(source.rows())[:: asked.every]]
    whole = [delineate(record, network=network) for record in records]
    print(
        "| page | beats of | missed | false | P of | T of | QRS, ms | QT, ms |\n|---|---|---|---|---|---|---|---|"
    )
    for name, strip in (("3 × 4", ()), ("3 × 4 and lead II below", ("II",))):
        counts, change = np.zeros((4, 2), int), []
        for record, true in zip(records, whole):
            found = delineate(page(record, strip), network=network)
            apart = np.abs(found.global_[:, None, 1, 1] - true.global_[:, 1, 1]) / record.fs
            counts[0] += len(true.global_), (apart.min(axis=0, initial=9) > 0.08).sum()
            counts[1] += 0, (apart.min(axis=1, initial=9) > 0.08).sum()
            for row, wave in ((2, 0), (3, 2)):
                counts[row] += [np.isfinite(each.global_[:, wave, 1]).sum() for each in (found, true)]
            change.append(np.subtract(intervals(found, record.fs), intervals(true, record.fs)))
        said = [f"{m:+.1f} ± {s:.1f}" for m, s in zip(np.nanmean(change, 0), np.nanstd(change, 0))]
        of = [f"{found} / {true}" for found, true in counts[2:]]
        print(f"| {name} | {counts[0, 0]} | {counts[0, 1]} | {counts[1, 1]} | {' | '.join(of + said)} |")


if __name__ == "__main__":
    main()
