"""Waves on paper: where the delineation says, on the trace, and none where it says none."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ecgprior.app.plots.paper import plot_ecg
from ecgprior.record.beats import Delineation
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(drawing: str, kind: str, **said: str) -> list[str]:
    """The ``d`` of paths of a class, with these ``data-`` attributes."""
    return [
        p.get("d")
        for p in ET.fromstring(drawing).iter(f"{SVG}path")
        if p.get("class") == kind and all(p.get(f"data-{k}") == v for k, v in said.items())
    ]


def texts(drawing: str) -> list[str]:
    return [t.text for t in ET.fromstring(drawing).iter(f"{SVG}text")]


def points(d: str) -> list[np.ndarray]:
    """The corners of each stroke."""
    return [
        np.cumsum(np.reshape([float(n) for n in NUMBER.findall(stroke)], (-1, 2)), axis=0)
        for stroke in re.findall(r"M[^M]*", d)
    ]


def one_lead(points_: list, lone: list | None = None, seconds: float = 4.0, fs: float = 100.0):
    """A straight line in lead II, and a delineation of it."""
    n = round(seconds * fs)
    marks = np.array(points_, float)
    record = Record(signal=np.linspace(0, 1, n)[None], fs=fs, leads=["II"])
    lone_p = None if lone is None else np.array([lone, lone], float)
    return record, Delineation(("II",), marks[None], marks, lone_p)


NAN = float("nan")
BEAT = [[100, 105, 112], [120, 125, 130.5], [150, 160, 180]]


def test_a_stroke_runs_from_onset_to_offset_along_the_trace():
    record, waves = one_lead([BEAT])
    drawing = plot_ecg(record, waves=waves)
    trace = points(drawn(drawing, "ecg-trace")[0])[0]
    for wave, (onset, _, offset) in zip(("P", "QRS", "T"), BEAT):
        (stroke,) = points(drawn(drawing, "ecg-wave", wave=wave, lead="II")[0])
        assert stroke[[0, -1], 0] == pytest.approx([10 + onset / 100 * 25, 10 + offset / 100 * 25], abs=0.02)
        np.testing.assert_allclose(stroke[:, 1], np.interp(stroke[:, 0], *trace.T), atol=0.03)
        ticks = points_x(drawn(drawing, "ecg-tick", wave=wave, lead="II")[0])
        assert ticks == pytest.approx([10 + onset / 4, 10 + offset / 4], abs=0.02)


def points_x(d: str) -> list[float]:
    return [float(m) for m in re.findall(r"M(-?[\d.]+)", d)]


def test_absent_waves_are_not_drawn_and_an_unknown_boundary_has_no_tick():
    record, waves = one_lead([[[NAN] * 3, [120, 125, 130], [150, 160, NAN]]])
    drawing = plot_ecg(record, waves=waves)
    assert not drawn(drawing, "ecg-wave", wave="P", lead="II") and not drawn(drawing, "ecg-lane", wave="P")
    assert len(points_x(drawn(drawing, "ecg-tick", wave="T")[0])) == 1
    (stroke,) = points(drawn(drawing, "ecg-wave", wave="T", lead="II")[0])
    assert stroke[-1, 0] == pytest.approx(10 + 160 / 4)
    nothing = Delineation(("II",), np.empty((1, 0, 3, 3)), np.empty((0, 3, 3)))
    empty = plot_ecg(record, waves=nothing)
    assert not drawn(empty, "ecg-tick") and not drawn(empty, "ecg-wave")  # no legend either
    assert "no beats found" in texts(empty) and "no beats found" not in texts(drawing)


def test_a_lone_p_is_a_p():
    record, waves = one_lead([BEAT], lone=[[220, 225, 232]])
    drawing = plot_ecg(record, waves=waves)
    assert len(points(drawn(drawing, "ecg-wave", wave="P", lead="II")[0])) == 2
    assert drawn(drawing, "ecg-lane", wave="P")[0].count("M") == 2


def test_each_panel_shows_its_own_stretch_and_the_lane_all_of_it():
    ecg = next(simulate(1, seed=5, causes=["NORM"]))
    drawing = plot_ecg(ecg.record, waves=ecg.delineation)
    n_beats = len(ecg.delineation)
    for lead in set(LEADS) - {"II"}:
        (panel,) = drawn(drawing, "ecg-wave", wave="QRS", lead=lead)
        assert 1 <= len(points(panel)) <= n_beats / 4 + 2
    strip = drawn(drawing, "ecg-wave", wave="QRS", lead="II")[-1]
    assert len(points(strip)) == n_beats == drawn(drawing, "ecg-lane", wave="QRS")[0].count("M")
    said = texts(drawing)
    assert said.count("QRS") == 2 and said.count("leads") == 1  # once in the legend, once in the lane


@pytest.mark.parametrize("beat", [BEAT, [[100, 102, 104], [105, 108, 110], [112, 114, 118]]])
def test_letters_in_the_lane_do_not_touch(beat):
    record, waves = one_lead([beat])
    letters = [
        t
        for t in ET.fromstring(plot_ecg(record, waves=waves)).iter(f"{SVG}text")
        if t.get("font-weight") == "600"
    ]
    at = {
        t.text: (float(t.get("x")), float(t.get("font-size"))) for t in letters if t.text in ("P", "QRS", "T")
    }
    assert list(at) == ["P", "QRS", "T"]
    for (wave, (x, size)), (after, _) in zip(at.items(), list(at.values())[1:]):
        assert x + 0.73 * size * len(wave) + 0.4 < after  # a bold capital is at most that wide on the average


def test_gaps_and_leads_that_were_not_delineated_are_drawn_as_ever():
    record, waves = one_lead([BEAT])
    signal = np.vstack([record.signal, record.signal])
    signal[0, 102:108] = np.nan
    drawing = plot_ecg(Record(signal=signal, fs=100, leads=["II", "V1"]), waves=waves)
    assert drawn(drawing, "ecg-trace", lead="V1") and not drawn(drawing, "ecg-wave", lead="V1")
    assert len(points(drawn(drawing, "ecg-wave", wave="P", lead="II")[0])) == 2  # before and after the gap
    flat = plot_ecg(Record(signal=np.full((1, 400), np.nan), fs=100, leads=["II"]), waves=waves)
    assert not drawn(flat, "ecg-tick")
    one_sample = plot_ecg(Record(signal=[[1.0]], fs=100, leads=["II"]), waves=waves)
    assert "ecg-trace" in one_sample


def test_without_waves_the_paper_is_what_it_was():
    record, waves = one_lead([BEAT])
    plain = plot_ecg(record)
    assert 'viewBox="0 -9 ' in plain and "ecg-wave" not in plain
    noted = plot_ecg(record, note="72/min · PR 160 ms")
    assert "72/min · PR 160 ms" in noted and 'viewBox="0 -14 140 ' in noted
    both = plot_ecg(record, note="72/min · PR 160 ms", waves=waves)
    assert 'viewBox="0 -14 165 ' in both  # beside the legend there is room for a long note
