"""How near simulated normals lie to PTB-XL's normals, and how fast they are made.

    python benchmarks/simulator.py DATA [--n 400] [--to FOLDER]

DATA is a folder that holds ``ptb-xl/`` in the publisher's layout (``ptbxl_database.csv``, ``records500/``).
Real recordings: folds there, SCP code NORM. Simulated: ``simulate(n, causes=["NORM"])``. Both are measured by
the same plain routine below, which knows nothing of the simulator's truth: R-peak-aligned median beats of the
high-passed signal; heights of R, S and T in each lead against the level just before QRS; rate; PR, QRS and QT
from thresholds on the root mean square over leads. For each quantity: medians, Kolmogorov–Smirnov distance
(0–1) and Wasserstein distance in the quantity's unit; histograms overlaid in PNG files under ``--to``.

The widths are rough on purpose: they compare two populations, they do not measure a patient.
"""

from __future__ import annotations

import argparse
import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import ndimage, signal, stats

from ecgprior.record.read import read
from ecgprior.simulator.simulate import simulate

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
BEFORE_S, AFTER_S = 0.32, 0.56


def r_peaks(x: NDArray, fs: float) -> NDArray:
    """Samples of the R peaks: maxima of the smoothed slope energy over leads, moved to the largest deflection."""
    sos = signal.butter(2, (5, 30), "bandpass", fs=fs, output="sos")
    y = signal.sosfiltfilt(sos, x, axis=1)
    energy = ndimage.uniform_filter1d((np.gradient(y, axis=1) ** 2).sum(0), int(0.08 * fs))
    height = 0.3 * np.median([part.max() for part in np.array_split(energy, 8)])
    peaks, _ = signal.find_peaks(energy, height=height, distance=int(0.3 * fs))
    reach = int(0.06 * fs)
    size = np.abs(y[[0, 1, 6, 7, 9, 10, 11]]).sum(0)
    inside = peaks[(peaks > reach) & (peaks < x.shape[1] - reach)]
    return np.array([p - reach + int(np.argmax(size[p - reach : p + reach])) for p in inside], int)


def median_beat(x: NDArray, fs: float) -> tuple[NDArray, NDArray] | None:
    """The median beat (lead, time), 0 at the level before QRS, and the R peaks; None with fewer than 4 beats."""
    sos = signal.butter(2, 0.5, "highpass", fs=fs, output="sos")
    x = signal.sosfiltfilt(sos, x, axis=1)
    x = signal.sosfiltfilt(signal.butter(3, 40, "lowpass", fs=fs, output="sos"), x, axis=1)
    peaks = r_peaks(x, fs)
    before, after = int(BEFORE_S * fs), int(AFTER_S * fs)
    whole = peaks[(peaks >= before) & (peaks + after <= x.shape[1])]
    if len(whole) < 4:
        return None
    beats = x[:, whole[:, None] + np.arange(-before, after)]
    beat = np.median(beats, axis=1)
    level = beat[:, before - int(0.07 * fs) : before - int(0.05 * fs)].mean(1, keepdims=True)
    return beat - level, peaks


def measure(x: NDArray, fs: float) -> dict[str, float] | None:
    """The numbers compared: amplitudes in mV, times in ms, rate in bpm; None when no median beat can be made."""
    made = median_beat(np.nan_to_num(x.astype(float)), fs)
    if made is None:
        return None
    beat, peaks = made
    zero = int(BEFORE_S * fs)
    rr = np.diff(peaks) / fs
    cut = lambda low, high: beat[:, zero + int(low * fs) : zero + int(high * fs)]  # noqa: E731
    out = {"rate_bpm": 60 / np.median(rr), "rr_sd_ms": 1000 * np.std(rr)}
    qrs, t = cut(-0.06, 0.08), cut(0.14, min(0.44, 0.7 * np.median(rr)))
    for row, lead in enumerate(LEADS):
        out[f"R {lead} mV"] = qrs[row].max()
        out[f"S {lead} mV"] = qrs[row].min()
        out[f"T {lead} mV"] = t[row, np.argmax(np.abs(t[row]))]
        out[f"J60 {lead} mV"] = beat[row, zero + int(0.1 * fs)]
    out["P II mV"] = cut(-0.25, -0.07)[1].max()
    out["P V1 mV"] = cut(-0.25, -0.07)[6].max()
    return out | widths(beat, zero, fs, float(np.median(rr)))


