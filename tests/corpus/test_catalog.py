"""The catalog: one table of many sources, and sentences for what cannot be one."""

import pickle

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.catalog import COLUMNS, catalog, find_sources, open_source, survey, vocabularies
from ecgprior.corpus.sources.base import Source
from ecgprior.errors import CorpusError, FormatBroken, UnknownName
from ecgprior.record.formats import wfdb
from ecgprior.record.record import Record


def ecg(seed: int = 0, n: int = 200) -> Record:
    signal = np.random.default_rng(seed).normal(0, 0.2, (12, n)).round(3)
    return Record(signal=signal, fs=100)


@pytest.fixture
def mine(tmp_path):
    for name in ("a", "b", "c"):
        wfdb.write(ecg(), tmp_path / name)
    (tmp_path / "records.csv").write_text(
        "path,patient,age,sex,labels.cinc2021,labels\n"
        "a,p1,54,F,AF;59118001,x\n"
        "b,p1,NaN,m,-,\n"
        "c,,300,unknown,,x;y\n"
    )
    return tmp_path


def test_columns_types_and_prefixes(mine):
    table = catalog([open_source("folder", mine)])
    assert dict(list(table.schema.items())[:7]) == COLUMNS
    assert table["record"].to_list() == ["folder/a", "folder/b", "folder/c"]
    assert table["patient"].to_list() == ["folder/p1", "folder/p1", None]
    assert table["age"].to_list() == [54.0, None, None]
    assert table["sex"].to_list() == ["female", "male", None]


def test_null_is_not_labelled_and_an_empty_list_is_labelled_with_none(mine):
    table = catalog([open_source("folder", mine)])
    assert table["labels.cinc2021"].to_list() == [["164889003", "713427006"], [], None]
    assert table["labels.folder"].to_list() == [["x"], None, ["x", "y"]]
    assert vocabularies(table) == ["cinc2021", "folder"]


def test_an_empty_catalog_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="at least one source"):
        catalog([])
    with pytest.raises(CorpusError, match="records.csv.*an empty folder"):
        open_source("folder", tmp_path)
    (tmp_path / "records.csv").write_text("path\n")
    with pytest.raises(CorpusError, match="no record"):
        catalog([open_source("folder", tmp_path)])


def test_a_folder_that_is_not_there_and_an_unknown_source(tmp_path):
    with pytest.raises(CorpusError, match="not one"):
        open_source("ludb", tmp_path / "absent")
    with pytest.raises(UnknownName, match="Did you mean 'ptbxl'"):
        open_source("ptb-xl", tmp_path)


def test_the_expected_layout_is_named(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CorpusError, match=r"ptbxl_database.csv.*got notes.txt"):
        open_source("ptbxl", tmp_path)


def test_a_record_twice_is_refused(mine):
    source = open_source("folder", mine)
    with pytest.raises(CorpusError, match="'folder/a' occurs twice"):
        catalog([source, source])


def test_a_path_out_of_the_folder_is_refused(mine):
    source = open_source("folder", mine)
    for path in ("../a", "/etc/hosts", "x/../../a", "..\\a"):
        with pytest.raises(FormatBroken, match="leads out"):
            source.load(path)


def test_sources_go_to_worker_processes(mine):
    source = open_source("folder", mine)
    assert source.table is not None  # what is cached goes along
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.load("a").signal, source.load("a").signal)


def test_survey_tells_one_set_from_several(tmp_path):
    for place, name in (("one", "A0001"), ("two", "E00001")):
        (tmp_path / place).mkdir()
        wfdb.write(ecg(), tmp_path / place / name)
    assert [source.name for source in survey(tmp_path)] == ["cpsc2018", "georgia"]
    assert [source.name for source in survey(tmp_path / "one")] == ["cpsc2018"]
    assert survey_names(tmp_path / "one") >= {"cpsc2018", "cinc2021"}
    (tmp_path / "three").mkdir()
    assert survey(tmp_path / "three") == []


def survey_names(folder) -> set[str]:
    return {source.name for source, _ in find_sources(folder)}


def test_people_are_shared_between_sources_of_one_publisher(tmp_path):
    (tmp_path / "1.hea").write_text(
        "1 0 400 10\n# Exam ID: 1\n# Patient ID: 77\n# Age: 30\n# Sex: Male\n# Chagas label: True\n"
    )
    table = catalog([open_source("chagas2025", tmp_path)])
    assert table["patient"].to_list() == ["code15/77"]
    assert table["labels.chagas"].to_list() == [["chagas"]]


def test_a_source_says_what_it_is():
    assert issubclass(Source, object)
    with pytest.raises(TypeError):
        Source("x")  # abstract


def test_catalogs_of_other_label_columns_join(mine, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    wfdb.write(ecg(1), other / "A0001")
    table = catalog([open_source("folder", mine), open_source("cpsc2018", other)])
    assert table.height == 4
    assert table.filter(pl.col("source") == "cpsc2018")["labels.folder"].to_list() == [None]
