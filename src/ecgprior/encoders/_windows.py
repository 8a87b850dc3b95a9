"""Records to windows and back: cut, stack, and average by valid length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordTooShort


class Window(NamedTuple):
    """A stretch of a preprocessed record.

    Attributes
    ----------
    owner : int
        Number of the record in the stream.
    signal : ndarray, float32, (L, n)
    lead_mask : ndarray, bool, (L,)
    """

    owner: int
    signal: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]


def cut(n_samples: int, size: int, shortest: int = 1) -> list[tuple[int, int]]:
    """Start and stop of non-overlapping windows; a rest is kept when it is at least half a window.

    Parameters
    ----------
    n_samples, size : int
        Of the record and of a full window.
    shortest : int
        The fewest samples a window may have.

    Raises
    ------
    RecordTooShort
        The record has fewer samples than `shortest`.

    Examples
    --------
    >>> cut(1200, 1000), cut(1500, 1000), cut(730, 1000)
    ([(0, 1000)], [(0, 1000), (1000, 1500)], [(0, 730)])
    """
    if n_samples < shortest:
        raise RecordTooShort(f"record: expected at least {shortest} samples after resampling, got {n_samples}")
    spans = [(start, start + size) for start in range(0, n_samples - size + 1, size)]
    rest = n_samples - len(spans) * size
    if not spans or (2 * rest >= size and rest >= shortest):
        spans.append((n_samples - rest, n_samples))
    return spans


def stack(
    windows: Sequence[Window],
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Signal (B, L, T), lead mask (B, L) and valid mask (B, T), T the longest window."""
    lengths = np.array([window.signal.shape[1] for window in windows])
    signal = np.zeros((len(windows), windows[0].signal.shape[0], lengths.max()), np.float32)
    for row, window in enumerate(windows):
        signal[row, :, : lengths[row]] = window.signal
    valid = np.arange(lengths.max()) < lengths[:, None]
    return signal, np.stack([window.lead_mask for window in windows]), valid


def batches(windows: Sequence[Window], size: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of the windows that go through the encoder together: equal lengths side by side, longest first."""
    order = np.argsort([-window.signal.shape[1] for window in windows], kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def average(windows: Sequence[Window], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over each record's windows weighted by length: (W, D) → (number of records, D), in stream order."""
    owners = np.array([window.owner for window in windows])
    weights = np.array([window.signal.shape[1] for window in windows], np.float64)
    firsts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
    totals = np.add.reduceat(values * weights[:, None], firsts, axis=0)
    return (totals / np.add.reduceat(weights, firsts)[:, None]).astype(np.float32)
