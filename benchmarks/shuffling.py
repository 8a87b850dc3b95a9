"""Does a shuffled ECG stay in its category? The engine's features before and after, for our form and for others.

    python benchmarks/shuffling.py DATA [--network FILE] [--each 100] [--simulated 100] [--seed 0]

Recordings: LUDB, PTB-XL, Brugada and the challenge's sample under DATA (those that are there), and simulated hearts of
every cause. Each is delineated and measured, changed, delineated and measured again. Forms:

- beats: ours; "any order" without minding the rhythm; "flattest" also with each beat cut at its own flattest point;
- release: cut at the R peaks, head dropped, zeros at the end;
- segments: the window cut at four random places, pieces permuted;
- warp: time warped by a smooth random curve of speed, SD 0.2 at six knots (Um et al. 2017, arXiv 1706.00527);
- jitter: white noise, SD 0.05 mV.

Table 1: the share of recordings whose features stay within their tolerances; what was measured before and is not
measurable any more has left them, and the other way round. Table 2: the same for single features of
rhythm; table 3: their means before and after. What a probe says of the same forms: ``shuffling_labels.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ecgprior.augmentations.shuffle_beats import ShuffleBeats
from ecgprior.batch import Batch, BatchRandom
from ecgprior.corpus.catalog import open_source
from ecgprior.physiology.delineate import delineate_many
from ecgprior.physiology.features.measure import measure_many
from ecgprior.physiology.features.registry import feature_names
from ecgprior.physiology.network import WaveNetwork
from ecgprior.record.beats import Delineation
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

SETS = {"ludb": "ludb", "ptbxl": "ptb-xl", "brugada": "brugada-huca", "cinc2021": "cinc2021-sample"}
# Feature: (absolute tolerance, tolerance as a part of the value before; the larger one counts).
TOLERANCES = {
    "rhythm": {
        "n_beats": (0.5, 0), "rate_bpm": (2, 0.03), "rr_cv": (0.02, 0), "rmssd_ms": (10, 0.2), "rr_cosen": (0.3, 0),
        "rr_short_share": (0.05, 0), "ectopic_share": (0.05, 0), "p_presence": (0.1, 0), "lone_p_share": (0.1, 0),
        "av_dissociation": (0.5, 0), "f_wave_hz": (0.7, 0),
    },
    "intervals": {"pr_ms": (15, 0), "qrs_ms": (10, 0), "qtc_fridericia_ms": (20, 0), "p_duration_ms": (15, 0)},
    "amplitudes": {
        f"{name}.{lead}": (mv, 0.1)
        for name, mv in (("r_amplitude_mv", 0.1), ("t_amplitude_mv", 0.05), ("st_j60_mv", 0.05))
        for lead in ("I", "II", "V1", "V2", "V5")
    },
}  # fmt: skip
RHYTHM = (
    "rmssd_ms",
    "rr_sample_entropy",
    "rr_cosen",
    "ectopic_share",
    "rr_short_share",
    "rr_cv",
    "p_presence",
)
Form = Callable[[Record, Delineation, int], Record]


def recordings(data: Path, each: int, n_simulated: int, seed: int) -> dict[str, list[Record]]:
    """By set."""
    found: dict[str, list[Record]] = {}
    for name, folder in SETS.items():
        if (data / folder).is_dir():
            source = open_source(name, data / folder)
            rows = list(source.rows())
            rows = [rows[i] for i in np.linspace(0, len(rows) - 1, min(each, len(rows))).round().astype(int)]
            records = [source.load(row.path) for row in rows]
            found[name] = [_standard(r) for r in records if set(LEADS) <= set(r.leads) and r.seconds <= 20]
    found["simulated"] = [ecg.record for ecg in simulate(n_simulated, seed=seed)]
    return found


def _standard(record: Record) -> Record:
    rows = [record.leads.index(lead) for lead in LEADS]
    return Record(record.signal[rows], fs=record.fs, leads=LEADS, name=record.name)


def shuffling(**settings: object) -> Form:
    """A form of the augmentation."""
    augmentation = ShuffleBeats.check(settings)

    def change(record: Record, delineation: Delineation, seed: int) -> Record:
        lone = np.full((delineation.lone_p.shape[1], 3, 3), np.nan)
        lone[:, 0] = delineation.lone_p[-1]
        marks = np.concatenate([delineation.global_, lone]).astype(np.float32)
        signal = torch.from_numpy(np.nan_to_num(record.signal)[None])
        number = torch.tensor([seed])
        batch = Batch(
            signal, torch.from_numpy(np.isfinite(record.signal).any(1))[None],
            torch.ones(1, signal.shape[2], dtype=torch.bool), number, number, number,
            columns={"fiducials": torch.from_numpy(marks)[None]}, fs=record.fs,
        )  # fmt: skip
        return _with(record, augmentation(batch, BatchRandom.for_batch(0, 0, batch)).signal[0].numpy())

    return change


def segments(record: Record, delineation: Delineation, seed: int) -> Record:
    """Five pieces of random length, permuted."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.integers(1, record.signal.shape[1], 4))
    parts = np.split(record.signal, places, axis=1)
    return _with(record, np.concatenate([parts[i] for i in rng.permutation(5)], axis=1))


