"""What a person sees of an error: one line, whoever raised it."""

import pytest
from typer.testing import CliRunner

from ecgprior.app import main as command_line


def said(monkeypatch, capsys, error):
    def app():
        raise error

    monkeypatch.setattr(command_line, "app", app)
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    return stopped.value.code, capsys.readouterr().err


def test_the_disks_errors_are_one_line(monkeypatch, capsys):
    code, text = said(monkeypatch, capsys, PermissionError(13, "Permission denied", "out.parquet"))
    assert (code, text) == (1, "ecgprior: cannot read or write 'out.parquet': Permission denied\n")
    code, text = said(monkeypatch, capsys, OSError(28, "No space left on device"))
    assert (code, text) == (1, "ecgprior: cannot read or write: No space left on device\n")
    code, text = said(monkeypatch, capsys, IsADirectoryError(21, "Is a directory", "a.part", None, "out"))
    assert (code, text) == (1, "ecgprior: cannot read or write 'out': Is a directory\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", "absent.pt", "--to"],
        ["delineate", "absent", "--plot", "x.svg", "--waves", "w.csv", "--features"],
        ["export", "absent", "--to"],
        ["probe", "absent", "--corpus", "absent", "--labels", "ludb", "--split", "absent.csv", "--to"],
        ["report", "absent", "--corpus", "absent", "--to"],
    ],
)
def test_a_target_that_cannot_be_written_is_said_before_the_input_is_read(tmp_path, arguments):
    (tmp_path / "file").touch()
    to = tmp_path / "file" / "x.csv"
    done = CliRunner().invoke(command_line.app, [*arguments, str(to)])
    assert isinstance(done.exception, NotADirectoryError) and str(to) in done.exception.filename
