"""What a preparation is going to do, written before it starts: a run that goes on must be the same run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..errors import CorpusError, where
from ..provenance import digest_json, sha256, write_json
from .catalog import catalog
from .shards import VERSION
from .sources.base import Source

_SMALLEST, _LARGEST, _PARTS = 64, 512, 64


@dataclass(frozen=True)
class Plan:
    """Settings and records of a preparation.

    Attributes
    ----------
    fs, seconds : float
    leads : tuple of str
    n_records, part_records : int
        Records of the catalog, and of one part (= one shard).
    catalog : str
        SHA-256 of the catalog.
    """

    fs: float
    seconds: float
    leads: tuple[str, ...]
    n_records: int
    part_records: int
    catalog: str

    @classmethod
    def of(cls, table: pl.DataFrame, *, fs: float, seconds: float, leads: tuple[str, ...]) -> Plan:
        """The plan for a catalog: about 64 parts, of 64 to 512 records."""
        size = max(_SMALLEST, min(_LARGEST, -(-table.height // _PARTS)))
        sums = [sha256(piece.write_ndjson()) for piece in table.iter_slices(8192)]
        return cls(fs, seconds, leads, table.height, size, digest_json(sums))

    @property
    def n_parts(self) -> int:
        """How many parts there are."""
        return -(-self.n_records // self.part_records)

    def size(self, number: int) -> int:
        """Records of one part."""
        return min(self.part_records, self.n_records - number * self.part_records)

    def to_json(self) -> dict[str, object]:
        """As ``plan.json`` holds it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return (
            {"kind": "ecgprior-corpus-plan", "format_version": VERSION} | values | {"leads": list(self.leads)}
        )


def gather(sources: Sequence[Source]) -> pl.DataFrame:
    """The catalog of all sources, with ``_instance`` = which of them loads a record.

    Two folders of one source may hold a record of the same name (the challenges of two years): the later one is
    called ``name~2``.
    """
    if not sources:
        raise CorpusError("sources: expected at least one SOURCE=DIR, got none")
    tables = [
        catalog([source]).with_columns(pl.lit(number, pl.Int32).alias("_instance"))
        for number, source in enumerate(sources)
    ]
    table = pl.concat(tables, how="diagonal")
    times = pl.int_range(pl.len()).over("record") + 1
    name = pl.when(times > 1).then(pl.format("{}~{}", "record", times)).otherwise(pl.col("record"))
    table = table.with_columns(name.alias("record"))
    double = table.filter(table["record"].is_duplicated())["record"]
    if len(double):
        raise CorpusError(f"record '{double[0]}' occurs twice in the catalog: expected every name once")
    return table


def check_folder(folder: Path, plan: Plan) -> bool:
    """Whether `folder` already holds the finished corpus of this plan; made when it is not there.

    Raises
    ------
    CorpusError
        It is a file, holds something else, or a corpus of another plan.
    """
    if folder.exists() and not folder.is_dir():
        raise CorpusError(f"'{folder}': expected a folder to write to, got a file")
    folder.mkdir(parents=True, exist_ok=True)
    with where(f"folder '{folder}'"):
        finished = folder / "manifest.json"
        path = folder / "plan.json"
        if finished.is_file() and not path.is_file():
            raise CorpusError("a finished corpus lies here, without its plan: expected an empty folder")
        if not path.is_file():
            seen = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
            if seen:
                raise CorpusError(
                    f"expected a new or empty folder, got one with {', '.join(seen[:3])} – choose another"
                )
            return False
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        wanted = plan.to_json()
        if found != wanted:
            named = [k for k in wanted if not isinstance(found, dict) or found.get(k) != wanted[k]]
            raise CorpusError(
                f"a corpus of other sources or settings lies here ({', '.join(named)} differ): expected the same "
                "call again, or another --to"
            )
        if finished.is_file():
            shutil.rmtree(folder / "parts", ignore_errors=True)  # the run was killed after its last word
            return True
        return False


def write_plan(folder: Path, plan: Plan) -> None:
    """Write ``plan.json`` when it is not there, make the folders, and sweep what a killed run left half-written."""
    if not (folder / "plan.json").is_file():
        write_json(folder / "plan.json", plan.to_json())
    for name in (".", "shards", "parts"):
        (folder / name).mkdir(exist_ok=True)
        for left in (folder / name).glob(".*.part"):
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second preparation out of the folder while this one runs; the lock dies with its process.

    Where the system or the file system knows no locks there is none.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CorpusError(f"another preparation is writing to '{folder}': expected to be alone") from None
        except OSError:  # a network file system without locks
            pass
        yield
    finally:
        os.close(handle)
