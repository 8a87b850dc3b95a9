"""Charts of contrasts and of series: what is drawn lies where its number says, and names do not lie on each other."""

import re
import xml.etree.ElementTree as ET

import pytest

from ecgprior.app.plots.comparison import contrast_chart, series_chart
from ecgprior.app.report.content import Arm, Contrast, Contrasts, Interval, Series, SeriesChart

ARMS = tuple(Arm(name, name.title()) for name in ("random", "default", "rival"))


def elements(svg, kind):
    return [e for e in ET.fromstring(svg).iter() if kind in (e.get("class") or "").split()]


def start(path):
    return tuple(float(v) for v in re.match(r"M([\d.]+) ([\d.]+)", path.get("d")).groups())


def contrast(against, value, p, adjusted=None, text=""):
    return Contrast(against, text, Interval(value, value - 0.02, value + 0.02), p, adjusted)


FOUND = Contrasts(
    "Default", "", "macro AUROC", contrast("Rival", 0.04, 0.004),
    (contrast("Trees", -0.05, 0.001, 0.01), contrast("Third <b>", 0.01, 0.03, 0.3), Contrast("None", "", Interval(None), None)),
)  # fmt: skip


def test_a_contrast_lies_on_its_side_of_zero_and_is_filled_when_its_p_is_small():
    svg = contrast_chart(FOUND)
    (zero,) = [start(e)[0] for e in elements(svg, "chance")]
    marks = elements(svg, "gap-mark")
    assert [start(e)[0] > zero for e in marks] == [True, False, True]
    assert ["filled" in e.get("class") for e in marks] == [True, True, False]
    gaps = elements(svg, "gap")
    assert len(gaps) == 3
    left, right = (float(v) for v in re.match(r"M([\d.]+) [\d.]+H([\d.]+)", gaps[0].get("d")).groups())
    assert (left + right) / 2 == pytest.approx(start(marks[0])[0], abs=0.2)
    assert (start(marks[0])[0] - zero) / (start(marks[2])[0] - zero) == pytest.approx(4, abs=0.1)


def test_the_figures_of_a_contrast_are_printed_and_names_escaped():
    svg = contrast_chart(FOUND)
    text = " ".join(e.text or "" for e in ET.fromstring(svg).iter("text"))
    assert "+0.040 (+0.020 to +0.060)" in text and "−0.050" in text and "0.004" in text and "0.30" in text
    assert "<b>" not in svg


def test_no_contrast_no_chart():
    assert contrast_chart(Contrasts("Default", "", "AUROC", None, ())) == ""


def chart(series, level=None):
    return SeriesChart(
        "Labels", "share", "AUROC", ((-2.0, "1 %"), (-1.0, "10 %"), (0.0, "100 %")), tuple(series), level
    )


def spread(*values):
    return tuple(Interval(v, v - 0.03, v + 0.03) if v is not None else Interval(None) for v in values)


def test_a_line_skips_what_is_missing_and_rises_with_its_value():
    svg = series_chart(chart([Series("default", spread(0.7, None, 0.8))]), ARMS)
    (line,) = elements(svg, "line")
    points = re.findall(r"([\d.]+) ([\d.]+)", line.get("d"))
    assert len(points) == 2 and float(points[1][1]) < float(points[0][1])
    assert len(elements(svg, "mark")) == 2 and "arm-1" in line.get("class")
    assert elements(svg, "area") == []


def test_a_band_is_drawn_where_asked_and_closes():
    svg = series_chart(chart([Series("default", spread(0.7, 0.75, 0.8), True)]), ARMS, wide=True)
    (area,) = elements(svg, "area")
    assert area.get("d").endswith("z") and len(re.findall(r"[ML]", area.get("d"))) == 6


def test_arms_without_a_colour_are_thin_lines_that_say_their_name():
    svg = series_chart(
        chart([Series("other", spread(0.6, 0.61, 0.62)), Series("rival", spread(0.7, 0.7, 0.7))]),
        ARMS,
        (Arm("other", "Other"),),
    )
    (thin,) = elements(svg, "others")
    assert thin.find("{*}title") is not None or thin.find("title").text == "Other"
    assert not [e for e in ET.fromstring(svg).iter("text") if e.text == "Other"]


def test_names_at_the_ends_stand_apart_and_inside():
    series = [Series(a.name, spread(0.7, 0.75, 0.8 + 0.0001 * i)) for i, a in enumerate(ARMS)]
    svg = series_chart(chart(series, (0.75, "Rival with all labels")), ARMS, wide=True)
    named = [e for e in elements(svg, "figure") if e.tag.endswith("text")]
    places = sorted(float(e.get("y")) for e in named)
    assert len(places) == 3 and min(b - a for a, b in zip(places, places[1:])) >= 16
    assert 0 < places[0] and places[-1] < 380
    assert "Rival with all labels" in svg


def test_charts_beside_each_other_share_their_axis():
    low, high = (
        chart([Series("rival", spread(0.5, 0.5, 0.5))]),
        chart([Series("rival", spread(0.9, 0.9, 0.9))]),
    )
    alone, shared = (series_chart(high, ARMS, beside=beside) for beside in ((), (low, high)))
    labels = [{e.text for e in elements(svg, "muted")} for svg in (alone, shared)]
    assert "0.50" not in labels[0] and "0.50" in labels[1]


def test_no_values_no_chart():
    assert series_chart(chart([Series("rival", spread(None, None, None))]), ARMS) == ""
