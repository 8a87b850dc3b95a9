"""A folder is judged file by file: what cannot be read is listed, what is done is not done again."""

import polars as pl
import pytest

from ecgprior.app import folder_quality
from ecgprior.app.folder_quality import FINDINGS, RECORDS, Place, judge_folder, summary
from ecgprior.corpus.prepare import prepare
from ecgprior.errors import CorpusError, ReadError
from ecgprior.physiology.quality.assess import quality
from ecgprior.record.formats import wfdb
from ecgprior.simulator.simulate import simulate


@pytest.fixture
def folder(tmp_path):
    """Five good recordings, one with flat V2 and V4, one that is no file of its kind, and a table of labels."""
    place = tmp_path / "ours"
    place.mkdir()
    for i, s in enumerate(simulate(6, seed=1, causes=["NORM"], noise=0.3)):
        signal = s.record.signal.copy()
        if i == 5:
            signal[[7, 9]] = 0
        wfdb.write(s.record.with_(signal=signal), place / f"r{i}")
    (place / "r9.hea").write_text("nothing", encoding="utf-8")
    (place / "labels.csv").write_text("record,quality\nr0,good\n", encoding="utf-8")
    return place


def test_tables(folder, tmp_path):
    judged = judge_folder(Place(folder, None), tmp_path / "out", workers=1)
    records = pl.read_csv(tmp_path / "out" / "quality.csv")
    assert records.columns == list(RECORDS) and records.height == 7
    assert pl.read_parquet(tmp_path / "out" / "quality.parquet").equals(judged.records)
    assert judged.passed_over == ("labels.csv",)
    unreadable = judged.records.filter(pl.col("unreadable").is_not_null())
    assert unreadable["path"].to_list() == ["r9.hea"] and unreadable["score"].to_list() == [None]
    findings = pl.read_csv(tmp_path / "out" / "findings.csv")
    assert findings.columns == list(FINDINGS)
    assert findings.select("lead", "finding", "severity").rows() == [
        ("V2", "flat", "severe"),
        ("V4", "flat", "severe"),
    ]
    row = judged.records.row(5, named=True)
    assert row["n_unusable"] == 2 and row["findings"] == "flat V2, V4 (severe)"
    assert not (tmp_path / "out" / "parts").exists()


def test_a_killed_run_goes_on_where_it_was(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_quality, "_PART", 2)
    seen, real = [], folder_quality.quality

    def judge(record):
        seen.append(record.name)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return real(record)

    monkeypatch.setattr(folder_quality, "quality", judge)
    with pytest.raises(KeyboardInterrupt):
        judge_folder(Place(folder, None), tmp_path / "out", workers=1)
    assert len(list((tmp_path / "out" / "parts").glob("*.parquet"))) == 2
    (folder / "r0.dat").touch()
    steps = []
    judged = judge_folder(
        Place(folder, None),
        tmp_path / "out",
        workers=1,
        progress=lambda done, total, _: steps.append((done, total)),
    )
    assert judged.records.height == 7 and len(seen) == 5 + 2
    assert steps == [(6, 7), (7, 7)]


def test_processes_give_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_quality, "_PART", 2)
    one = judge_folder(Place(folder, None), tmp_path / "one", workers=1)
    two = judge_folder(Place(folder, None), tmp_path / "two", workers=2)
    assert one.records.equals(two.records) and one.findings.equals(two.findings)


def test_a_corpus(folder, tmp_path):
    prepare({"folder": folder}, tmp_path / "c", fs=250, workers=1)
    judged = judge_folder(Place(tmp_path / "c", None), tmp_path / "out", workers=1)
    assert judged.records.height == 6 and judged.records["unreadable"].null_count() == 6
    assert judged.records.filter(pl.col("n_unusable") == 2).height == 1


def test_nothing_there_is_said(tmp_path):
    (tmp_path / "labels.csv").write_text("record,quality\na,b\n", encoding="utf-8")
    with pytest.raises(ReadError, match="no recording"):
        judge_folder(Place(tmp_path, None), tmp_path / "out", workers=1)
    with pytest.raises(CorpusError):
        judge_folder(Place(tmp_path, "ludb"), tmp_path / "out", workers=1)


def test_summary_names_leads_once_and_severe_first(folder):
    record = next(simulate(1, seed=1, causes=["NORM"], noise=0.3)).record
    assert summary(quality(record)) == []
    flat = record.with_(signal=0 * record.signal)
    assert summary(quality(flat)) == ["no beats: none stands out", "flat all leads (severe)"]
