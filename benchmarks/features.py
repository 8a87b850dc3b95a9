"""Measured features against simulated truth: bias, SD and largest error per quantity, and the time that measuring takes.

    python benchmarks/features.py [--n 300] [--seed 21]

The fiducials are the simulator's own, so what is seen is the error of measuring, not of delineation; ``--jitter 8`` moves
every one of them by a normal error of 8 ms, as a delineator would. The truth's T and ST know neither noise nor the atria's
repolarisation, which lowers the PQ level of sinus beats by some 0.01–0.03 mV: that is the bias of T and ST.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from ecgprior.physiology.features.measure import measure_many
from ecgprior.physiology.features.registry import feature_names
from ecgprior.record.beats import Delineation
from ecgprior.record.record import LEADS
from ecgprior.simulator.simulate import Simulated, simulate

WHOLE = {
    "rate_bpm": "rate_bpm", "pr_ms": "pr_ms", "qrs_ms": "qrs_ms", "qt_ms": "qt_ms", "qtc_fridericia_ms": "qtc_ms",
    "p_amplitude_mv.II": "p_ii_mv", "sokolow_lyon_mv": "sokolow_mv",
}  # fmt: skip
PER_LEAD = {"r_amplitude_mv": "r", "t_amplitude_mv": "t", "st_j60_mv": "st"}


def moved(ecg: Simulated, jitter_ms: float, rng: np.random.Generator) -> Delineation:
    """The true delineation, every fiducial moved by a normal error."""
    sd = jitter_ms * ecg.record.fs / 1000
    d = ecg.delineation
    return Delineation(
        d.leads, d.points + rng.normal(0, sd, d.points.shape), d.global_ + rng.normal(0, sd, d.global_.shape)
    )


def errors(ecgs: list[Simulated], values: np.ndarray) -> dict[str, np.ndarray]:
    """Measured less true, by quantity."""
    place = {name: k for k, name in enumerate(feature_names())}
    of = lambda name: values[:, place[name]]  # noqa: E731
    true = lambda name: np.array([ecg.truth[name] for ecg in ecgs])  # noqa: E731
    out = {name: of(name) - true(key) for name, key in WHOLE.items()}
    for name, key in PER_LEAD.items():
        out[f"{name}, 12 leads"] = np.concatenate([of(f"{name}.{v}") - true(f"{key}_{v}_mv") for v in LEADS])
    deepest = [
        np.minimum(of(f"q_amplitude_mv.{v}"), of(f"s_amplitude_mv.{v}")) - true(f"s_{v}_mv") for v in LEADS
    ]
    return out | {"deepest of Q and S, 12 leads": np.concatenate(deepest)}


def main() -> None:
    """Print the tables for noise 0 and 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--jitter", type=float, default=0.0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    for noise in (0.0, 1.0):
        ecgs = list(simulate(args.n, seed=args.seed, noise=noise))
        marks = [moved(ecg, args.jitter, rng) for ecg in ecgs]
        start = time.process_time()
        values, codes = measure_many([ecg.record for ecg in ecgs], marks)
        spent = 1000 * (time.process_time() - start) / len(ecgs)
        print(
            f"noise {noise:g}: {spent:.2f} ms of processor time a record, {np.mean(codes > 0):.1%} of values not measurable"
        )
        for name, error in errors(ecgs, values).items():
            known = error[np.isfinite(error)]
            low, high = np.percentile(known, [1, 99])
            print(
                f"  {name:30s} n {len(known):5d}  bias {known.mean():8.3f}  SD {known.std():7.3f}  1–99 % {low:8.3f} … {high:7.3f}"
            )
        for code in ("RBBB", "LBBB"):
            has = np.array([code in ecg.labels for ecg in ecgs])
            sign = values[:, feature_names().index(f"{code.lower()}_sign")]
            print(
                f"  {code.lower()}_sign: {np.nansum(sign[has]):.0f} of {has.sum()} with, {np.nansum(sign[~has]):.0f} of {(~has).sum()} without"
            )
        af = np.array(["AF" in ecg.labels for ecg in ecgs])
        entropy = values[:, feature_names().index("rr_cosen")]
        print(
            f"  rr_cosen, median: {np.nanmedian(entropy[af]):.2f} in fibrillation, {np.nanmedian(entropy[~af]):.2f} else"
        )


if __name__ == "__main__":
    main()
