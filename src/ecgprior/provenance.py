"""Where a result came from: hashes, versions, and files that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import IO, Any


def sha256(data: bytes | str) -> str:
    """SHA-256 of bytes, or of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON value, independent of key order.

    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def digest_pairs(pairs: Iterable[tuple[str, Any]]) -> str:
    """SHA-256 of (name, value) pairs, independent of their order."""
    return sha256("\n".join(sorted(f"{name}\t{value}" for name, value in pairs)))


def check_target(path: str | Path) -> None:
    """Refuse, before long work, a file that :func:`atomic_open` would refuse after it; nothing is made or changed.

    Raises
    ------
    OSError
        What the system says: its folder, or the folder in which that would be made, cannot be written; `path` is a
        folder, a device or a pipe.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    _check_kind(path)
    place = next(above for above in path.absolute().parents if above.exists())
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _check_kind(path: Path) -> None:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "expected a file, got a device or a pipe", str(path))


@contextlib.contextmanager
def atomic_open(path: str | Path, mode: str = "w", sync: bool = True) -> Iterator[IO[Any]]:
    """Open a new file that appears under its name only when it is complete and on disk.

    A crash, a full disk or an exception leaves whatever was there before. Without `sync` that holds for a killed
    process but not for a power failure: for many files that are synced, or checked, together later.

    Raises
    ------
    OSError
        What the system says; also when `path` is a device or a pipe, which a rename would replace by a file.
    """
    path = Path(path)
    _check_kind(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file atomically. NaN is refused: JSON has none; use ``None``."""
    with atomic_open(path) as file:
        json.dump(value, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def version() -> str:
    """The installed version of ecgprior."""
    try:
        return metadata.version("ecgprior")
    except metadata.PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


_CODE = {".py", ".toml", ".csv", ".json", ".onnx"}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """SHA-256 over the package's code, recipes, tables and weights: what ran. Computed once a process."""
    root = Path(__file__).parent
    files = sorted(p for p in root.rglob("*") if p.suffix in _CODE)
    return digest_pairs((p.relative_to(root).as_posix(), sha256_file(p)) for p in files)


def git_commit() -> str | None:
    """The commit of the source tree this package runs from, with ``+`` when it has changes; else None."""
    here = Path(__file__).parent
    try:
        run = lambda *a: subprocess.run(  # noqa: E731
            ["git", *a], cwd=here, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
        commit = run("rev-parse", "HEAD")
        return commit + ("+" if run("status", "--porcelain", "--untracked-files=no", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def provenance() -> dict[str, Any]:
    """When, with which code and on which platform: the block that every manifest carries."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "ecgprior": version(),
        "code_sha256": code_digest(),
        "git": git_commit(),
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }
