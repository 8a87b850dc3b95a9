"""What a run says while it goes on: one JSON object a line, and TensorBoard when asked."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ..errors import ExtraMissing
from ..provenance import atomic_open


class RunLog:
    """``log.jsonl`` of a run folder.

    Parameters
    ----------
    folder : Path or None
        None = say nothing (every process but the first).
    done : int
        Steps already done: lines of later steps, written before a kill, are taken out.
    tensorboard : bool
        Also write event files to ``folder/tensorboard``.

    Raises
    ------
    ExtraMissing
        TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path | None, done: int = 0, tensorboard: bool = False) -> None:
        self.path = None if folder is None else folder / "log.jsonl"
        self._board = _board(folder / "tensorboard", done) if folder is not None and tensorboard else None
        if self.path is not None and self.path.is_file():
            kept = [line for line in read_log(self.path) if int(line.get("step", 0)) <= done] if done else []
            with atomic_open(self.path) as file:
                file.writelines(json.dumps(line) + "\n" for line in kept)
        self._file = None if self.path is None else open(self.path, "a", encoding="utf-8")  # noqa: SIM115

    def write(self, event: str, step: int, **values: Any) -> None:
        """One line; a number that is not finite becomes null."""
        if self._file is None:
            return
        line = {"event": event, "step": step, **{key: _plain(value) for key, value in values.items()}}
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()
        if self._board is not None:
            for key, value in line.items():
                if key != "step" and isinstance(value, float):
                    self._board.add_scalar(f"{event}/{key}", value, step)

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last line that was cut by a kill is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _board(folder: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ExtraMissing.of("tensorboard", "train", "--tensorboard") from None
    return SummaryWriter(str(folder), purge_step=done + 1 if done else None)
