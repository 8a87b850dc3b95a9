"""The command report: a finished benchmark becomes one page."""

import re
import shutil

from typer.testing import CliRunner

from ecgprior.app.main import app


def run(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_a_result_becomes_one_self_contained_page(result, sines, tmp_path):
    to = tmp_path / "new" / "report.html"
    found = run(result, "--corpus", sines.path, "--to", to)
    assert found.exit_code == 0, found.output
    page = to.read_text(encoding="utf-8")
    assert page.startswith(("<!doctype html>", "<!DOCTYPE html>"))
    assert "A test" in page and "SimCLR: training loss" in page and sines.digest in page
    assert not re.search(r"https?:", page.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    assert re.search(r"report\.html: \d\.\d MB", found.output.replace("\n", ""))


def test_runs_may_lie_elsewhere(result, sines, tmp_path):
    shutil.copytree(result, tmp_path / "r", ignore=shutil.ignore_patterns("work"))
    to = tmp_path / "report.html"
    assert run(tmp_path / "r", "--corpus", sines.path, "--to", to).exit_code == 0
    assert "SimCLR: training loss" not in to.read_text(encoding="utf-8")
    assert run(tmp_path / "r", "--corpus", sines.path, "--to", to, "--work", result / "work").exit_code == 0
    assert "SimCLR: training loss" in to.read_text(encoding="utf-8")


def test_what_is_no_result_is_refused_and_nothing_written(sines, tmp_path):
    found = run(tmp_path, "--corpus", sines.path, "--to", tmp_path / "report.html")
    assert found.exit_code == 1 and "run ecgprior benchmark first" in str(found.exception)
    assert not (tmp_path / "report.html").exists()
