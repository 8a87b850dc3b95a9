"""The simulator's fiducials against cardiologists' marks: PR, QRS and QT of normals in LUDB.

    python benchmarks/simulator_marks.py DATA

DATA holds ``ludb/`` in the publisher's layout. Used are sinus rhythms whose other labels are only axis, left atrial
hypertrophy or early repolarisation. Real: the published marks. Simulated: ``Delineation`` of ``causes=["NORM"]``.
Printed: the intervals in each lead (median over leads and beats) and over all leads (earliest onset, latest offset).
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
    """PR, QRS, QT in ms: in each lead, then over all leads (500 Hz)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a beat without a P in any lead
        lead = points[..., 1, 0] - points[..., 0, 0], points[..., 1, 2] - points[..., 1, 0], points[..., 2, 2] - points[..., 1, 0]
        first, last = np.nanmin(points[..., 0], axis=0), np.nanmax(points[..., 2], axis=0)
        over_all = first[:, 1] - first[:, 0], last[:, 1] - first[:, 1], last[:, 2] - first[:, 1]
        return [2 * float(np.nanmedian(x)) for x in (*lead, *over_all)]


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
    print(f"{'':16s}{'PR lead':>9s}{'QRS lead':>9s}{'QT lead':>9s}{'PR all':>9s}{'QRS all':>9s}{'QT all':>9s}   ms")
    for name, rows in ((f"LUDB, {len(real)}", real), (f"simulated, {len(made)}", made)):
        for q in (0.05, 0.5, 0.95):
            values = np.nanquantile(rows, q, axis=0)
            print(f"{name:12s}{q:4.0%}" + "".join(f"{v:9.0f}" for v in values))


if __name__ == "__main__":
    main()
