"""Cells: the unit of a benchmark's work – one arm, one seed, one test fold, all tasks.

A finished cell is one small JSON file under ``cells/``. It holds the test records, their scores and what was
computed from them, and the digests of all it depends on: it is enough to build every table again, on another
machine, without weights. A cell is claimed by a lock on a file of its own, which the system gives back when
the process ends, however it ends; so any number of processes may work on one result folder.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..provenance import atomic_open

FORMAT = 1
"""Version of a cell's JSON."""


@dataclass(frozen=True, order=True)
class CellName:
    """Which cell: arm, seed and test fold."""

    arm: str
    seed: int
    fold: int

    def __str__(self) -> str:
        return f"{self.arm}-s{self.seed}-f{self.fold}"


class CellStore:
    """The folder of finished cells.

    Parameters
    ----------
    to : Path
        The result folder; cells lie in ``to/cells``.
    """

    def __init__(self, to: Path) -> None:
        self.folder = to / "cells"
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: CellName) -> Path:
        return self.folder / f"{name}.json"

    def read(self, name: CellName) -> dict[str, Any] | None:
        """A finished cell, or None.

        Raises
        ------
        CorpusError
            The file is not a cell of this version.
        """
        path = self.path(name)
        try:
            cell = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise CorpusError(
                f"cell '{name}': expected JSON, got {error}; delete {path} to compute it again"
            ) from None
        if not isinstance(cell, dict) or cell.get("format") != FORMAT:
            raise CorpusError(f"cell '{name}': expected format {FORMAT}; delete {path} to compute it again")
        return cell

    def write(self, name: CellName, cell: dict[str, Any]) -> None:
        """Write a finished cell: whole or not at all, one line a top-level key."""
        with atomic_open(self.path(name)) as file:
            lines = (f"{json.dumps(key)}: {compact(value)}" for key, value in cell.items())
            file.write("{\n" + ",\n".join(lines) + "\n}\n")

    @contextlib.contextmanager
    def claim(self, name: CellName) -> Iterator[bool]:
        """Claim a cell for the block: False when another process is at it, or it is finished."""
        lock = self.folder / f".{name}.lock"
        with open(lock, "a") as file:
            if not holds_lock(file.fileno()):
                yield False
                return
            if self.path(name).exists():
                lock.unlink(missing_ok=True)
                yield False
                return
            yield True
            if self.path(name).exists():
                lock.unlink(missing_ok=True)  # whoever still holds it open finds the finished cell

    def claimed(self, name: CellName) -> bool:
        """Whether a process is at work on the cell now."""
        lock = self.folder / f".{name}.lock"
        try:
            with open(lock) as file:
                return not holds_lock(file.fileno())
        except FileNotFoundError:
            return False


def compact(value: Any) -> str:
    """JSON in one line. NaN is refused: JSON has none."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time into the block: another one that asks for the same folder, made when absent, waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a") as file:
        while not holds_lock(file.fileno()):
            time.sleep(0.5)
        yield


def holds_lock(handle: int) -> bool:
    """Take an exclusive lock, released when the file is closed or the process ends; False when it is taken."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
