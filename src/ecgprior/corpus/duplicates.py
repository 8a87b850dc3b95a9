"""The same recording under two names, found whatever its gain, rounding or sampling rate.

Two recordings are one when the first 5 s at 100 Hz correlate by more than 0.999 (the median over the leads that both
have, so one bad lead does not hide it). Comparing all pairs would need the signals; so every record gets a *sketch*
of 64 bytes, and only pairs with near sketches are compared. The sketch needs no signal, hence a checkpoint carries
the sketches of the recordings it was trained on.

The sketch is defined for good in ``FORMAT.md``: every lead is smoothed and differentiated (derivative of a Gaussian
of 12 Hz: no baseline, no mains, the same at every rate), divided by its norm (no gain), and the leads together are
projected onto 64 directions of ±1 that SHAKE-256 of the lead's name gives. By Johnson & Lindenstrauss (1984) the
cosine of two sketches is that of the two recordings, within ± 25 % of its distance from 1. A flat record has no
sketch (all zeros) and is like no other. Cost: 0.1 ms a record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIZE = 64
"""Numbers in a sketch."""
SECONDS = 5
RATE = 100
"""What is compared: the first 5 s, at 100 Hz."""
CORRELATION = 0.999
"""Above it, two signals are one recording."""
LIKENESS = 0.98
"""Cosine above which two sketches are of one recording, where no signal is at hand to ask."""
CANDIDATE = 0.9
"""Cosine above which the signals of two sketches are worth comparing."""
_TILE = 2048
_SKETCH_RATE = 50  # after smoothing at 12 Hz nothing above 25 Hz is left
_SMOOTH_S = 1 / (2 * np.pi * 12)  # a Gaussian that passes 12 Hz at exp(-1/2)
_REACH_S = 0.055  # a little over 4 standard deviations
_MARGIN_S = 0.06  # reach and the largest shift
_SHIFTS_S = (0.0, 0.001, -0.001, 0.002, -0.002, 0.003, -0.003, 0.004, -0.004)
_STILL = 0.005  # of the strongest lead: a lead that changes less does not count
_FAINT = 0.05  # of the strongest lead: weaker ones count less, for they are mostly rounding


def sketch(signal: NDArray[np.float32], fs: float, leads: Sequence[str]) -> NDArray[np.int8]:
    """The sketch of a recording.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
        From the recording's start; NaN = absent.
    fs : float
        Hz; from 100 up the sketch hardly depends on it.
    leads : sequence of str, (L,)

    Returns
    -------
    ndarray, int8, (64,)
        All 0 for a record without any change in it.
    """
    return project(profile(signal, fs)[None], leads)[0]


def profile(signal: NDArray[np.float32], fs: float) -> NDArray[np.float32]:
    """What of a recording is projected: float32 (L * 250,), each lead's slope without its gain; 0 without change."""
    slope = _filtered(signal, fs, _SKETCH_RATE, derivative=True)
    norm = np.sqrt(np.einsum("lt,lt->l", slope, slope))
    largest = norm.max(initial=0.0)
    slope /= (norm + _FAINT * largest)[:, None] if largest > 1e-9 else np.float32(np.inf)
    return slope.reshape(-1)


def project(profiles: NDArray[np.float32], leads: Sequence[str]) -> NDArray[np.int8]:
    """Sketches of many profiles of the same leads, in one matrix product: (N, L * 250) → int8 (N, 64)."""
    value = profiles @ _directions(tuple(leads))
    largest = np.abs(value).max(axis=1, keepdims=True)
    return np.rint(value * (127 / np.where(largest > 0, largest, np.inf))).astype(np.int8)


