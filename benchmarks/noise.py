"""Waves where there is no heart, and hearts taken for noise: the rule of ``physiology/hearts.py`` off and on.

    python benchmarks/noise.py [DATA] [--n 525] [--network FILE]

1. ``--n`` made-up recordings of each kind, a third each with 1, 2 and 3–12 leads; 4–60 s; 250, 500 or 1,000 Hz; standard
   deviation (of a loud burst, of the steps' heights) 0.05–1.5 mV. Every other one of several leads mixes half as many
   sources, with a tenth of noise of its own. Shifts are of about 1 mV and spikes of 1–6 mV over noise of 2–30 µV, every
   other one low-passed. The thresholds were chosen on other recordings of these kinds.
2. Simulated hearts of 10 s beside spikes that they do not answer: 1 or 3 mV, 60 or 100 a minute, 1, 2 and 12 leads.
3. P waves without QRS, of simulated hearts: nothing but a P every 0.8 s, as in ventricular standstill; and a heart whose
   fifth QRS and T are taken out.
4. With DATA: beats in the recordings of CinC 2021 that are labelled ventricular tachycardia; no one has marked them.
5. With DATA (``ludb``, ``ptb-xl`` … as published): how many recordings and single leads have beats, and lose all; of more
   than a minute, parts of 10 s. The shipped weights have learnt LUDB; thresholds were chosen on all these sets.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.signal import butter, sosfilt

from ecgprior.corpus.catalog import open_source
from ecgprior.physiology.decode import Waves, decode
from ecgprior.physiology.network import WaveNetwork
from ecgprior.physiology.rules import RULES
from ecgprior.physiology.windows import probabilities, trace_of
from ecgprior.record.record import LEADS
from ecgprior.simulator.simulate import simulate

OFF = replace(RULES, heart_share=0.0, edge_share=2.0)
SETS = {"ludb": "ludb", "ptbxl": "ptb-xl", "cpsc2021": "cpsc2021-sample", "cinc2011": "cinc2011",
        "cinc2021": "cinc2021-sample", "brugada": "brugada-huca"}  # fmt: skip
Rng = np.random.Generator
Kind = Callable[[Rng, int, int, float], np.ndarray]  # leads, samples, Hz -> (lead, sample)


def shaped(rng: Rng, n_leads: int, n: int, fs: float, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    x = np.fft.irfft(np.fft.rfft(rng.standard_normal((n_leads, n))) * gain(np.fft.rfftfreq(n, 1 / fs)), n)
    return x / x.std(axis=1, keepdims=True)


def coloured(power: float) -> Kind:
    return partial(shaped, gain=lambda f: np.maximum(f, 0.3) ** (-power / 2))


def band(low: float, high: float) -> Kind:
    return partial(shaped, gain=lambda f: ((f >= low) & (f <= high)).astype(float))


def bursts(rng: Rng, n_leads: int, n: int, fs: float, gap_s: float, last_s: Sequence[float]) -> np.ndarray:
    """Muscle, 20–150 Hz (as far as the rate goes): bursts of all leads at once, every other one with soft ends."""
    loud, at = np.zeros(n), 0
    while (at := at + int(rng.exponential(gap_s) * fs)) < n:
        size = min(int(rng.uniform(last_s[0], last_s[1]) * fs), n - at)
        shape = np.hanning(size + 2)[1:-1] if rng.random() < 0.5 else 1.0
        loud[at : at + size] = shape * rng.uniform(0.4, 1.5)
        at += size
    return band(20.0, min(150.0, 0.45 * fs))(rng, n_leads, n, fs) * (loud + 0.05)


def steps(rng: Rng, n_leads: int, n: int, fs: float) -> np.ndarray:
    """About one a second, each decaying within 0.05–0.6 s."""
    x = 0.03 * rng.standard_normal((n_leads, n))
    for at in rng.integers(0, n, rng.poisson(n / fs)):
        decay = np.exp(-np.arange(n - at) / (rng.uniform(0.05, 0.6) * fs))
        x[:, at:] += rng.standard_normal((n_leads, 1)) * decay
    return x


def low_passed(x: np.ndarray, rng: Rng, fs: float) -> np.ndarray:
    """As recorders do: at 40, 100 or 150 Hz (second order), every other recording not at all."""
    hz = float(rng.choice([40, 100, 150, np.inf, np.inf, np.inf]))
    return x if hz >= 0.45 * fs else sosfilt(butter(2, hz, fs=fs, output="sos"), x, axis=-1)


def beneath(rng: Rng, n_leads: int, n: int, fs: float) -> np.ndarray:
    """White or pink noise of 2–30 µV for steps and spikes of about 1 mV."""
    return np.exp(rng.uniform(np.log(0.002), np.log(0.03))) * coloured(rng.integers(2))(rng, n_leads, n, fs)


def shifts(rng: Rng, n_leads: int, n: int, fs: float, tau_s: tuple[float, float] | None) -> np.ndarray:
    """Sudden shifts, 0.2–2 a second or as regular as a heart; they stay, or a high-pass brings them back."""
    x, regular = np.zeros((n_leads, n)), rng.random() < 0.5
    tau = np.inf if tau_s is None else np.exp(rng.uniform(*np.log(tau_s))) * fs
    every = np.arange(rng.uniform(0, fs), n, rng.uniform(0.5, 1.5) * fs).astype(int)
    for at in every if regular else rng.integers(0, n, 1 + rng.poisson(rng.uniform(0.2, 2) * n / fs)):
        x[:, at:] += rng.standard_normal((n_leads, 1)) * np.exp(-np.arange(n - at) / tau)
    return low_passed(x, rng, fs) + beneath(rng, n_leads, n, fs)


def spikes(rng: Rng, n_leads: int, n: int, fs: float, tail: bool) -> np.ndarray:
    """A pacemaker alone: 40–130 bpm, 1–2 ms (a sample at least), every third one in both chambers; 1–6 mV.

    With `tail` an electrode stays polarised: 5–30 % of the spike, decaying within 4–60 ms."""
    x, width = np.zeros((n_leads, n)), max(1, round(rng.uniform(0.001, 0.002) * fs))
    height = rng.uniform(0.3, 1, (n_leads, 1)) * rng.choice([-1, 1], (n_leads, 1))
    chambers = (0, rng.uniform(0.1, 0.2) * fs) if rng.random() < 0.3 else (0,)
    tau, part = (
        np.exp(rng.uniform(np.log(0.004), np.log(0.06))) * fs,
        rng.uniform(0.05, 0.3) * rng.choice([-1, 1]),
    )
    for beat in np.arange(rng.uniform(0, fs), n, 60 / rng.uniform(40, 130) * fs):
        for at in (int(beat + later) for later in chambers):
            x[:, at : at + width] += height
            if tail:
                after = np.arange(max(0, n - at - width))
                x[:, n - len(after) :] += part * height * np.exp(-after / tau)
    return np.exp(rng.uniform(0, np.log(6))) * low_passed(x, rng, fs) + beneath(rng, n_leads, n, fs)


KINDS: dict[str, Kind] = {"white": coloured(0), "pink": coloured(1), "brown": coloured(2)} | {
    "bursts of muscle, 0.1–1.2 s": partial(bursts, gap_s=0.8, last_s=(0.1, 1.2)),
    "short bursts, 0.05–0.2 s": partial(bursts, gap_s=0.4, last_s=(0.05, 0.2)),
}
BANDS = ((5, 20), (8, 30), (1, 15), (0.5, 8), (2, 5), (0.5, 40))
KINDS |= {f"{low:g}–{high:g} Hz": band(low, high) for low, high in BANDS} | {"steps of an electrode": steps}
EDGES: dict[str, Kind] = {"shifts that stay": partial(shifts, tau_s=None), "shifts and a high-pass": partial(shifts, tau_s=(0.05, 3.2)),
         "spikes of a pacemaker": partial(spikes, tail=False), "spikes that polarise": partial(spikes, tail=True)}  # fmt: skip
KINDS |= EDGES
HEAD = "| recordings with beats, off → on | 1 lead | 2 leads | 3–12 leads |\n|---|---|---|---|"
REAL = "| set | with beats | lose all | leads with beats | lose all | … had ≥ 0.9 of them |\n|---|---|---|---|---|---|"


def made_up(which: int, kind: Kind, number: int) -> tuple[np.ndarray, float]:
    """One recording: (L, T) in mV, and its rate."""
    rng = np.random.default_rng([12, which, number])
    n_leads = (1, 2, int(rng.integers(3, 13)))[number % 3]
    fs = float(rng.choice([250, 500, 1000]))
    x = kind(rng, n_leads, round(np.exp(rng.uniform(np.log(4), np.log(60))) * fs), fs)
    if n_leads > 1 and number // 3 % 2 and kind not in EDGES.values():
        x = rng.standard_normal((n_leads, k := n_leads // 2)) @ x[:k] / np.sqrt(k) + 0.1 * x
    return x if kind in EDGES.values() else x * np.exp(rng.uniform(np.log(0.05), np.log(1.5))), fs


def decoded(network: WaveNetwork, signal: np.ndarray, fs: float) -> list[Waves]:
    """With the rule off and on; the network runs once."""
    trace = trace_of(np.ascontiguousarray(signal, np.float32), fs)
    waves = probabilities(network, [trace])[0]
    known = {"fs": trace.fs, "lead_mask": trace.lead_mask, "missing": trace.missing}
    return [decode(waves, trace.signal, rules=rules, **known) for rules in (OFF, RULES)]


def found(network: WaveNetwork, signal: np.ndarray, fs: float) -> list[tuple[int, int]]:
    """Beats and lone P waves with the rule off and on."""
    return [(len(each.global_), each.lone_p.shape[1]) for each in decoded(network, signal, fs)]


def noise(network: WaveNetwork, n: int) -> None:
    print(f"{n} recordings of each kind, a third in each column\n\n{HEAD}")
    total = np.zeros((2, 2, 2), int)  # noise or edges; beats, any wave; off, on
    for which, (name, kind) in enumerate(KINDS.items()):
        counts = [found(network, *made_up(which, kind, i)) for i in range(n)]
        waves = np.array(counts)  # (n, off or on, beats or P)
        beats = waves[:, :, 0] > 0
        total[int(kind is steps or kind in EDGES.values())] += [beats.sum(0), waves.any(2).sum(0)]
        cells = [f"{off} → {on}" for off, on in (beats[i::3].sum(0) for i in range(3))]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    edges = 1 + len(EDGES)
    for name, count, ((off, on), (any_off, any_on)) in zip(
        ("Noise", "Edges"), (len(KINDS) - edges, edges), total
    ):
        print(f"\n{name}, of {n * count}: with beats {off} → {on}, with any wave {any_off} → {any_on}")
    print()


def unanswered(network: WaveNetwork, n: int = 4) -> None:
    print(
        "| hearts beside spikes, off → on | recordings | lose all | beats missed of all | false |\n|---|---|---|---|---|"
    )
    for cause in ("NORM", "LBBB", "AF", "PVC"):
        counts, total = (
            np.zeros((2, 3), int),
            np.zeros(2, int),
        )  # off, on; recordings without beats, missed, false
        for number, ecg in enumerate(simulate(n, seed=100, causes=[cause], fs=500)):
            true = ecg.beats.sample
            for mv, every, leads in product((1.0, 3.0), (300, 500), (LEADS[1:2], LEADS[:2], LEADS)):
                x = ecg.record.pick(leads).signal.copy()
                x[:, 170 + 7 * number :: every] += mv * np.linspace(0.5, 1, len(leads))[:, None]
                total += 1, len(true)
                for which, waves in enumerate(decoded(network, x, 500)):
                    at = waves.global_[:, 1, 1]
                    hit = int((np.abs(at[:, None] - true).min(axis=0, initial=np.inf) < 40).sum())
                    counts[which] += len(at) == 0, len(true) - hit, len(at) - hit
        none, missed, false = (f"{off} → {on}" for off, on in counts.T)
        print(f"| {cause} | {total[0]} | {none} | {missed} of {total[1]} | {false} |", flush=True)
    print()


def standstill(network: WaveNetwork, n: int = 20) -> None:
    rng = np.random.default_rng(100)
    beats, alone, called, lone = (np.zeros(2, int) for _ in range(4))  # off, on
    for ecg in simulate(n, seed=100, causes=["NORM"], fs=500, noise=0):
        x, (p, qrs, t) = ecg.record.signal.astype(float), ecg.delineation.global_[4]
        a, b = int(p[0]), int(p[2])
        wave = x[:, a:b] - np.linspace(x[:, a], x[:, b], b - a, axis=1)
        for noise_mv in (0.005, 0.02):
            y = noise_mv * rng.standard_normal(x.shape)
            for at in range(200, 4800, 400):
                y[:, at : at + b - a] += wave
            counts = np.array(found(network, y, 500))
            beats, alone = beats + (counts[:, 0] > 0), alone + (counts[:, 1] > 0)
        a, b = int(qrs[0]) - 3, int(t[2]) + 5
        x[:, a:b] = np.linspace(x[:, a], x[:, b], b - a, axis=1)
        x += 0.005 * rng.standard_normal(x.shape)
        near = lambda at, p=p: (np.abs(at - p[1]) < 60).any()  # noqa: E731
        waves = decoded(network, x, 500)
        called = called + [near(each.global_[:, 1, 1]) for each in waves]
        lone = lone + [near(each.lone_p[-1, :, 1]) for each in waves]
    said = ["{} → {}".format(*count) for count in (beats, alone, called, lone)]
    print(f"Nothing but P waves, {2 * n}: with beats {said[0]}, with a lone P {said[1]}")
    print(f"One QRS and T taken out, {n}: its P is called QRS in {said[2]}, a lone P in {said[3]}\n")


def tachycardia(network: WaveNetwork, folder: Path) -> None:
    source = open_source("cinc2021", folder)
    rows = [row for row in source.rows() if {"425856008", "164895002"} & set(row.labels.get("cinc2021_all") or ())]
    records = [source.load(row.path) for row in rows]
    said = [f"{row.path} {found(network, r.signal, r.fs)[1][0]} in {r.seconds:g} s" for row, r in zip(rows, records)]
    print(f"Ventricular tachycardia, beats: {', '.join(said)}\n")


def parts(source_name: str, folder: Path) -> Iterator[tuple[np.ndarray, float]]:
    source = open_source(source_name, folder)
    for row in source.rows():
        if source_name == "cinc2011" and row.labels.get("cinc2011_quality") != ():
            continue  # not acceptable
        record = source.load(row.path)
        size = round(10 * record.fs) if record.seconds > 60 else record.n_samples
        for start in range(0, record.n_samples - size + 1, size):
            yield record.signal[:, start : start + size], record.fs


def real(network: WaveNetwork, data: Path) -> None:
    print(REAL)
    for name, folder in SETS.items():
        counts = np.zeros(5, int)
        for signal, fs in parts(name, data / folder):
            (beats, _), (left, _) = found(network, signal, fs)
            counts[:2] += beats > 0, beats > left == 0
            for lead in signal:
                (alone, _), (left, _) = found(network, lead[None], fs)
                counts[2:] += alone > 0, alone > left == 0, alone > left == 0 and alone >= 0.9 * beats
        print(f"| {name}{', learnt' * (name == 'ludb')} | " + " | ".join(map(str, counts)) + " |", flush=True)


def beside(network: WaveNetwork, folder: Path) -> None:
    rng, counts, number = np.random.default_rng(5), np.zeros((2, 2), int), 0
    for i, (whole, fs) in enumerate(islice(parts("ptbxl", folder), 120)):
        n_leads = (1, 2, 12)[i % 3]
        leads = rng.choice(12, n_leads, replace=False) if n_leads < 12 else np.arange(12)
        for kind in list(KINDS.values())[-i % 4 :: 4]:
            x, half = whole[leads].astype(float), whole.shape[1] // 2
            made = kind(rng, n_leads, x.shape[1] - half, round(fs))
            x[:, half:] = made if kind in EDGES.values() else made * np.exp(rng.uniform(np.log(0.05), 0))
            at = [waves.global_[:, 1, 1] / fs for waves in decoded(network, x, fs)]
            counts += [[(t < half / fs).sum(), (t > half / fs + 0.15).sum()] for t in at]
            number += 1
    (kept, false), (left, still) = counts
    print(f"\nSecond half noise, {number}: beats in the first half {kept} → {left}, in the second {false} → {still}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", help="also real recordings")
    parser.add_argument("--n", type=int, default=525, help="recordings of each kind of noise")
    parser.add_argument("--network", type=Path, metavar="FILE", help="instead of the shipped weights")
    options = parser.parse_args()
    network = WaveNetwork(options.network)
    noise(network, options.n)
    unanswered(network)
    standstill(network)
    if options.data is not None:
        tachycardia(network, options.data / SETS["cinc2021"])
        real(network, options.data)
        beside(network, options.data / SETS["ptbxl"])


if __name__ == "__main__":
    main()