def warp(record: Record, delineation: Delineation, seed: int) -> Record:
    """Time at a speed that wanders; the whole window stays in it."""
    rng = np.random.default_rng(seed)
    n = record.signal.shape[1]
    speed = CubicSpline(np.linspace(0, n - 1, 6), rng.normal(1, 0.2, 6))(np.arange(n)).clip(0.1)
    time = np.concatenate([[0], np.cumsum(speed)[:-1]])
    time *= (n - 1) / time[-1]
    return _with(record, np.stack([np.interp(time, np.arange(n), lead) for lead in record.signal]))


def jitter(record: Record, delineation: Delineation, seed: int) -> Record:
    """White noise of 0.05 mV."""
    return _with(record, record.signal + np.random.default_rng(seed).normal(0, 0.05, record.signal.shape))


FORMS: dict[str, Form] = {
    "beats": shuffling(),
    "  any order": shuffling(keep_rhythm=False),
    "  flattest": shuffling(keep_rhythm=False, spread_ms=2000.0),
    "release": shuffling(form="release"),
    "segments": segments,
    "warp": warp,
    "jitter": jitter,
}


def _with(record: Record, signal: NDArray[np.floating]) -> Record:
    return Record(signal.astype(np.float32), fs=record.fs, leads=record.leads, name=record.name)


def within(before: NDArray[np.float64], after: NDArray[np.float64], block: str) -> NDArray[np.bool_]:
    """Whether each feature of a block stayed: (N, features)."""
    columns = []
    for name, (absolute, part) in TOLERANCES[block].items():
        old, new = before[:, PLACE[name]], after[:, PLACE[name]]
        with np.errstate(invalid="ignore"):
            near = np.abs(new - old) <= np.maximum(absolute, part * np.abs(old))
        columns.append(np.where(np.isfinite(old) & np.isfinite(new), near, np.isnan(old) == np.isnan(new)))
    return np.stack(columns, 1)


PLACE = {name: k for k, name in enumerate(feature_names())}


def main() -> None:
    """Print the tables, a block a set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"))
    parser.add_argument("--network", type=Path)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--simulated", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = WaveNetwork(args.network) if args.network else None
    everything: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for name, records in recordings(args.data, args.each, args.simulated, args.seed).items():
        marks = delineate_many(records, network=network)
        before, _ = measure_many(records, marks)
        results = {}
        for form, change in FORMS.items():
            views = [change(r, d, args.seed + i) for i, (r, d) in enumerate(zip(records, marks))]
            after, _ = measure_many(views, delineate_many(views, network=network))
            same = [
                np.array_equal(np.nan_to_num(v.signal), np.nan_to_num(r.signal))
                for v, r in zip(views, records)
            ]
            results[form] = (before, after)
            everything.setdefault(form, []).append((before, after))
            if form == "beats":
                print(f"\n{name}: {len(records)} recordings, ours leaves {sum(same)} as they are")
        show(results)
    print("\nall sets")
    show({form: tuple(np.concatenate(part) for part in zip(*pairs)) for form, pairs in everything.items()})


def show(results: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
    """Both tables, a line a form."""
    print(
        f"{'stay within tolerance':22s}"
        + "".join(f"{b:>12s}{'all of it':>11s}" for b in TOLERANCES)
        + f"{'all':>8s}"
    )
    for form, (before, after) in results.items():
        kept = {block: within(before, after, block) for block in TOLERANCES}
        cells = "".join(f"{k.mean():12.1%}{k.all(1).mean():11.1%}" for k in kept.values())
        print(f"{form:22s}{cells}{np.concatenate([*kept.values()], axis=1).all(1).mean():8.1%}")
    print(f"{'rhythm: stay':22s}" + "".join(f"{name:>18s}" for name in TOLERANCES["rhythm"]))
    for form, (before, after) in results.items():
        print(f"{form:22s}" + "".join(f"{x:18.1%}" for x in within(before, after, "rhythm").mean(0)))
    print(f"{'rhythm: mean':22s}" + "".join(f"{name:>18s}" for name in RHYTHM))
    first = next(iter(results.values()))[0]
    for form, values in [("before", first), *((form, after) for form, (_, after) in results.items())]:
        print(f"{form:22s}" + "".join(f"{np.nanmean(values[:, PLACE[name]]):18.3f}" for name in RHYTHM))


if __name__ == "__main__":
    main()