def correlation(a: NDArray[np.float32], fs_a: float, b: NDArray[np.float32], fs_b: float) -> float:
    """Median over leads of the correlation of the first 5 s at 100 Hz.

    Parameters
    ----------
    a, b : ndarray, float32, (L, T), mV
        The same leads in the same order; NaN = absent.

    Returns
    -------
    float
        The best of shifts up to ± 4 ms, for a publisher's own resampling may move it (PTB-XL's 100 Hz files lie
        1.2 ms off its 500 Hz files). NaN when fewer than half of the leads that change in either change in both.
    """
    x = _filtered(a, fs_a, RATE, derivative=False)
    best = float("nan")
    for shift in _SHIFTS_S:
        best = float(np.fmax(best, _agreement(x, _filtered(b, fs_b, RATE, derivative=False, shift=shift))))
        if best > CORRELATION or not np.isfinite(best):
            break
    return best


def _agreement(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Median correlation over the leads that change in both, NaN when those are too few."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    norm_x, norm_y = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    live_x, live_y = norm_x > _STILL * norm_x.max(), norm_y > _STILL * norm_y.max()
    both = live_x & live_y
    if not both.any() or 2 * both.sum() < max(live_x.sum(), live_y.sum()):
        return float("nan")
    return float(np.median((x * y).sum(axis=1)[both] / (norm_x * norm_y)[both]))


def overlap(a: NDArray[np.int8], b: NDArray[np.int8], likeness: float = LIKENESS) -> NDArray[np.bool_]:
    """Which recordings of `a` are also in `b`, by their sketches.

    Parameters
    ----------
    a, b : ndarray, int8, (N, 64) and (M, 64)

    Returns
    -------
    ndarray, bool, (N,)
    """
    return twins(a, b, likeness) >= 0


def twins(a: NDArray[np.int8], b: NDArray[np.int8], likeness: float = LIKENESS) -> NDArray[np.int64]:
    """For each recording of `a` the row of `b` that is the same recording, −1 where none is: int64 (N,)."""
    found, best = np.full(len(a), -1, np.int64), np.full(len(a), likeness, np.float32)
    live_a, unit_a = _units(a)
    live_b, unit_b = _units(b)
    for i, j, cosine in _tiles(unit_a, unit_b):
        nearest = cosine.argmax(axis=1)
        value = cosine[np.arange(len(cosine)), nearest]
        rows = live_a[i : i + len(cosine)]
        better = value > best[rows]
        found[rows[better]] = live_b[j + nearest[better]]
        best[rows[better]] = value[better]
    return found


def groups(sketches: NDArray[np.int8], likeness: float = LIKENESS) -> NDArray[np.int64]:
    """The first row of the group that a chain of near sketches links each row to: int64 (N,).

    Parameters
    ----------
    sketches : ndarray, int8, (N, 64)
        A row of zeros (a flat record) is a group of its own.
    likeness : float
        Cosine from which two sketches are near; :data:`CANDIDATE` to find what is worth comparing.

    Notes
    -----
    All pairs are looked at, as matrix products: 1 s for 20,000 records on one core, half an hour for 800,000
    (less by as many cores as BLAS may use).
    """
    number = np.arange(len(sketches), dtype=np.int64)
    live, unit = _units(sketches)
    if len(live) < 2:
        return number
    distinct, member = np.unique(
        unit, axis=0, return_inverse=True
    )  # many equal ones would be very many pairs
    pairs = [np.zeros((0, 2), np.int64)]
    for i, j, cosine in _tiles(distinct, distinct, upper=True):
        pairs.append(np.argwhere(cosine > likeness) + (i, j))
    near = np.concatenate(pairs)
    graph = coo_array((np.ones(len(near), bool), (near[:, 0], near[:, 1])), shape=(len(distinct),) * 2)
    _, component = connected_components(graph, directed=False)
    component = component[member.reshape(-1)]
    first = np.full(component.max() + 1, len(sketches), np.int64)
    np.minimum.at(first, component, live)
    number[live] = first[component]
    return number


def _units(sketches: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows that are not all 0, and their directions."""
    values = np.asarray(sketches, np.float32).reshape(-1, SIZE)
    norm = np.linalg.norm(values, axis=1)
    live = np.flatnonzero(norm)
    return live, values[live] / norm[live, None]


def _tiles(
    a: NDArray[np.float32], b: NDArray[np.float32], upper: bool = False
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Cosines of all rows of `a` with all of `b`, tile by tile: first row, first column, values."""
    for i in range(0, len(a), _TILE):
        for j in range(i if upper else 0, len(b), _TILE):
            yield i, j, a[i : i + _TILE] @ b[j : j + _TILE].T


def _filtered(
    signal: NDArray[np.float32], fs: float, rate: int, derivative: bool, shift: float = 0.0
) -> NDArray[np.float32]:
    """The first 5 s at `rate`, smoothed (or its slope): float32 (L, 5 * rate); what is absent or past the end is 0.

    `shift` takes every output that many seconds later.
    """
    kernel, block, width, lead_in = _kernel(float(fs), rate, derivative, shift)
    n_blocks = SECONDS * rate // kernel.shape[1]
    padded = np.zeros((len(signal), (n_blocks - 1) * block + width), np.float32)
    part = signal[:, : min(signal.shape[1], round(SECONDS * fs))]
    level = padded[:, lead_in : lead_in + part.shape[1]]
    np.subtract(part, part[:, :1], out=level)  # from the first sample: a flat lead is exactly 0
    middle = np.add.reduce(level, axis=1, keepdims=True) / np.float32(level.shape[1])
    if np.isfinite(middle).all():
        level -= middle
    else:
        level[:] = _centred(part)
    step = padded.strides[1]
    windows: NDArray[np.float32] = np.ndarray(  # overlapping ones; as_strided does the same, slowly
        (len(signal), n_blocks, width), np.float32, padded, 0, (padded.strides[0], block * step, step)
    )
    return (windows.reshape(-1, width) @ kernel).reshape(len(signal), -1)


def _centred(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each lead less its mean, where samples are missing: those are 0."""
    known = np.isfinite(part)
    lowest = np.where(known, part, np.float32(np.inf)).min(axis=1, keepdims=True)
    level = np.where(known, part - np.where(np.isfinite(lowest), lowest, 0), 0)
    middle = level.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.where(known, level - middle, 0)


@lru_cache(maxsize=64)
def _kernel(
    fs: float, rate: int, derivative: bool, shift: float
) -> tuple[NDArray[np.float32], int, int, int]:
    """Weights (width, out) from `width` input samples to the outputs of one block; block, width, lead-in in samples.

    A block is 0.2 s or 1 s when that is a whole number of samples; any other rate is one block of 5 s.
    """
    seconds = next((s for s in (0.2, 1.0) if (s * fs).is_integer()), float(SECONDS))
    lead_in = int(np.ceil(_MARGIN_S * fs))
    width = int(np.ceil(seconds * fs)) + 2 * lead_in
    lag = (
        np.arange(round(seconds * rate))[None, :] / rate + shift - (np.arange(width)[:, None] - lead_in) / fs
    )
    weight = np.exp(-0.5 * (lag / _SMOOTH_S) ** 2) * (np.abs(lag) <= _REACH_S)
    weight /= weight.sum(axis=0, keepdims=True)
    if derivative:
        weight *= lag / _SMOOTH_S
    return weight.astype(np.float32), round(seconds * fs), width, lead_in


@lru_cache(maxsize=16)
def _directions(leads: tuple[str, ...]) -> NDArray[np.float32]:
    """±1: float32 (L * 250, 64), from SHAKE-256 of ``ecgprior sketch 1 <lead>``, bit by bit, first the highest."""
    count = SECONDS * _SKETCH_RATE * SIZE
    rows = [hashlib.shake_256(f"ecgprior sketch 1 {lead}".encode()).digest(count // 8) for lead in leads]
    bits = np.unpackbits(np.frombuffer(b"".join(rows), np.uint8))
    return (2.0 * bits - 1.0).astype(np.float32).reshape(-1, SIZE)
