"""``ecgprior sources``: what there is, what was found, and what nobody here has tested on real files."""

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgprior import lookup
from ecgprior.app.main import app
from ecgprior.errors import CorpusError
from ecgprior.record.formats import wfdb
from ecgprior.record.record import Record


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sources", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def two_sets(tmp_path):
    ecg = Record(signal=np.random.default_rng(0).normal(0, 0.2, (12, 200)).round(3), fs=100)
    for place, name in (("cpsc", "A0001"), ("holter", "I0001")):
        (tmp_path / place).mkdir()
        wfdb.write(ecg, tmp_path / place / name)
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_lists_every_source_with_layout_licence_and_address():
    text = run()
    for name in lookup.names("corpus.sources"):
        assert f"{name} – " in text
    ptbxl = run("--name", "ptbxl")
    for part in ("CC BY 4.0", "https://physionet.org/content/ptb-xl/", "ecgprior download ptbxl", "test 10"):
        assert part in ptbxl
    assert "ptbxl_database.csv" in ptbxl and "ludb" not in ptbxl


@pytest.mark.parametrize("name", ["mimic_iv_ecg", "code15", "incart"])
def test_says_layout_tested_only(name):
    assert "layout-tested only" in run("--name", name)


def test_says_what_was_found_in_a_folder_of_folders(two_sets):
    text = run(two_sets)
    assert f"cpsc2018={two_sets / 'cpsc'}: 1 records" in text
    assert f"incart={two_sets / 'holter'}: 1 records  [layout-tested only]" in text
    assert "patients unknown; labelled none" in text


def test_tables_without_recordings_and_nothing_at_all(tmp_path):
    assert "nothing here looks like a source" in run(tmp_path)
    (tmp_path / "record_list.csv").write_text("subject_id,study_id,file_name,ecg_time,path\n1,2,2,,files/x\n")
    assert "none of the recordings" in run(tmp_path)


def test_a_folder_that_is_not_there_and_one_that_is_not_the_source(tmp_path):
    with pytest.raises(CorpusError, match="not a folder"):
        run(tmp_path / "absent")
    with pytest.raises(CorpusError, match="expected ludb.csv"):
        run(tmp_path, "--name", "ludb")
