"""``ecgprior delineate``: intervals, a picture, tables; what it cannot do it says. Waves are the simulator's truth."""

import polars as pl
import pytest
from typer.testing import CliRunner

import ecgprior.physiology.delineate as room
from ecgprior.app.main import app
from ecgprior.errors import CheckpointError, ReadError, RecordError, describe
from ecgprior.record.formats.wfdb import write
from ecgprior.record.read import read
from ecgprior.simulator.simulate import simulate


@pytest.fixture
def file(tmp_path, monkeypatch):
    ecg = next(simulate(1, seed=4, causes=["NORM"]))
    monkeypatch.setattr(room, "delineate", lambda record, network=None: ecg.delineation)
    write(ecg.record, tmp_path / "a")
    return tmp_path / "a"


def test_intervals_are_printed_and_everything_is_written(file, tmp_path):
    to = {name: tmp_path / "out" / name for name in ("x.svg", "w.csv", "f.parquet")}
    arguments = ["--plot", to["x.svg"], "--waves", to["w.csv"], "--features", to["f.parquet"]]
    run = CliRunner().invoke(app, ["delineate", str(file), *map(str, arguments)])
    assert run.exit_code == 0, run.output
    assert "12 leads" in run.output and "QTc Fridericia" in run.output
    drawing = to["x.svg"].read_text()
    assert 'data-wave="T"' in drawing and "/min · PR" in drawing
    waves = pl.read_csv(to["w.csv"])
    assert waves.columns == ["lead", "wave", "beat", "onset", "peak", "offset"] and "global" in waves["lead"]
    features = pl.read_parquet(to["f.parquet"])
    assert features.columns == ["name", "value", "unit", "reason"] and "qrs_ms" in features["name"]


def test_files_are_there_also_when_nobody_reads_what_is_printed(file, tmp_path, monkeypatch):
    def closed(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    to = [tmp_path / name for name in ("x.svg", "w.csv", "f.csv")]
    arguments = ["--plot", to[0], "--waves", to[1], "--features", to[2]]
    run = CliRunner().invoke(app, ["delineate", str(file), *map(str, arguments)])
    assert run.exit_code != 0 and all(path.is_file() for path in to)


def test_the_picture_may_be_filtered_and_cut(file, tmp_path):
    to = tmp_path / "x.png"
    options = ["--baseline", "0.5", "--mains", "50", "--start", "2", "--seconds", "4", "--layout", "strips"]
    run = CliRunner().invoke(app, ["delineate", str(file), "--plot", str(to), *options])
    assert run.exit_code == 0, run.output
    assert to.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [("--plot", "x.gif", "picture"), ("--waves", "x.xlsx", "table"), ("--features", "x", "table")],
)
def test_an_unknown_suffix_is_refused_before_any_work(file, tmp_path, option, name, said):
    run = CliRunner().invoke(app, ["delineate", str(file), option, str(tmp_path / name)])
    assert isinstance(run.exception, RecordError) and str(run.exception).startswith(said)


def test_a_wrong_network_is_refused_and_the_record_is_not_blamed(file, tmp_path):
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("hello")
    run = CliRunner().invoke(app, ["delineate", str(file), "--network", str(wrong)])
    assert isinstance(run.exception, CheckpointError)
    said = describe(run.exception)
    assert f"wave network {wrong}: expected a valid ONNX file" in said and str(file) + "'" not in said


def test_a_source_puts_right_what_its_publisher_got_wrong(file, tmp_path):
    """Here two names that stand for each other, as in files of cinc2011."""
    ecg = read(file)
    names = [{"aVL": "aVF", "aVF": "aVL"}.get(lead, lead) for lead in ecg.leads]
    write(ecg.with_(leads=names).pick(ecg.leads), tmp_path / "b")
    plain = CliRunner().invoke(app, ["delineate", str(tmp_path / "b")])
    mended = CliRunner().invoke(app, ["delineate", str(tmp_path / "b"), "--source", "cinc2011"])
    assert plain.exit_code == mended.exit_code == 0, mended.output
    assert "limb leads" in plain.output and "limb leads" not in mended.output
    run = CliRunner().invoke(app, ["delineate", str(file), "--source", "ludb", "--unit", "uV"])
    assert isinstance(run.exception, ReadError) and "got both" in str(run.exception)
