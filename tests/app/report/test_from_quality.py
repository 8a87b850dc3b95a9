"""The page of a judged folder: its figures are those of the table, and all of it can be nothing."""

import re

import polars as pl
import pytest

from ecgprior.app.folder_quality import FINDINGS, FolderQuality, Place, judge_folder
from ecgprior.app.plots.spread import spread_chart
from ecgprior.app.report.content import Census, Share
from ecgprior.app.report.from_quality import _headline, report_of
from ecgprior.app.report.page import render
from ecgprior.record.formats import wfdb
from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours")
    for i, s in enumerate(simulate(8, seed=1, causes=["NORM"], noise=0.3)):
        signal = s.record.signal.copy()
        if i in (2, 3):
            signal[:] = 0
        if i == 4:
            signal[6] = 0
        if i == 5:
            signal = signal[:1]
        wfdb.write(Record(signal=signal, fs=500, leads=s.record.leads[: len(signal)]), folder / f"<r{i}>")
    (folder / "broken.hea").write_text("nothing", encoding="utf-8")
    return Place(folder, None)


@pytest.fixture(scope="module")
def report(place, tmp_path_factory):
    return report_of(judge_folder(place, tmp_path_factory.mktemp("out"), workers=1), place, worst=3)


def test_figures(report):
    facts = dict(report.facts)
    assert (facts["Recordings"], facts["Not acceptable"], facts["Unreadable"]) == ("9", "3", "1")
    assert sum(share.count for share in report.census.shares) == 9
    assert sum(report.census.counts) == 8
    rows = {name: counts for name, _, counts in report.heats[0].rows}
    columns = report.heats[0].columns
    assert rows["flat"][columns.index("Any")] == 3 and rows["flat"][columns.index("V1")] == 3
    assert rows["flat"][columns.index("V2")] == 2 and rows["no beats"][columns.index("Record")] == 2
    assert report.headline.startswith(
        "5 of 9 recordings are of acceptable quality; 3 are not, most often for: flat"
    )


def test_the_headline_names_what_sets_the_refused_apart():
    records = pl.DataFrame({"record": list("abcdef"), "acceptable": [True, True, True, False, False, None]})
    severe = {"limb leads contradict": "abcde", "mains": "abc", "flat": "de", "clipped": "ae"}
    rows = [(record, None, name, "severe", "") for name, where in severe.items() for record in where]
    rows += [("d", "I", "baseline", "note", "")]
    judged = FolderQuality(records, pl.DataFrame(rows, schema=FINDINGS, orient="row"))
    assert _headline(judged, 5, 2, 1) == (
        "3 of 6 recordings are of acceptable quality; 2 are not, most often for: flat, clipped; 1 cannot be read."
    )


def test_the_worst_are_drawn_once_a_kind_first(report):
    assert len(report.examples) == 3
    assert [e.caption.partition(":")[0] for e in report.examples] == ["<r2>.hea", "<r3>.hea", "<r4>.hea"]


def test_the_page_is_whole_and_escapes_names(report):
    page = render(report)
    assert "<r2>" not in page and "&lt;r2&gt;" in page
    assert page.count("<section") == page.count("</section>")
    assert 'id="result"' in page and "broken.hea" in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_a_folder_of_unreadable_files(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.hea").write_text("nothing", encoding="utf-8")
    place = Place(tmp_path / "f", None)
    page = render(report_of(judge_folder(place, tmp_path / "o", workers=1), place))
    assert "0 of 1 recordings are of acceptable quality; 1 cannot be read" in page


def test_spread_chart_counts():
    drawn = spread_chart(Census("Verdicts", "", (Share("x", 5, "good"),), (4, 0, 0, 1), 0.5, "no", "yes"))
    assert drawn.count("<rect") == 2 and "0.00 to 0.25: 4" in drawn
    assert drawn.index("share-bad") < drawn.index("share-good")
    assert spread_chart(Census("Verdicts", "", (), (0, 0))) == ""
