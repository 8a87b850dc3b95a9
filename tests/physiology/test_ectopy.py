"""Usual and ventricular beats: against simulated truth, on hand-made rhythms, and on signals that say nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.physiology.ectopy import beat_kinds, compare_beats, unusual
from ecgprior.physiology.features.ragged import Ragged
from ecgprior.simulator.simulate import simulate


def kinds(ecg):
    g = ecg.delineation.global_
    found = beat_kinds(
        ecg.record.signal, ecg.record.fs, ecg.beats.sample.astype(float), g[:, 1, 0], g[:, 1, 2]
    )
    return np.array(found) == "V", np.array(ecg.beats.kind) == "V"


def trace(shapes, at, n=4000):
    """One lead at 250 Hz: a narrow upright (n) or a broad inverted QRS (v) at each place."""
    time = np.arange(n)
    signal = np.zeros(n)
    for shape, r in zip(shapes, at):
        signal += (
            np.exp(-0.5 * ((time - r) / 3) ** 2) if shape == "n" else -np.exp(-0.5 * ((time - r) / 9) ** 2)
        )
    width = np.array([20 if shape == "n" else 40 for shape in shapes])
    at = np.asarray(at, float)
    return signal[None].astype(np.float32), at, at - width / 2, at + width / 2


@pytest.mark.parametrize("causes", [["PVC"], ["AF"], ["RBBB"], ["LBBB"], ["NORM"]])
def test_simulated_beats_are_told_apart(causes):
    found, true = map(np.concatenate, zip(*map(kinds, simulate(40, seed=31, causes=causes))))
    assert (found & ~true).sum() <= 0.005 * len(true)
    assert (~found & true).sum() <= 0.02 * max(true.sum(), 1)


def test_premature_and_other_is_v_and_only_that():
    at = [200, 400, 600, 740, 1000, 1200]
    signal, r, on, off = trace("nnnvnn", at)
    assert beat_kinds(signal, 250, r, on, off) == ("N", "N", "N", "V", "N", "N")
    signal, r, on, off = trace("nnnnnn", at)  # early, but of the usual shape: this is not told from sinus
    assert beat_kinds(signal, 250, r, on, off) == ("N",) * 6


def test_an_escape_beat_is_v_without_being_early():
    signal, r, on, off = trace("nnnvnn", [200, 400, 600, 950, 1150, 1350])
    assert beat_kinds(signal, 250, r, on, off)[3] == "V"


def test_in_bigeminy_the_narrow_beats_are_the_usual_ones():
    at = np.cumsum([200] + [130, 270] * 4)
    signal, r, on, off = trace("nvnvnvnvn", at)
    assert beat_kinds(signal, 250, r, on, off) == tuple("NVNVNVNVN")


def test_wide_beats_throughout_are_usual():
    signal, r, on, off = trace("vvvvv", [200, 400, 600, 800, 1000])
    assert beat_kinds(signal, 250, r, on, off) == ("N",) * 5


def test_without_widths_time_and_shape_decide():
    signal, r, _, _ = trace("nnnvnn", [200, 400, 600, 740, 1000, 1200])
    assert beat_kinds(signal, 250, r)[3] == "V"


def test_fits_are_found_within_24_ms():
    signal, r, _, _ = trace("nnnnn", [200, 400, 600, 800, 1000])
    shapes = compare_beats(signal, 250, r + np.array([0, 3, -2, 0, 1]))
    assert np.ptp(shapes.at - r) <= 1
    np.testing.assert_allclose(shapes.correlation, 1, atol=0.01)
    np.testing.assert_allclose(shapes.size, 1, atol=0.05)


def test_several_records_at_once_are_as_one_by_one():
    ats = [[200, 400, 600, 740, 1000, 1200], [], [300, 500], [200, 400, 600, 800, 1000]]
    parts = [trace(s, at) for s, at in zip(["nnnvnn", "", "nv", "vvvvv"], ats)]
    signal = np.concatenate([p[0] for p in parts], axis=1)
    r, on, off = (np.concatenate([p[k] for p in parts]) for k in (1, 2, 3))
    records = Ragged(np.repeat(np.arange(4), [len(at) for at in ats]), 4)
    width = (off - on) / 250
    shapes = compare_beats(signal, 250, r, width, records)
    alone = [compare_beats(p[0], 250, p[1], (p[3] - p[2]) / 250) for p in parts]
    for together, single in zip(shapes, zip(*alone)):
        np.testing.assert_allclose(together, np.concatenate(single), rtol=1e-5)
    found = np.where(unusual(r, width, shapes, records), "V", "N")
    assert tuple(found) == sum((beat_kinds(p[0], 250, *p[1:]) for p in parts), ())
    assert (found == "V").sum() == 1


def test_thousands_of_beats_are_compared_in_blocks():
    at = 100 + 200 * np.arange(25)
    at[20] -= 70
    signal, r, _, _ = trace("n" * 20 + "v" + "n" * 4, at, n=5000)
    long = np.tile(signal, (1, 120))
    r = (np.arange(120)[:, None] * 5000 + r).ravel()
    found = np.array(beat_kinds(long, 250, r))
    assert (np.flatnonzero(found == "V") == 20 + 25 * np.arange(120)).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_beats=st.integers(0, 12),
    n_samples=st.integers(1, 600),
    fs=st.sampled_from([0.5, 100.0, 360.0, 1000.0]),
    scale=st.sampled_from([0.0, 1.0, 1e30, np.nan, np.inf]),
)
def test_nothing_raises(seed, n_beats, n_samples, fs, scale):
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        signal = (rng.normal(size=(2, n_samples)) * scale).astype(np.float32)
    r = np.sort(rng.uniform(0, n_samples, n_beats))
    on, off = r - rng.uniform(0, 40, n_beats), r + rng.uniform(0, 40, n_beats)
    off[rng.random(n_beats) < 0.3] = np.nan
    found = beat_kinds(signal, fs, r, on, off)
    assert len(found) == n_beats and set(found) <= {"N", "V"}
