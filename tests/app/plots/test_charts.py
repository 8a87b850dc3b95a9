"""Charts: what is drawn lies where its number says."""

import re
import xml.etree.ElementTree as ET

import pytest

from ecgprior.app.plots.charts import curve_chart, forest, label_bars, ticks
from ecgprior.app.report.content import Arm, Curve, CurveChart, Interval, LabelScore, TaskRow

ARMS = tuple(Arm(name, name.title()) for name in ("random", "supervised", "simclr"))
NAN = float("nan")


def elements(svg: str, kind: str) -> list[ET.Element]:
    return [e for e in ET.fromstring(svg).iter() if kind in (e.get("class") or "").split()]


def x_of(svg: str, value: float) -> float:
    """Where an axis value lies, from the chart's own tick lines and their texts."""
    root = ET.fromstring(svg)
    known = {}
    for tick in root.iter():
        if tick.get("class") in ("tick", "chance"):
            x = float(re.match(r"M([\d.]+)", tick.get("d")).group(1))
            text = next(
                t for t in root.iter("text") if t.get("x") == f"{x:.1f}" and t.get("text-anchor") == "middle"
            )
            known[float(text.text)] = x
    (a, xa), (b, xb) = sorted(known.items())[0], sorted(known.items())[-1]
    return xa + (value - a) / (b - a) * (xb - xa)


def test_ticks_cover_the_range_with_round_numbers():
    assert ticks(0.5, 1.0, 6) == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert ticks(3.0, 3.0) and len(ticks(-5, 12345, 4)) <= 8


def test_forest_marks_and_whiskers_lie_at_their_values():
    scores = {a.name: Interval(v, v - 0.05, v + 0.05) for a, v in zip(ARMS, (0.6, 0.7, 0.8))}
    svg = forest([TaskRow("t", "Task", 10, 2, scores)], ARMS, "AUROC")
    for i, value in enumerate((0.6, 0.7, 0.8)):
        (whisker,) = [e for e in elements(svg, "whisker") if f"arm-{i}" in e.get("class")]
        low, high = map(float, re.match(r"M([\d.]+) [\d.]+H([\d.]+)", whisker.get("d")).groups())
        assert low == pytest.approx(x_of(svg, value - 0.05), abs=0.2)
        assert high == pytest.approx(x_of(svg, value + 0.05), abs=0.2)


def test_bars_begin_at_chance_in_both_directions():
    labels = [LabelScore("t", "A", 5, 50, {"random": Interval(0.4), "simclr": Interval(0.9)})]
    svg = label_bars(labels, ARMS, "AUROC")
    below, above = elements(svg, "bar")
    chance = x_of(svg, 0.5)
    assert float(below.get("x")) + float(below.get("width")) == pytest.approx(chance, abs=0.2)
    assert float(above.get("x")) == pytest.approx(chance, abs=0.2)
    assert "Simclr 0.900" in svg and "5 of 50" in svg


def test_a_score_of_every_arm_missing_draws_no_bar():
    svg = label_bars([LabelScore("t", "A", 0, 50, {})], ARMS, "AUROC")
    assert elements(svg, "bar") == []


def test_curves_skip_what_is_not_finite_and_stay_inside():
    points = tuple((float(i), NAN if i == 3 else 5.0 - i) for i in range(6))
    svg = curve_chart(CurveChart("SimCLR", "loss", (Curve("simclr", "seed 0", points),)), ARMS)
    (line,) = elements(svg, "line")
    numbers = re.findall(r"[\d.]+", line.get("d"))
    assert len(numbers) == 2 * 5 and "arm-2" in line.get("class")
    width, height = map(float, ET.fromstring(svg).get("viewBox").split()[2:])
    assert all(0 <= float(n) <= max(width, height) for n in numbers)


def test_curves_of_nothing_draw_nothing():
    assert curve_chart(CurveChart("x", "loss", (Curve("simclr", "0", ((0.0, NAN),)),)), ARMS) == ""
    assert curve_chart(CurveChart("x", "loss", (Curve("simclr", "0", ((5.0, 1.0),)),)), ARMS)


def test_names_are_escaped_and_long_ones_shortened():
    name = "left <b> & " + "x" * 60
    svg = label_bars([LabelScore("t", name, 1, 2, {"random": Interval(0.6)})], ARMS, "AUROC")
    assert "<b>" not in svg and "…" in svg
    ET.fromstring(svg)
