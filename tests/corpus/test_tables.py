"""Side tables: written as FORMAT.md says, read only with their own corpus, moved by crop and rate."""

import json

import polars as pl
import pytest

from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.shards import Corpus
from ecgprior.corpus.tables import crop, read_table, rescale, write_table
from ecgprior.errors import ColumnMissing, CorpusError, UnknownName

MARKS = pl.DataFrame(
    {
        "record": ["a", "a", "b"],
        "sample": [10, 90, 40],
        "lead": [None, "II", None],
        "symbol": ["N", "p", "+"],
        "note": ["", "", "(N"],
    }
)
WAVES = pl.DataFrame(
    {
        "record": ["a", "a"],
        "start": [0, 0],
        "stop": [100, 100],
        "lead": [None, "II"],
        "beat": pl.Series([0, 1], dtype=pl.Int32),
        "wave": ["QRS", "T"],
        "onset": [20.5, 60.0],
        "peak": [25.0, float("nan")],
        "offset": [31.0, 99.0],
    }
)
FEATURES = pl.DataFrame(
    {"record": ["a", "a"], "start": [0, 50], "stop": [100, 100], "qt_ms": [400.0, float("nan")]}
)


def test_each_kind_comes_back(tmp_path):
    for name, frame in (("annotations", MARKS), ("fiducials", WAVES), ("features", FEATURES)):
        assert read_table(tmp_path, name, "d") is None
        write_table(tmp_path, name, frame, "d", {"method": "by hand"})
        assert read_table(tmp_path, name, "d").equals(frame)
        about = json.loads((tmp_path / f"tables/{name}.json").read_text())
        assert about["format_version"] == 1 and about["made_by"] == {"method": "by hand"}


def test_the_corpus_finds_a_table_that_was_made_later(ecg, make_source, tmp_path):
    corpus = prepare([make_source({"a": ecg(1)})], tmp_path / "c", fs=100, workers=1)
    write_table(corpus.path, "features", FEATURES, corpus.digest)
    again = Corpus(corpus.path)
    assert again.side("features").equals(FEATURES) and again.side("fiducials") is None
    with pytest.raises(UnknownName, match="side table 'feature' is unknown: .* Did you mean 'features'"):
        again.side("feature")


def test_a_table_of_another_corpus_or_version_or_a_changed_one_is_refused(tmp_path):
    path = write_table(tmp_path, "annotations", MARKS, "d")
    with pytest.raises(
        CorpusError, match=r"belongs to another corpus.*; prepare the corpus again into a new"
    ):
        read_table(tmp_path, "annotations", "e")
    about = path.with_suffix(".json")
    text = about.read_text()
    about.write_text(text.replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(CorpusError, match="format_version: expected 1, got 2"):
        read_table(tmp_path, "annotations", "d")
    about.write_text("{")
    with pytest.raises(CorpusError, match="expected JSON"):
        read_table(tmp_path, "annotations", "d")
    about.write_text(text)
    MARKS.head(1).write_parquet(path)
    with pytest.raises(CorpusError, match="expected the SHA-256"):
        read_table(tmp_path, "annotations", "d")
    path.unlink()
    with pytest.raises(CorpusError, match="expected the file beside annotations.json, got none"):
        read_table(tmp_path, "annotations", "d")
    about.write_text("[]")
    with pytest.raises(CorpusError, match="expected a JSON object, got list"):
        read_table(tmp_path, "annotations", "d")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("features", "--replace"),
        ("features-permuted", "--control permuted --replace"),
        ("features-spectrum", "--control spectrum --replace"),
    ],
)
def test_a_table_that_is_refused_names_the_command_that_makes_it_anew(tmp_path, name, options):
    corpus = tmp_path / "my corpus"
    corpus.mkdir()
    write_table(corpus, name, FEATURES, "d")
    with pytest.raises(CorpusError) as told:
        read_table(corpus, name, "e")
    assert str(told.value).endswith(f"; run `ecgprior features '{corpus}' {options}`")


def test_of_a_table_of_somebody_elses_no_command_is_invented(tmp_path):
    write_table(tmp_path, "features-mine", FEATURES, "d")
    with pytest.raises(CorpusError, match="; write it again, for this corpus"):
        read_table(tmp_path, "features-mine", "e")


def test_columns_are_checked(tmp_path):
    with pytest.raises(ColumnMissing, match="'annotations' has no column 'symbol'"):
        write_table(tmp_path, "annotations", MARKS.drop("symbol"), "d")
    with pytest.raises(CorpusError, match="column 'sample' of 'annotations': expected Int64, got Float64"):
        write_table(tmp_path, "annotations", MARKS.with_columns(pl.col("sample").cast(float)), "d")
    with pytest.raises(CorpusError, match="got also colour"):
        write_table(tmp_path, "annotations", MARKS.with_columns(colour=pl.lit("red")), "d")
    with pytest.raises(CorpusError, match="column 'qt_ms' of 'features': expected Float64"):
        write_table(tmp_path, "features", FEATURES.with_columns(qt_ms=pl.lit(400)), "d")
    assert not (tmp_path / "tables").exists()


def test_crop_moves_what_is_inside_and_drops_the_rest():
    marks = crop(MARKS, "annotations", 10, 90)
    assert marks.select("record", "sample").rows() == [("a", 0), ("b", 30)]
    waves = crop(WAVES, "fiducials", 22, 80)
    assert waves.select("start", "stop").unique().rows() == [(0, 58)]
    assert (
        waves["peak"][0] == 3.0
        and waves["offset"][0] == 9.0
        and waves["onset"].is_nan().to_list() == [True, False]
    )
    assert waves["offset"].is_nan().to_list() == [False, True] and waves["onset"][1] == 38.0
    assert crop(WAVES, "fiducials", 0, 10).height == 0
    assert crop(FEATURES, "features", 50, 100).rows()[0][:3] == ("a", 0, 50)
    assert crop(FEATURES, "features", 10, 100).height == 0


def test_another_rate():
    assert rescale(MARKS, "annotations", 500, 100)["sample"].to_list() == [2, 18, 8]
    waves = rescale(WAVES, "fiducials", 100, 250)
    assert waves["onset"].to_list() == [51.25, 150.0] and waves["stop"].to_list() == [250, 250]
    assert rescale(FEATURES, "features", 100, 50).select("start", "stop", "qt_ms").rows()[0] == (0, 50, 400.0)
