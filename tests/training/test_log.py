import builtins

import pytest

from ecgprior.errors import ExtraMissing
from ecgprior.training.log import RunLog, read_log


def test_lines_are_objects_and_what_is_not_finite_is_null(tmp_path):
    log = RunLog(tmp_path)
    log.write("step", 1, loss=0.5, ratio=float("nan"))
    log.close()
    assert read_log(tmp_path / "log.jsonl") == [{"event": "step", "step": 1, "loss": 0.5, "ratio": None}]


def test_a_resumed_log_forgets_what_came_after_the_state(tmp_path):
    log = RunLog(tmp_path)
    for step in range(1, 6):
        log.write("step", step, loss=float(step))
    log.close()
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"event": "step", "st')
    log = RunLog(tmp_path, done=3)
    log.write("step", 4, loss=4.5)
    log.close()
    assert [line["loss"] for line in read_log(tmp_path / "log.jsonl")] == [1, 2, 3, 4.5]


def test_a_new_run_begins_a_new_log(tmp_path):
    for _ in range(2):
        log = RunLog(tmp_path)
        log.write("start", 0)
        log.close()
    assert len(read_log(tmp_path / "log.jsonl")) == 1


def test_other_processes_say_nothing(tmp_path):
    log = RunLog(None)
    log.write("step", 1, loss=1.0)
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_is_asked_for_by_name(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExtraMissing, match=r"--tensorboard needs the package 'tensorboard': pip install"):
        RunLog(tmp_path, tensorboard=True)
    RunLog(tmp_path).close()
