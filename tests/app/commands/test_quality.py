"""``ecgprior quality`` on the command line."""

import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.errors import ReadError
from ecgprior.record.formats import wfdb
from ecgprior.simulator.simulate import simulate


def run(*arguments):
    return CliRunner().invoke(app, ["quality", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ours").mkdir()
    for i, s in enumerate(simulate(3, seed=1, causes=["NORM"], noise=0.3)):
        wfdb.write(s.record.with_(signal=s.record.signal * (i != 1)), tmp_path / f"ours/r{i}")
    (tmp_path / "ours/r9.hea").write_text("nothing", encoding="utf-8")
    return tmp_path / "ours"


def test_a_folder_becomes_tables_and_a_page(folder, tmp_path):
    done = run(folder, "--to", tmp_path / "new" / "out", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "2 recordings acceptable, 1 not, 1 unreadable" in done.output
    names = {path.name for path in (tmp_path / "new" / "out").iterdir()}
    assert names == {"quality.csv", "quality.parquet", "findings.csv", "quality.html"}
    page = (tmp_path / "new" / "out" / "quality.html").read_text(encoding="utf-8")
    assert "2 of 4 recordings are of acceptable quality" in page and "r9.hea" in page and "flat" in page


def test_without_a_place_it_writes_beside_the_caller_and_says_where(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("ours", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "quality-ours/quality.html").is_file() and "quality-ours/quality.html" in done.output


def test_what_is_no_folder_is_said(folder, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for arguments in ((tmp_path / "no", "--to", tmp_path / "o"), (folder, "--to", tmp_path / "file")):
        done = run(*arguments)
        assert isinstance(done.exception, ReadError), done.output
