"""From samples to the path of an SVG: gaps stay gaps, points that no eye can see are left out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_PASSES = 4


def finite_runs(values: NDArray[np.floating]) -> list[tuple[int, int]]:
    """Where the finite stretches of a trace lie: (first, one past last) of each.

    >>> finite_runs(np.array([1.0, 2.0, np.nan, 3.0]))
    [(0, 2), (3, 4)]
    """
    there = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def thin(
    x: NDArray[np.float64], y: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leave out points that lie on the straight line between their neighbours.

    Every kept point is exact, and the drawn line passes every left-out one within `tolerance`; the first
    and the last point always stay.

    Parameters
    ----------
    x, y : ndarray, float64, (N,)
        Points in drawing units, `x` increasing, no NaN.
    tolerance : float
        Largest vertical distance, in drawing units.
    """
    kept = np.arange(len(x))
    for _ in range(_PASSES):  # deviations of the passes add up, so each may use its share of the tolerance
        px, py = x[kept], y[kept]
        left, middle, right = slice(0, -2, 2), slice(1, -1, 2), slice(2, None, 2)
        share = (px[middle] - px[left]) / (px[right] - px[left])
        away = np.abs(py[middle] - (py[left] + share * (py[right] - py[left])))
        gone = np.zeros(len(kept), bool)
        gone[middle] = away <= tolerance / _PASSES
        kept = kept[~gone]
    return x[kept], y[kept]


def path(x: NDArray[np.float64], y: NDArray[np.float64], tolerance: float = 0.02) -> str:
    """The ``d`` of an SVG path through the finite points; a NaN lifts the pen.

    Parameters
    ----------
    x, y : ndarray, float64, (N,)
        Points in drawing units (millimetres on ECG paper); NaN or infinite `y` = not recorded.
    tolerance : float
        How far the drawn line may pass a left-out sample: 0.02 mm is 2 µV on ECG paper.

    Examples
    --------
    >>> path(np.arange(4.0), np.array([0.0, 1.0, np.nan, 2.0]))
    'M0 0l1 1M3 2h0'
    """
    pieces: list[str] = []
    for first, stop in finite_runs(y):
        px, py = thin(x[first:stop], y[first:stop], tolerance)
        qx, qy = np.rint(px * 100).astype(int), np.rint(py * 100).astype(int)
        pieces.append(f"M{number(qx[0])} {number(qy[0])}")
        if len(qx) == 1:
            pieces.append("h0")  # one sample alone: a dot, through the round line cap
            continue
        steps = [f"{number(b[0] - a[0])} {number(b[1] - a[1])}" for a, b in pairwise(zip(qx, qy))]
        pieces.append("l" + " ".join(steps).replace(" -", "-"))
    return "".join(pieces)


def number(hundredths: int) -> str:
    """A count of hundredths as the shortest decimal.

    >>> number(5), number(-150), number(0)
    ('.05', '-1.5', '0')
    """
    sign, value = ("-", -int(hundredths)) if hundredths < 0 else ("", int(hundredths))
    whole, part = divmod(value, 100)
    decimals = f".{part:02d}".rstrip("0") if part else ""
    return sign + (str(whole) if whole or not decimals else "") + decimals
