"""Paths: exact where points are kept, within tolerance where they are not, never across a gap."""

import re

import numpy as np
import pytest

from ecgprior.app.plots.trace import finite_runs, path, thin


def points(d: str) -> list[np.ndarray]:
    """Read a path back: one (N, 2) array a stroke; written apart from the code under test."""
    strokes = []
    for stroke in re.findall(r"M[^M]*", d):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", stroke)]
        if stroke.endswith("h0"):
            numbers = numbers[:2]
        strokes.append(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0))
    return strokes


def test_finite_runs_of_nothing_and_of_all():
    assert finite_runs(np.full(3, np.nan)) == []
    assert finite_runs(np.zeros(3)) == [(0, 3)]
    assert finite_runs(np.array([np.inf, 0.0, -np.inf, 0.0])) == [(1, 2), (3, 4)]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 17, 5000])
@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.5])
def test_thinning_stays_within_its_tolerance_and_keeps_the_ends(n, tolerance):
    random = np.random.default_rng(3)
    x, y = np.arange(n) * 0.05, np.cumsum(random.normal(size=n)) * 0.05
    px, py = thin(x, y, tolerance)
    assert px[0] == x[0] and px[-1] == x[-1] and py[-1] == y[-1]
    assert np.max(np.abs(np.interp(x, px, py) - y)) <= tolerance + 1e-12


def test_a_straight_line_needs_few_points():
    x = np.arange(1000) * 0.05
    assert len(thin(x, 0.3 * x, 0.02)[0]) < 100


def test_path_reads_back():
    x = np.arange(500) * 0.05
    y = 10 * np.sin(x)
    (stroke,) = points(path(x, y))
    assert np.max(np.abs(np.interp(x, *stroke.T) - y)) < 0.035  # 0.02 thinning, 0.01 rounding
    assert stroke[-1] == pytest.approx([x[-1], y[-1]], abs=0.006)  # rounding does not add up


def test_gaps_lift_the_pen():
    y = np.zeros(100)
    y[20:30] = np.nan
    strokes = points(path(np.arange(100.0), y))
    assert [(s[0, 0], s[-1, 0]) for s in strokes] == [(0, 19), (30, 99)]
    assert path(np.arange(3.0), np.full(3, np.nan)) == ""