def widths(beat: NDArray, zero: int, fs: float, rr_s: float) -> dict[str, float]:
    """PR, QRS and QT in ms from the root mean square of the median beat over leads (rough)."""
    rms = np.sqrt((beat**2).mean(0))
    slope = ndimage.uniform_filter1d(np.sqrt((np.gradient(beat, axis=1) ** 2).mean(0)), int(0.01 * fs))
    top = zero + int(np.argmax(slope[zero - int(0.05 * fs) : zero + int(0.05 * fs)])) - int(0.05 * fs)
    quiet = 0.06 * slope[top]
    onset = top - int(np.argmax(slope[top::-1] < quiet))
    offset = zero + int(np.argmax(slope[zero + int(0.01 * fs) :] < 0.1 * slope[top])) + int(0.01 * fs)
    first, last = zero + int(0.15 * fs), zero + int(min(AFTER_S, 0.7 * rr_s) * fs) - 1
    peak = first + int(np.argmax(rms[first:last]))
    fall = peak + int(np.argmin(np.gradient(rms[peak:last]))) if last - peak > 3 else peak
    steep = np.gradient(rms)[fall]
    floor = rms[last - int(0.02 * fs) : last].min()
    end = fall + (rms[fall] - floor) / max(-steep, 1e-9)
    lead2 = beat[[0, 1, 6, 7]]
    p = np.sqrt((ndimage.gaussian_filter1d(lead2, 0.008 * fs, axis=1) ** 2).mean(0))
    span = p[zero - int(0.26 * fs) : zero - int(0.08 * fs)]
    p_peak = zero - int(0.26 * fs) + int(np.argmax(span))
    return {
        "P peak to QRS ms": 1000 * (onset - p_peak) / fs,
        "QRS ms": 1000 * (offset - onset) / fs,
        "QT ms": 1000 * (end - onset) / fs,
        "R to T peak ms": 1000 * (peak - zero) / fs,
    }


def noise_of(x: NDArray, fs: float) -> dict[str, float]:
    """Size of what is not heart: above 40 Hz away from QRS, and below 0.5 Hz, in lead II, mV (log10)."""
    lead = np.nan_to_num(x[1].astype(float))
    high = signal.sosfiltfilt(signal.butter(2, 45, "highpass", fs=fs, output="sos"), lead)
    low = signal.sosfiltfilt(signal.butter(2, 0.5, "lowpass", fs=fs, output="sos"), lead)
    return {
        "noise > 45 Hz log10 mV": np.log10(1.483 * np.median(np.abs(high)) + 1e-5),
        "drift < 0.5 Hz log10 mV": np.log10(np.std(low) + 1e-5),
    }


def real_normals(data: Path) -> Iterator[tuple[NDArray, dict[str, Any]]]:
    """Signal (12, time) in mV and table row of each normal PTB-XL recording of folds 1–8 that is there."""
    root = data / "ptb-xl"
    for row in pl.read_csv(root / "ptbxl_database.csv").iter_rows(named=True):
        stem = root / row["filename_hr"]
        normal = "NORM" in ast.literal_eval(row["scp_codes"]) and row["strat_fold"] <= 8
        if normal and stem.with_suffix(".dat").exists():
            yield read(stem).signal, row


def population(signals: Any, fs: float) -> pl.DataFrame:
    """One row a recording that could be measured."""
    made = [(measure(x, fs), noise_of(x, fs)) for x in signals]
    return pl.DataFrame([row | noise for row, noise in made if row is not None])


