"""Progress for commands: one callback ``(done, total, text)`` that moves a bar, or writes lines where no bar fits."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Move = Callable[[int, int, str], None]

_LINE_S = 15.0  # in a log file: a line every so many seconds


@contextmanager
def progress_bar(title: str) -> Iterator[Move]:
    """Show progress while the block runs; yields the callback ``(done, total, text)`` that moves it.

    On a terminal it is a bar, elsewhere (a log, a pipe) a line from time to time; always on stderr.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(title, total=None, text="")

        def move(done: int, total: int, text: str = "") -> None:
            bars.update(task, completed=done, total=total, text=text)

        yield move


def watched(move: Move, work: Path) -> Move:
    """The callback, its text – the cells at work – replaced by the latest step of their runs, if any.

    Cells that other processes compute do not call back; their runs' logs, below `work`, say how far they are.
    """

    def moved(done: int, total: int, text: str = "") -> None:
        move(done, total, running(work, text) or text)

    return moved


def running(work: Path, cells: str, within_s: float = 60.0) -> str:
    """``"simclr-s0-f0 step 340, loss 0.21"`` for each of `cells` (``"a, b"``) whose log was written lately."""
    since = time.time() - within_s
    logs = [path for path in sorted(work.glob("*/run/log.jsonl")) if path.stat().st_mtime >= since]
    named = [(path.parts[-3].rpartition("-")[0], path) for path in logs]
    steps = [(cell, _last_step(path)) for cell, path in named if cell in cells.split(", ")]
    return "; ".join(f"{cell} {step}" for cell, step in steps if step)


def _last_step(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, file.seek(0, 2) - 4096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        try:
            event = json.loads(line)
        except ValueError:  # cut off at one end
            continue
        if event.get("event") == "step" and event.get("loss") is not None:
            return f"step {event['step']}, loss {event['loss']:.3g}"
    return ""


def _lines(title: str) -> Move:
    began = time.monotonic()
    said = {"at": began, "finished": False}

    def move(done: int, total: int, text: str = "") -> None:
        now = time.monotonic()
        finished = done == total and not said["finished"]
        if finished or now - said["at"] >= _LINE_S:
            said.update(at=now, finished=done == total)
            print(f"{title} {done}/{total} {now - began:.0f} s {text}".rstrip(), file=sys.stderr, flush=True)

    return move
