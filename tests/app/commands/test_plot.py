"""The command plot, on files."""

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.record.formats.wfdb import write
from ecgprior.record.record import Record


@pytest.fixture
def ecg(tmp_path):
    t = np.arange(5000) / 500
    signal = [np.sin(2 * np.pi * (1 + i / 10) * t) for i in range(12)]
    write(Record(signal=signal, fs=500, name="a1"), tmp_path / "a1")
    return tmp_path / "a1.hea"


def test_a_file_becomes_a_drawing(ecg, tmp_path):
    run = CliRunner().invoke(app, ["plot", str(ecg), "--to", str(tmp_path / "out" / "a.svg")])
    assert run.exit_code == 0, run.output
    drawing = (tmp_path / "out" / "a.svg").read_text(encoding="utf-8")
    assert drawing.startswith("<svg") and "as recorded, no filter" in drawing and ">V6<" in drawing


def test_filters_are_done_and_said(ecg, tmp_path):
    to = tmp_path / "a.svg"
    run = CliRunner().invoke(app, ["plot", str(ecg), "--to", str(to), "--baseline", "0.5", "--mains", "50"])
    assert run.exit_code == 0, run.output
    assert "high-pass 0.5 Hz, notch 50 Hz" in to.read_text(encoding="utf-8")


def test_a_table_needs_its_rate_and_leads(tmp_path):
    np.save(tmp_path / "b.npy", np.zeros((2, 1000)))
    arguments = [
        "plot",
        str(tmp_path / "b.npy"),
        "--to",
        str(tmp_path / "b.svg"),
        "--fs",
        "100",
        "--leads",
        "I,II",
    ]
    run = CliRunner().invoke(app, [*arguments, "--unit", "mV"])
    assert run.exit_code == 0, run.output


def test_only_svg_is_written(ecg, tmp_path):
    done = CliRunner().invoke(app, ["plot", str(ecg), "--to", str(tmp_path / "p.png")])
    assert done.exit_code == 2 and not (tmp_path / "p.png").exists()
