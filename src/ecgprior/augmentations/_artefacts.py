"""Artefacts: what is recorded where no heart made it – muscle, moving electrodes, a pacemaker that nothing answers.

Four kinds, with parameters so wide that a network cannot learn them by heart:

- ``band``: noise between two random edges, 0.3 to 60 Hz, that falls with frequency by a random slope;
- ``bursts``: noise of muscle that comes and goes at random, with hard or soft ends;
- ``steps``: shifts of the level, that stay or that a high-pass brings back;
- ``spikes``: of a pacemaker, at times in both chambers, at times with the tail of a polarised electrode.

Steps and spikes come at random, or as regularly as a heart; they are low-passed or not, over a little noise. Every
other window's noise mixes fewer sources than it has leads. What a heart may look like is left out: narrow bands (a
ventricular tachycardia) and short bursts as regular as beats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ..batch import Batch, BatchRandom
from ._waves import add, seconds

Kind = Literal["band", "bursts", "steps", "spikes"]
KINDS: tuple[Kind, ...] = ("band", "bursts", "steps", "spikes")
LOW_MV, HIGH_MV = 0.03, 3.0
_EVENTS = 28  # at most, in a window


def add_artefact(
    batch: Batch, rng: BatchRandom, kinds: Sequence[Kind] = KINDS, low_mv: float = LOW_MV, high_mv: float = HIGH_MV
) -> Batch:
    """Add an artefact of one of `kinds`, drawn for each window, of a size between `low_mv` and `high_mv`.

    Absent leads and padding stay 0; what the waves are does not change.
    """
    time, n_leads = seconds(batch), batch.signal.shape[1]
    kind = rng.integers("kind", 0, len(kinds), 1, 1)
    x = torch.zeros_like(batch.signal)
    for number, name in enumerate(kinds):
        x = torch.where(kind == number, _MAKERS[name](rng.split(name), time, n_leads), x)
    return add(batch, x * _between(rng, "level", low_mv, high_mv, 1, 1))


def band(rng: BatchRandom, time: Tensor, n_leads: int) -> Tensor:
    """Noise between two edges, (B, L, T), of standard deviation 1.

    They are a factor of 2.5 apart or more: a narrow band looks like a ventricular tachycardia.
    """
    edges = _between(rng, "edge", 0.3, 60.0, 1, 2).sort(dim=2).values
    low, high = edges[:, :, :1], torch.maximum(edges[:, :, 1:], 2.5 * edges[:, :, :1])
    return _noise(rng, time, n_leads, low, high, (2.5 * rng.uniform("slope", 1, 1) - 0.5).clamp(min=0))


def bursts(rng: BatchRandom, time: Tensor, n_leads: int) -> Tensor:
    """Muscle, from 15–40 Hz up to 50 Hz or more, in bursts of 0.03–1.7 s, not regular, that all leads share.

    (B, L, T) of `time` (T,), s; without a unit: noise of standard deviation 0.4–1.5 where a burst is loudest, over 0.01–0.2
    everywhere.
    """
    low, high = _between(rng, "low", 15.0, 40.0, 1, 1), _between(rng, "high", 50.0, 200.0, 1, 1)
    since, there = _events(rng, time, regular=0.0)
    base = _between(rng, "last", 0.05, 1.0, 1, 1)
    place = since / (base * _between(rng, "own", 0.6, 1.7, _EVENTS, 1))  # 0 to 1 in a burst
    soft = torch.sin(torch.pi * place.clamp(0, 1)).square()
    shape = torch.where(rng.chance("soft", 0.5, 1, 1), soft, ((place >= 0) & (place < 1)).float())
    height = 0.4 + 1.1 * rng.uniform("height", _EVENTS, 1)
    loud = (shape * height * there).amax(1, keepdim=True)
    quiet = _between(rng, "quiet", 0.01, 0.2, 1, 1)
    return _noise(rng, time, n_leads, low, high, torch.zeros_like(low)) * (loud + quiet)


def steps(rng: BatchRandom, time: Tensor, n_leads: int) -> Tensor:
    """Shifts, in each lead of another height; time constant 0.04–30 s, in every other window one a shift.

    (B, L, T) of `time` (T,), s; without a unit: the heights of the shifts have standard deviation 1.
    """
    since, there = _events(rng, time)
    tau = _between(rng, "tau", 0.05, 30.0, 1, 1)
    tau = torch.where(rng.chance("own", 0.5, 1, 1), _between(rng, "tau of each", 0.04, 1.0, _EVENTS, 1), tau)
    shape = torch.exp(-since.clamp(min=0) / tau) * (since >= 0) * there
    heights = rng.normal("height", n_leads, _EVENTS)
    return _over_noise(rng, time, _low_passed(rng, time, heights @ shape))


def spikes(rng: BatchRandom, time: Tensor, n_leads: int) -> Tensor:
    """Spikes of one or two samples, alike all window long; 30 % in both chambers, 60 % with an exponential tail.

    (B, L, T) of `time` (T,), s; without a unit: in each lead 0.3–1 high, up or down, before the low-pass.
    """
    since, there = _events(rng, time)
    after = _between(rng, "chambers", 0.08, 0.25, 1, 1)
    both = rng.chance("both", 0.3, 1, 1)
    x = _spike(rng, time, since, there) + _spike(rng, time, since - after, there & both)
    heights = (0.3 + 0.7 * rng.uniform("height", n_leads, 1)) * rng.normal("sign", n_leads, 1).sign()
    return _over_noise(rng, time, _low_passed(rng, time, heights @ x))


_MAKERS = {"band": band, "bursts": bursts, "steps": steps, "spikes": spikes}


def _spike(rng: BatchRandom, time: Tensor, since: Tensor, there: Tensor) -> Tensor:
    """(B, 1, T): a narrow triangle at each event that is `there`, and its tail."""
    sample = time[1] - time[0]
    peak = (1 - (since / (sample * (1 + rng.uniform("width", 1, 1)))).abs()).clamp(min=0)
    part = (0.5 * rng.uniform("part", 1, 1) - 0.2).clamp(min=0) * rng.normal("tail", 1, 1).sign()
    tail = torch.exp(-since.clamp(min=0) / _between(rng, "tau", 0.004, 0.1, 1, 1)) * (since > sample)
    return ((peak + part * tail) * there).sum(1, keepdim=True)


def _events(rng: BatchRandom, time: Tensor, regular: float = 0.5) -> tuple[Tensor, Tensor]:
    """Time since each event, (B, K, T), s, and which there are, bool (B, K, 1): at random, or 30–170 a minute."""
    period = _between(rng, "period", 0.35, 2.0, 1)
    jitter = 0.1 * rng.uniform("jitter", 1) * rng.normal("late", _EVENTS)
    count = torch.arange(_EVENTS, device=time.device)
    evenly = period * (count + rng.uniform("first", 1) + jitter)
    random = rng.uniform("when", _EVENTS) * time[-1]
    chosen = rng.chance("regular", regular, 1)
    at = torch.where(chosen, evenly, random)
    there = chosen | (count < rng.integers("count", 1, _EVENTS + 1, 1))
    return time - at[:, :, None], there[:, :, None]


def _noise(rng: BatchRandom, time: Tensor, n_leads: int, low: Tensor, high: Tensor, slope: Tensor) -> Tensor:
    """(B, L, T) of standard deviation 1, amplitude f ** −`slope` from `low` to `high`, (B, 1, 1), Hz; leads mixed or not."""
    n = len(time)
    own = rng.normal("noise", n_leads, n)
    sources = rng.integers("sources", 1, max(2, n_leads // 2 + 1), 1, 1)
    used = torch.arange(n_leads, device=time.device) < sources
    mixed = (rng.normal("mix", n_leads, n_leads) * used) @ own / sources.sqrt() + 0.1 * own
    own = torch.where(rng.chance("mixed", 0.5, 1, 1), mixed, own)
    hz = torch.fft.rfftfreq(n, float(time[1] - time[0]), device=time.device)
    weight = torch.where((hz >= low) & (hz <= high), hz.clamp(min=0.3) ** -slope, 0.0)
    x = torch.fft.irfft(torch.fft.rfft(own) * weight, n=n)
    return x / x.square().mean((1, 2), keepdim=True).sqrt().clamp(min=1e-9)


def _over_noise(rng: BatchRandom, time: Tensor, x: Tensor) -> Tensor:
    """`x` over noise of all frequencies, of 0.001–0.05."""
    zero = torch.zeros(len(x), 1, 1, device=x.device)
    noise = _noise(rng, time, x.shape[1], zero, zero + math.inf, rng.chance("pink", 0.5, 1, 1) * 0.5)
    return x + _between(rng, "beneath", 0.001, 0.05, 1, 1) * noise


def _low_passed(rng: BatchRandom, time: Tensor, x: Tensor) -> Tensor:
    """As recorders do: a second-order Butterworth filter at 35–150 Hz, with or without its delay; a third not at all."""
    n = len(time)
    hz = torch.fft.rfftfreq(2 * n, float(time[1] - time[0]), device=time.device)
    s = 1j * hz / _between(rng, "corner", 35.0, 150.0, 1, 1)
    gain = 1 / (s * s + math.sqrt(2) * s + 1)
    gain = torch.where(rng.chance("delay", 0.5, 1, 1), gain, gain.abs().to(gain.dtype))
    mirrored = torch.cat([x, x.flip(2)], 2)  # so that no edge is made where the window ends
    filtered = torch.fft.irfft(torch.fft.rfft(mirrored) * gain, n=2 * n)[:, :, :n]
    return torch.where(rng.chance("filtered", 0.67, 1, 1), filtered, x)


def _between(rng: BatchRandom, purpose: str, low: float, high: float, *shape: int) -> Tensor:
    """Evenly on a logarithmic scale."""
    return low * (high / low) ** rng.uniform(purpose, *shape)
