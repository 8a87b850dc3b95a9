"""Progress: lines where there is no terminal, and the steps of other processes' runs."""

import json
import os

from ecgprior.app import progress
from ecgprior.app.progress import progress_bar, running, watched


def test_in_a_log_it_is_lines_and_the_end_is_said_once(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with progress_bar("prepare") as move:
        for done in range(1, 5):
            move(done, 4, f"record {done}")
        move(4, 4)
    said = capsys.readouterr().err.splitlines()
    assert said == ["prepare 2/4 20 s record 2", "prepare 4/4 40 s record 4"]


def test_every_run_that_goes_on_is_named_with_its_step(tmp_path):
    assert running(tmp_path, "a-s0-f0") == ""
    for i, name in enumerate(("a-s0-f0-12ab", "b-s0-f1-34cd", "old-s0-f0-56ef")):
        folder = tmp_path / name / "run"
        folder.mkdir(parents=True)
        lines = [
            {"event": "step", "step": 10 * (i + 1), "loss": 0.25},
            {"event": "validation", "step": 20, "auroc": 0.5},
        ]
        (folder / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines) + '{"event": "st')
    os.utime(tmp_path / "old-s0-f0-56ef/run/log.jsonl", (0, 0))
    both = "a-s0-f0, b-s0-f1"
    assert running(tmp_path, both) == "a-s0-f0 step 10, loss 0.25; b-s0-f1 step 20, loss 0.25"
    assert running(tmp_path, "b-s0-f1") == "b-s0-f1 step 20, loss 0.25"  # the other one ended a moment ago
    said = []
    watched(lambda *what: said.append(what), tmp_path)(1, 3, both)
    watched(lambda *what: said.append(what), tmp_path / "elsewhere")(1, 3, both)
    assert said == [(1, 3, running(tmp_path, both)), (1, 3, both)]
