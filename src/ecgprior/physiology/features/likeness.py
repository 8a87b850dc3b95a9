"""How alike the beats of a record are: the correlation of each with the next.

**Source**: the PhysioCLR feature vector (correlation of adjacent beats); stretches that are never padded are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cuts import cut

if TYPE_CHECKING:
    from .measured import Measured

Array = NDArray[np.float64]
_BEFORE_S, _AFTER_S, _HZ = 0.20, 0.40, 125.0
_BEATS = 1024  # beats compared at a time


def adjacent_correlation(m: Measured) -> Array:
    """Correlation of each usual beat with the next one, when that is usual: float64, (1 + L, pairs).

    Stretches of −200 … +400 ms about R, shorter when beats come faster (¼ and ½ of the median RR), never padded:
    a beat that is cut by the record's end is left out. Row 0: all leads together, each less its mean.
    """
    rr_s = np.median(m.beats.rr_ms) / 1000 if m.n_beats > 1 else 1.0
    step = max(1, round(m.fs / _HZ))
    before, after = min(_BEFORE_S, 0.25 * rr_s), min(_AFTER_S, 0.5 * rr_s)
    steps = lambda seconds: max(2, round(seconds * m.fs / step))  # noqa: E731
    grid = step * np.arange(-steps(before), steps(after) + 1)
    pairs = np.flatnonzero(m.usual[:-1] & m.usual[1:])
    out = np.full((1 + m.n_leads, len(pairs)), np.nan)
    at = m.beats.shapes.at.astype(np.float64)
    for low in range(0, len(pairs), _BEATS):
        k = pairs[low : low + _BEATS]
        stretch = np.arange(k[0], k[-1] + 2)
        x = cut(m.signal, at[stretch], grid)
        x = x - x.mean(axis=2, keepdims=True)
        one, two = x[:, k - k[0]], x[:, k - k[0] + 1]
        dots = np.stack([(one * two).sum(2), np.square(one).sum(2), np.square(two).sum(2)])
        together = np.nansum(dots, axis=1, keepdims=True)
        dots = np.concatenate([together, dots], axis=1)
        size = np.sqrt(dots[1] * dots[2])
        good = size > 1e-6
        out[:, low : low + _BEATS] = np.where(good, dots[0] / np.where(good, size, 1), np.nan)
    return np.clip(out, -1, 1)
