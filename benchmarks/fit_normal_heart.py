"""Fit the table of normal hearts that the simulator draws from.

    python benchmarks/fit_normal_heart.py DATA --to src/ecgprior/simulator/normal_heart.csv

DATA holds ``ptb-xl/`` in the publisher's layout; used are recordings with SCP code NORM outside folds 9 and 10.
Each recording's median beat (8 independent leads) is split into a lead field (8 × 3, pulled towards Dower's)
and a dipole over time; the dipole into Gaussians at fixed places (those of ``simulator/hearts.py``), whose
widths and places are scaled per recording. What is written is no recording: only the mean, the dependence on
age and sex, a few common factors and the remaining spread of each of those numbers over all recordings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ecgprior.simulator.hearts import DOWER, P_AT, P_WIDTH, QRS_AT, QRS_WIDTH, T_AT, T_WIDTH, row_names
from simulator import AFTER_S, BEFORE_S, median_beat, real_normals

FS = 500
ZERO = int(BEFORE_S * FS)
TIME = (np.arange(ZERO + int(AFTER_S * FS)) - ZERO) / FS
INDEPENDENT = [0, 1, 6, 7, 8, 9, 10, 11]
N_FACTORS = 20
ATRIAL = np.array([2, 3, 3, 0.5, 0.5, 0.5, 0.5, 0.5])
"""Weight of I, II, V1–V6 when P is turned into a dipole: a field fitted to QRS says little of the atria."""


def lead_field(beat: NDArray) -> tuple[NDArray, NDArray]:
    """A recording's lead field (8, 3), near Dower's, and its dipole (3, time): a few alternating ridge fits."""
    field = DOWER
    for _ in range(6):
        dipole = np.linalg.pinv(field) @ beat
        power = dipole @ dipole.T
        ridge = 0.03 * np.trace(power) / 3 * np.eye(3)
        field = DOWER + (beat - DOWER @ dipole) @ dipole.T @ np.linalg.inv(power + ridge)
    return field, np.linalg.pinv(field) @ beat


def bumps(centre: NDArray, width: NDArray) -> NDArray:
    """Gaussians (kernel, time)."""
    return np.exp(-0.5 * ((TIME - centre[:, None]) / width[:, None]) ** 2)


def amplitudes(kernels: NDArray, dipole: NDArray, part: slice) -> tuple[float, NDArray]:
    """Squared error and amplitudes (kernel, 3) of the kernels that explain `part` of a dipole, with a small ridge."""
    g = kernels[:, part]
    gram = g @ g.T
    found = np.linalg.solve(gram + 1e-3 * np.trace(gram) / len(g) * np.eye(len(g)), g @ dipole[:, part].T)
    return float(((dipole[:, part] - found.T @ g) ** 2).sum()), found


def best(dipole: NDArray, part: slice, candidates: list[tuple[NDArray, NDArray, tuple]]) -> tuple[NDArray, tuple]:
    """The candidate (centres, widths, tag) with the least error: its amplitudes and tag."""
    tried = [(*amplitudes(bumps(centre, width), dipole, part), tag) for centre, width, tag in candidates]
    _, found, tag = min(tried, key=lambda item: item[0])
    return found, tag


def fit_one(beat: NDArray, rr_s: float) -> NDArray:
    """The numbers of one recording, in the order of ``row_names()``."""
    field, _ = lead_field(beat)
    beat = beat - np.median(beat[:, : ZERO - int(0.24 * FS)], axis=1, keepdims=True)  # 0 between T and P
    dipole = np.linalg.pinv(field) @ beat
    atrial = np.linalg.pinv(ATRIAL[:, None] * field) @ (ATRIAL[:, None] * beat)
    last = min(beat.shape[1], ZERO + int(0.7 * rr_s * FS)) - 1
    early = ZERO + 70
    t_peak = TIME[early + int(np.argmax(np.linalg.norm(dipole, axis=0)[early:last]))]
    scales = np.arange(0.6, 1.65, 0.05)
    places = np.arange(-0.22, -0.09, 0.005)
    p_tries = [(at + P_AT * s, P_WIDTH * s, (s, at)) for at in places for s in scales[:18:2]]
    p, (p_scale, p_at) = best(atrial, slice(ZERO - 140, ZERO - 26), p_tries)
    rest = dipole - p.T @ bumps(p_at + P_AT * p_scale, P_WIDTH * p_scale)
    qrs, (d,) = best(rest, slice(ZERO - 40, ZERO + 45), [(QRS_AT * s, QRS_WIDTH * s, (s,)) for s in scales])
    rest = rest - qrs.T @ bumps(QRS_AT * d, QRS_WIDTH * d)
    t_tries = [(t_peak + dt + T_AT * s, T_WIDTH * s, (s, t_peak + dt)) for s in scales for dt in (-0.01, 0, 0.01)]
    t, (w, t_at) = best(rest, slice(ZERO + 40, last), t_tries)
    gains = [np.linalg.norm(part) for part in (qrs, t, p)]
    shape = [(part / gain).ravel() for part, gain in zip((qrs, t, p), gains)]
    logs = np.log([*gains, d, w, p_scale, t_at, -p_at, rr_s])
    return np.concatenate([*shape, field.ravel(), logs])


def factors(values: NDArray, age: NDArray, female: NDArray) -> dict[str, NDArray]:
    """Mean, slopes on age and sex, common factors and remaining spread of each column of `values`."""
    design = np.stack([np.ones_like(age), (age - 55) / 20, female - 0.5], axis=1)
    slopes = np.linalg.lstsq(design, values, rcond=None)[0]
    residual = values - design @ slopes
    spread = residual.std(0)
    residual = np.clip(residual / spread, -3.5, 3.5)
    _, s, axes = np.linalg.svd(residual / np.sqrt(len(values)), full_matrices=False)
    loading = axes[:N_FACTORS].T * s[:N_FACTORS]
    left = np.sqrt(np.clip(1 - (loading**2).sum(1), 0, None))
    columns = {"mean": slopes[0], "per_20_years": slopes[1], "female": slopes[2], "rest": left * spread}
    return columns | {f"f{k + 1}": loading[:, k] * spread for k in range(N_FACTORS)}


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    values, age, female = [], [], []
    for x, row in real_normals(given.data):
        made = median_beat(x, FS)
        if made is None or row["age"] is None or row["age"] > 100:
            continue
        values.append(fit_one(made[0][INDEPENDENT], float(np.median(np.diff(made[1])) / FS)))
        age.append(float(row["age"]))
        female.append(float(row["sex"]))  # PTB-XL: 0 male, 1 female
    table = factors(np.array(values), np.array(age), np.array(female))
    frame = pl.DataFrame({"row": row_names()} | {k: np.round(v, 4) for k, v in table.items()})
    frame.write_csv(given.to)
    print(f"{len(values)} recordings -> {len(frame)} rows: {given.to}")


if __name__ == "__main__":
    main()