def compare(real: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """Medians, 5 % and 95 % points, and the two distances of every quantity."""
    rows = []
    for name in real.columns:
        a, b = real[name].drop_nans().to_numpy(), made[name].drop_nans().to_numpy()
        quantiles = [np.quantile(part, [0.05, 0.5, 0.95]) for part in (a, b)]
        rows.append(
            {"quantity": name}
            | {f"real {q}": v for q, v in zip(("5%", "50%", "95%"), quantiles[0])}
            | {f"sim {q}": v for q, v in zip(("5%", "50%", "95%"), quantiles[1])}
            | {"KS": stats.ks_2samp(a, b).statistic, "W1": stats.wasserstein_distance(a, b)}
            | {"W1/sd": stats.wasserstein_distance(a, b) / a.std()}
        )
    return pl.DataFrame(rows)


def draw(real: pl.DataFrame, made: pl.DataFrame, to: Path) -> None:
    """Histograms of both over each other, one page a group of quantities."""
    from matplotlib.figure import Figure

    groups = {wave: [n for n in real.columns if n.startswith(f"{wave} ") and n.endswith("mV") and n[0] != "n"]
              for wave in ("R", "S", "T", "J60")}  # fmt: skip
    taken = {n for names in groups.values() for n in names}
    groups["times"] = [n for n in real.columns if n not in taken]
    for group, names in groups.items():
        figure = Figure(figsize=(15, 9), layout="constrained")
        panels = list(figure.subplots(3, 4).flat)
        for axes, name in zip(panels, names):
            a, b = real[name].to_numpy(), made[name].to_numpy()
            bins = np.linspace(*np.quantile(np.concatenate([a, b]), [0.002, 0.998]), 32)
            axes.hist(a, bins, density=True, alpha=0.5, label="PTB-XL NORM", color="tab:blue")
            axes.hist(b, bins, density=True, alpha=0.5, label="simulated NORM", color="tab:orange")
            axes.set_title(name)
        for axes in panels[len(names) :]:
            axes.remove()
        figure.axes[0].legend()
        figure.savefig(to / f"simulator-{group}.png", dpi=60)


def speed(n: int) -> float:
    """ECGs a CPU second: mixed causes, 10 s at 500 Hz, noise on, one process."""
    for _ in simulate(32, seed=1):
        pass
    start = time.process_time()
    for _ in simulate(n, seed=2):
        pass
    return n / (time.process_time() - start)


def main() -> None:
    """Measure both populations, print the table, save the histograms."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=600, help="simulated normals")
    parser.add_argument("--to", type=Path, help="folder for the histograms")
    given = parser.parse_args()
    real = population((x for x, _ in real_normals(given.data)), 500)
    made = population((e.record.signal for e in simulate(given.n, seed=11, causes=["NORM"])), 500)
    table = compare(real, made)
    print(f"{len(real)} real normals (PTB-XL, folds 1-8), {len(made)} simulated normals")
    print(f"{'quantity':24s} {'real: 5%    50%    95%':>24s} {'simulated: 5%    50%    95%':>28s} {'KS':>6s} {'W1':>8s} {'W1/sd':>6s}")
    for row in table.rows():
        name, *v = row
        print(f"{name:24s} " + " ".join(f"{q:9.3f}" for q in v[:6]) + f" {v[6]:6.3f} {v[7]:8.3f} {v[8]:6.2f}")
    mean = {g: table.filter(pl.col("quantity").str.starts_with(f"{g} "))["KS"].mean() for g in ("R", "S", "T")}
    print("mean KS over leads: " + ", ".join(f"{g} {v:.3f}" for g, v in mean.items()))
    print(f"speed: {speed(320):.0f} ECGs a CPU second (10 s, 500 Hz, 12 leads, with noise and truth)")
    if given.to is not None:
        given.to.mkdir(parents=True, exist_ok=True)
        draw(real, made, given.to)


if __name__ == "__main__":
    main()
