"""The simulator's fiducials against cardiologists' marks: PR, QRS and QT of normals in LUDB.

    python benchmarks/simulator_marks.py DATA

DATA holds ``ludb/`` in the publisher's layout. Used are sinus rhythms whose other labels are only axis, left atrial
hypertrophy or early repolarisation. Real: the published marks. Simulated: ``Delineation`` of ``causes=["NORM"]``.
Printed: the intervals in each lead (median over leads and beats), over all leads (earliest onset, latest offset), and
from the second earliest onset to the second latest offset: marks set by hand in twelve leads scatter, and their extremes
lie wider than the wave does; the simulator's marks do not scatter.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.sources.base import CatalogRow
from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate

_HARMLESS = {"SR", "SB", "ST", "SA", "SIRR", "ERS", "LAH", "LAO"}
_WAVES = {"p": 0, "N": 1, "t": 2}
_NEAR = {"p": (-180, -20), "N": (-40, 40), "t": (50, 300)}  # samples at 500 Hz from the beat in lead II


def marked(record: Record) -> NDArray:
    """Published marks as (lead, beat, wave, fiducial), NaN where there is none; beats are those marked in lead II."""
    marks = record.annotations
    waves = {lead: [] for lead in record.leads}
    for lead in record.leads:
        mine = [(marks.symbol[i], int(marks.sample[i])) for i in range(len(marks)) if marks.lead[i] == lead]
        for (a, start), (kind, peak), (b, end) in zip(mine, mine[1:], mine[2:]):
            if a == "(" and b == ")" and kind in _WAVES:
                waves[lead].append((kind, start, peak, end))
    beats = [peak for kind, _, peak, _ in waves["II"] if kind == "N"]
    out = np.full((12, len(beats), 3, 3), np.nan)
    for row, lead in enumerate(record.leads):
        for kind, *times in waves[lead]:
            low, high = _NEAR[kind]
            for k, beat in enumerate(beats):
                if low <= times[1] - beat <= high:
                    out[row, k, _WAVES[kind]] = times
    return out


def intervals(points: NDArray) -> list[float]:
    """PR, QRS, QT in ms: in each lead, over all leads, and from the second earliest to the second latest (500 Hz)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a beat without a P in any lead
        edges = [(points[..., 0], points[..., 2])] + [extremes(points, k) for k in (0, 1)]
        of = [
            (on[..., 1] - on[..., 0], off[..., 1] - on[..., 1], off[..., 2] - on[..., 1]) for on, off in edges
        ]
        return [2 * float(np.nanmedian(x)) for three in of for x in three]


def extremes(points: NDArray, k: int) -> tuple[NDArray, NDArray]:
    """The onset that `k` leads' onsets precede, and the offset that `k` leads' offsets follow: (beat, wave) each."""
    onset = np.sort(points[..., 0], axis=0)[k]  # NaN sorts to the end
    offset = -np.sort(-points[..., 2], axis=0)[k]
    return onset, offset


def harmless(row: CatalogRow) -> bool:
    """Whether a LUDB record is a sinus rhythm without anything that changes an interval."""
    labels = set(row.labels["ludb"])
    return bool(labels & {"SR", "SB"}) and all(c in _HARMLESS or c.startswith("AX") for c in labels)


def main() -> None:
    """Print 5 %, 50 % and 95 % points of both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    source = open_source("ludb", parser.parse_args().data / "ludb")
    real = [intervals(marked(source.load(row.path))) for row in source.rows() if harmless(row)]
    made = [intervals(ecg.delineation.points) for ecg in simulate(300, seed=3, causes=["NORM"])]
    names = [f"{name} {where}" for where in ("lead", "all", "2nd") for name in ("PR", "QRS", "QT")]
    print(" " * 16 + "".join(f"{name:>9s}" for name in names) + "   ms")
    for name, rows in ((f"LUDB, {len(real)}", real), (f"simulated, {len(made)}", made)):
        for q in (0.05, 0.5, 0.95):
            values = np.nanquantile(rows, q, axis=0)
            print(f"{name:12s}{q:4.0%}" + "".join(f"{v:9.0f}" for v in values))


if __name__ == "__main__":
    main()
