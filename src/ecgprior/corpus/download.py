"""Download an openly licensed source: resumed, verified file by file, and never trusted without a hash.

Offered is only what the publisher lists with SHA-256: a download that cannot be checked is not offered.
PhysioNet serves ``SHA256SUMS.txt`` beside every project. It is fetched first and is the registry for everything
else: a file that is here and has its hash is left alone, a broken connection is resumed with an HTTP Range request from
``<file>.part``, and a file whose hash differs is fetched once more from its beginning and then refused. pooch keeps
the registry and moves a file to its name only when its hash is right; it cannot resume, so :class:`Resuming` does the
transfer.
"""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..errors import CorpusError, EcgpriorError, ExtraMissing, FormatBroken, ReadError
from ..provenance import sha256_file

if TYPE_CHECKING:
    from .sources.base import Source

Progress = Callable[[int, int, str], None]
SUMS = "SHA256SUMS.txt"
_PIECE = 1 << 13  # bytes written at a time: what a dropped connection may lose
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)")


def download(
    source: type[Source],
    to: Path | str,
    *,
    only: Iterable[str] = (),
    mirror: str | None = None,
    workers: int = 4,
    pause: float = 1.0,
    progress: Progress | None = None,
) -> Path:
    """Download a source into a folder, or go on with a download that was broken off.

    Parameters
    ----------
    source : subclass of Source
        One that says where its ``SHA256SUMS.txt`` is.
    to : Path
        Made if it is not there.
    only : iterable of str
        Patterns such as ``"records500/*"``; default every file of the source.
    mirror : str, optional
        Address of another folder that holds the same files and ``SHA256SUMS.txt``.
    workers : int
        Files at a time.
    pause : float
        Seconds before the first repetition; doubled each time.
    progress : callable, optional
        ``(done, total, file)`` after every file.

    Raises
    ------
    CorpusError
        The source cannot be downloaded, no file matches `only`, or the folder cannot be written.
    ReadError
        The server cannot be reached, has no such file, or sends something else than its hash says.
    """
    name = source.__module__.rsplit(".", 1)[-1]
    if mirror is None and source.sums is None:
        how = f"make it with `{source.url}`" if source.url else "it is a folder of one's own"
        if source.url.startswith("https://"):
            how = (
                f"no {SUMS} of its publisher is known, and a download that cannot be checked is not offered; "
                f"get it at {source.url}"
            )
        raise CorpusError(f"source '{name}' ({source.licence}) is not downloaded by ecgprior: {how}.")
    base = f"{mirror.rstrip('/')}/" if mirror else str(source.sums).removesuffix(SUMS)
    to = Path(to)
    try:
        to.mkdir(parents=True, exist_ok=True)
        registry = read_sums(_fetch_sums(base, to, pause), source.within, only)
        _fetch_all(base, to, registry, workers, pause, progress)
    except EcgpriorError:
        raise
    except OSError as error:  # read-only, full, a file in the way
        raise CorpusError(
            f"cannot write to '{to}': {error.strerror or error}. Choose another folder with --to."
        ) from None
    return to


def read_sums(path: Path, within: str = "", only: Iterable[str] = ()) -> dict[str, str]:
    """The files of a ``SHA256SUMS.txt`` and their hashes, in its order.

    Parameters
    ----------
    path : Path
    within : str
        Only the files whose path begins so.
    only : iterable of str
        Only the files that match one of these patterns.

    Raises
    ------
    FormatBroken
        A line is not ``<64 hexadecimal digits>  <path>``, or a path leads out of the folder.
    CorpusError
        No file is left.
    """
    patterns = tuple(only)
    registry: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        if not (match := _LINE.fullmatch(line.strip())):
            raise FormatBroken(f"{SUMS}: expected '<sha256>  <path>', got {line[:80]!r}")
        digest, name = match[1].lower(), match[2].strip().removeprefix("./")
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or name == SUMS:
            raise FormatBroken(f"{SUMS}: expected a path inside the folder, got {name!r}")
        if name.startswith(within) and (not patterns or any(fnmatch.fnmatchcase(name, p) for p in patterns)):
            registry[name] = digest
    if not registry:
        asked = " or ".join((*patterns, within)) or "any file"
        raise CorpusError(f"{SUMS} names no file that matches {asked}: expected at least one.")
    return registry


