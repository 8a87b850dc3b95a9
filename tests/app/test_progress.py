"""Progress: lines where there is no terminal, and the steps of other processes' runs."""

import json
import os

from ecgprior.app import progress
from ecgprior.app.progress import latest_step, progress_bar, watched


def test_in_a_log_it_is_lines_and_the_end_is_said_once(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with progress_bar("prepare") as move:
        for done in range(1, 5):
            move(done, 4, f"record {done}")
        move(4, 4)
    said = capsys.readouterr().err.splitlines()
    assert said == ["prepare 2/4 20 s record 2", "prepare 4/4 40 s record 4"]


def test_the_latest_step_is_that_of_the_newest_log(tmp_path):
    assert latest_step(tmp_path) == ""
    for i, name in enumerate(("a", "b")):
        folder = tmp_path / name / "run"
        folder.mkdir(parents=True)
        lines = [
            {"event": "step", "step": 10 * (i + 1), "loss": 0.25},
            {"event": "validation", "step": 20, "auroc": 0.5},
        ]
        (folder / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines) + '{"event": "st')
    newest = (tmp_path / "b/run/log.jsonl").stat().st_mtime
    os.utime(tmp_path / "a/run/log.jsonl", (newest - 30, newest - 30))
    assert latest_step(tmp_path) == "step 20, loss 0.25"
    assert latest_step(tmp_path, within_s=-1.0) == ""


def test_watched_adds_it_to_the_text(tmp_path):
    said = []
    watched(lambda *what: said.append(what), tmp_path)(1, 3, "simclr-s0-f0")
    assert said == [(1, 3, "simclr-s0-f0")]
