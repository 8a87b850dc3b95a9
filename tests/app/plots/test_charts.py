"""Charts: what is drawn lies where its number says."""

import re
import xml.etree.ElementTree as ET

import pytest

from ecgprior.app.plots.charts import curve_chart, forest, label_marks, ticks
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


def label(positives=12, **scores):
    return LabelScore("t", "A", positives, 50, {a: Interval(v, v - 0.05, v) for a, v in scores.items()})


def marks(svg):
    """(arm, x) of the marks in the axes: those at the right, beside the figure, have no transform."""
    found = [e for e in elements(svg, "mark") if e.get("transform")]
    return [
        (e.get("class").split()[1], float(re.search(r"\(([\d.]+)", e.get("transform"))[1])) for e in found
    ]


def named(svg):
    """Marks and texts at the right of a chart of labels."""
    texts = [e.text for e in elements(svg, "figure")]
    return texts, [e.get("class").split()[1] for e in elements(svg, "mark") if not e.get("transform")]


def test_marks_of_labels_lie_at_their_values_below_chance_too():
    svg = label_marks([label(random=0.4, simclr=0.9)], ARMS, "AUROC")
    assert marks(svg) == [
        ("arm-0", pytest.approx(x_of(svg, 0.4), abs=0.2)),
        ("arm-2", pytest.approx(x_of(svg, 0.9), abs=0.2)),
    ]
    assert len(elements(svg, "whisker")) == 2 and "12 of 50" in svg
    assert named(svg) == (["0.900", "Simclr"], ["arm-2"])


@pytest.mark.parametrize(
    ("scores", "who"),
    [
        ({"random": 0.9996, "supervised": 1.0, "simclr": 0.95}, ["arm-0", "arm-1"]),
        ({"random": 1.0, "supervised": 1.0, "simclr": 1.0}, ["arm-0", "arm-1", "arm-2"]),
    ],
)
def test_all_arms_that_share_the_printed_figure_are_marked_and_none_is_named(scores, who):
    assert named(label_marks([label(**scores)], ARMS, "AUROC")) == (["1.000"], who)


def test_a_label_on_few_records_is_faded_and_names_no_best():
    svg = label_marks([label(9, simclr=0.9), label(10, simclr=0.8)], ARMS, "AUROC")
    assert len(elements(svg, "few")) == 1 and svg.count("too few records") == 1
    assert named(svg) == (["0.800", "Simclr"], ["arm-2"])


def test_labels_share_the_axis_of_the_charts_beside():
    svg = label_marks([label(simclr=0.9)], ARMS, "AUROC", beside=[label(simclr=0.25)])
    assert [t.text for t in ET.fromstring(svg).iter("text") if t.text == "0.2"] == ["0.2"]


def test_a_score_of_every_arm_missing_draws_no_mark():
    assert elements(label_marks([label()], ARMS, "AUROC"), "mark") == []


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


def test_the_course_of_an_arm_without_a_colour_does_not_look_like_the_first_arms():
    svg = curve_chart(CurveChart("x", "loss", (Curve("other", "0", ((0.0, 1.0), (5.0, 0.5))),)), ARMS)
    assert [e.get("class") for e in elements(svg, "line")] == ["line plain"] and elements(svg, "mark") == []


def test_names_are_escaped_and_long_ones_shortened():
    name = "left <b> & " + "x" * 60
    svg = label_marks([LabelScore("t", name, 1, 2, {"random": Interval(0.6)})], ARMS, "AUROC")
    assert "<b>" not in svg and "…" in svg
    ET.fromstring(svg)