class Resuming:
    """A downloader for pooch that keeps what it has in ``<file>.part`` and asks for the rest.

    Parameters
    ----------
    part : Path
        Where the unfinished file lies.
    attempts : int
        Connections in a row that may bring nothing new.
    pause : float
        Seconds before the first repetition; doubled each time.
    """

    def __init__(self, part: Path, *, attempts: int = 5, pause: float = 1.0) -> None:
        self.part, self.attempts, self.pause = part, attempts, pause

    def __call__(
        self, url: str, output_file: Any, pooch: Any = None, check_only: bool = False
    ) -> bool | None:
        """Fetch `url` into `output_file`: what pooch asks of a downloader."""
        requests = _requests()
        vain = 0
        while vain < self.attempts:
            had = self.part.stat().st_size if self.part.is_file() else 0
            try:
                self._get(requests, url, had)
                os.replace(self.part, output_file)
                return None
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ) as error:
                now = self.part.stat().st_size if self.part.is_file() else 0
                vain = 0 if now > had else vain + 1
                last = error
                time.sleep(self.pause * 2 ** max(vain - 1, 0))
            except requests.RequestException as error:
                raise ReadError(f"'{url}' cannot be fetched: {error}") from None
        raise ReadError(
            f"'{url}' cannot be fetched: {self.attempts} connections in a row brought nothing ({last})"
        )

    def _get(self, requests: Any, url: str, had: int) -> None:
        asked = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
        with requests.get(url, headers=asked, stream=True, timeout=(15, 60)) as answer:
            if answer.status_code == 416:  # nothing left to send, or another file by now: begin again
                self.part.unlink()
                raise requests.ConnectionError("the rest that was asked for does not exist")
            if answer.status_code >= 500 or answer.status_code == 429:
                raise requests.ConnectionError(f"HTTP {answer.status_code}")
            if answer.status_code not in (200, 206):
                raise ReadError(f"'{url}' cannot be fetched: expected HTTP 200, got {answer.status_code}")
            resumed = answer.status_code == 206
            with open(self.part, "ab" if resumed else "wb") as file:
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)


def _fetch_sums(base: str, to: Path, pause: float) -> Path:
    part = to / f".{SUMS}.part"
    part.unlink(missing_ok=True)  # it has no hash of its own, so it is never resumed from an earlier run
    Resuming(part, pause=pause)(base + SUMS, to / SUMS)
    return to / SUMS


def _fetch_all(
    base: str, to: Path, registry: dict[str, str], workers: int, pause: float, progress: Progress | None
) -> None:
    keeper = _pooch().create(path=to, base_url=base, registry={k: f"sha256:{v}" for k, v in registry.items()})
    with ThreadPoolExecutor(max(1, workers)) as pool:
        jobs = {pool.submit(_fetch, keeper, to, name, registry[name], pause): name for name in registry}
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                if progress:
                    progress(done, len(registry), jobs[job])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(keeper: Any, to: Path, name: str, digest: str, pause: float) -> None:
    """One file, twice at most: what arrives with another hash is fetched once more from its beginning."""
    target = to / name
    part = target.with_name(f"{target.name}.part")
    for last in (False, True):
        if target.is_file() and sha256_file(target) == digest:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            keeper.fetch(name, downloader=Resuming(part, pause=pause))
            return
        except ValueError as error:  # pooch: the hash differs
            if "hash" not in str(error):
                raise ReadError(f"'{keeper.get_url(name)}' cannot be fetched: {error}") from None
            part.unlink(missing_ok=True)
            if last:
                raise ReadError(
                    f"'{keeper.get_url(name)}' is corrupt: expected SHA-256 {digest}, got another twice. "
                    "What arrived was thrown away; try again later or another --mirror."
                ) from None


def _pooch() -> Any:
    try:
        import pooch
    except ImportError:
        raise ExtraMissing.of("pooch", "download", "downloading a source") from None
    pooch.get_logger().setLevel("ERROR")
    return pooch


def _requests() -> Any:
    try:
        import requests
    except ImportError:
        raise ExtraMissing.of("requests", "download", "downloading a source") from None
    return requests
