"""docs/minimal.py: one page, and it runs."""

import importlib.util
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "minimal.py"


def test_it_is_one_page():
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.slow
def test_it_runs_from_signal_to_probe(capsys):
    spec = importlib.util.spec_from_file_location("minimal", PAGE)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    intervals = page.main(n=120, steps=3)
    said = capsys.readouterr().out
    assert set(intervals) == {"random encoder", "SimCLR"}
    assert all(0 <= i.low <= i.value <= i.high <= 1 for i in intervals.values())
    assert "macro AUROC" in said and "difference" in said
