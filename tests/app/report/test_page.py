"""The page: self-contained, complete, accessible, and safe against what is in the data."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from ecgprior.app.report.content import Curve, CurveChart, Interval, Report
from ecgprior.app.report.page import render


class Reader(HTMLParser):
    """Every tag with its attributes, and whether tags close."""

    VOID = {"meta", "br", "hr", "img", "link", "input"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(params=["report", "many"])
def either(request):
    return request.getfixturevalue(request.param)


def test_the_page_asks_no_server_for_anything(either):
    report = either
    html = render(report)
    outside = html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe", outside)
    page = Reader(html)
    assert all(a["href"].startswith("#") for a in page.all("a"))
    assert not [a for _, a in page.tags if "src" in a or "srcset" in a or "xlink:href" in a]


def test_tags_close_and_ids_are_unique(either):
    page = Reader(render(either))
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in page.tags:
        assert attrs.get("aria-labelledby", ids[0]) in ids


def test_it_can_be_read_without_seeing_it(either):
    page = Reader(render(either))
    assert page.all("html")[0]["lang"] == "en" and len(page.all("main")) == len(page.all("h1")) == 1
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-label"])
    assert all("scope" in th for th in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:]))


def test_light_dark_and_print_have_their_colours(report):
    html = render(report)
    assert "prefers-color-scheme: dark" in html and "@media print" in html and "tabular-nums" in html


def test_the_result_comes_first_and_everything_is_there(report):
    text = Reader(render(report)).text
    order = [
        "SimCLR <beats> a random encoder",
        "Macro AUROC on every task",
        "Paired differences",
        "Label by label",
    ]
    order += ["Training", "Recordings", "Example ECGs", "Read this before believing it", "Where it came from"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    for said in (
        "0.800 (0.780–0.820)",
        "+0.070 to +0.110",
        "38 of 344",
        "1,344",
        "better",
        "0.123",
        "11.0 %",
    ):
        assert said in text, said


def test_a_comparison_of_many_arms_has_its_sections_in_order(many):
    text = Reader(render(many)).text
    order = [
        "Best in bold.",
        "Paired differences from Random encoder",
        "SimCLR against each of the others",
        "Task by task",
    ]
    order += ["Ways of reading an encoder out", "How many labels it takes", "On worse recordings"]
    order += [
        "What the embedding knows of physiology",
        "Label by label",
        "What it cost",
        "Training",
        "Recordings",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    for said in ("+0.031 (+0.011 to +0.051)", "0.004", "0.60", "named beforehand", "1 seed only", "128,064"):
        assert said in text, said


def test_more_than_six_arms_are_a_table_with_group_headings_and_no_chart_of_scores(many):
    html = render(many)
    result = html[html.index('id="result"') : html.index('id="contrasts-h"')]
    assert 'class="chart"' not in result and result.count('scope="rowgroup" colspan="3"') == 3
    assert result.count('class="n strong"') == 9
    assert not re.search(r"arm-([6-9]|\d\d)", html.replace("arm-6 <", ""))  # only six colours there are


def test_arms_that_a_chart_leaves_out_are_named(many):
    text = Reader(render(many)).text
    assert "Not drawn: Arm 4 <&>; Arm 5 <&>; Arm 6 <&>. Their figures are in results.csv." in text


def test_curves_of_arms_without_a_colour_are_folded_away(many):
    other = CurveChart("Arm 6 loss", "1 run", (Curve("arm-6", "seed 0", ((0.0, 2.0), (10.0, 1.0))),))
    html = render(dataclasses.replace(many, curves=(*many.curves, other)))
    section = html[html.index('id="curves-h"') : html.index('id="catalog-h"')]
    assert section.index("<h3>SimCLR</h3>") < section.index("The other arms") < section.index("Arm 6 loss")


def test_a_table_of_one_column_keeps_its_figure_near_the_name(many):
    panel = dataclasses.replace(many.panel, columns=many.panel.columns[:1])
    widths = [
        int(re.search(r'class="scores" style="max-width:(\d+)px"', render(page))[1])
        for page in (many, dataclasses.replace(many, panel=panel))
    ]
    assert widths[1] < widths[0] and widths[1] < 500


def test_sections_without_anything_are_not_there(report):
    html = render(report)
    for part in (
        "contrasts-h",
        "readouts-h",
        "efficiency-h",
        "robustness-h",
        "retrieval-h",
        "cost-h",
        'class="scores"',
        'class="caution"',
        "Not drawn",
    ):
        assert part not in html


def test_simulated_is_said_before_the_headline_and_only_then(report):
    html = render(report)
    assert html.index("Simulated ECGs, not patients") < html.index("<h1>")
    assert "Simulated ECGs" not in render(dataclasses.replace(report, simulated=False))


def test_text_from_the_data_is_escaped(report):
    html = render(report)
    assert "<beats>" not in html and "name = '<x>'" not in html and "a <b> & c" not in html


def test_unknown_patients_are_a_dash_not_a_zero(report):
    html = render(report)
    row = html[html.index("CinC 2011") :]
    assert re.search(r'205</td><td class="n">–</td>', row)


def test_an_undefined_score_is_a_dash_and_has_no_mark(report):
    task = dataclasses.replace(report.tasks[0], scores={"simclr": Interval(None)}, metrics={})
    html = render(dataclasses.replace(report, tasks=(task,), labels=()))
    section = html[html.index('id="result"') : html.index("Paired differences")]
    chart = section[section.index('class="chart"') :]
    assert "mark arm-" not in chart and ">–</text>" in chart


def test_a_report_of_nothing_but_a_sentence_renders():
    page = Reader(render(Report("Note", "Nothing was run.", "", False, "AUROC", (), ())))
    assert page.open == [] and "Nothing was run." in page.text
