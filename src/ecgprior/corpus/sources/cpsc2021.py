"""CPSC-2021: Holter excerpts of leads I and II at 200 Hz with beats and rhythm marked, for paroxysmal AF.

``data_<patient>_<number>``: the header's last comment says non, persistent or paroxysmal atrial fibrillation, and
``.atr`` holds beats and the changes of rhythm, which ``load`` attaches. Gains differ between leads and are no whole
numbers, baselines are large: the header is right and is followed.

**Source** Wang et al. 2021, doi 10.13026/ksya-qw89; https://physionet.org/content/cpsc2021/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...record.read import read
from ...record.record import Record
from ._tables import age, comments, fields, headers, sex
from .base import CatalogRow, Source

_NAME = re.compile(r"data_(\d+)_(\d+)")
_RHYTHM: dict[str, tuple[str, ...]] = {
    "non atrial fibrillation": (),
    "persistent atrial fibrillation": ("AFf",),
    "paroxysmal atrial fibrillation": ("AFp",),
}


class CPSC2021(Source):
    """The publisher's folder (training sets I and II), or any part of it."""

    title = "CPSC-2021: paroxysmal atrial fibrillation from dynamic ECGs"
    licence = "CC BY 4.0"
    url = "https://physionet.org/content/cpsc2021/"
    layout = "data_8_2.hea, .dat and .atr, in any folder below"
    vocabularies = ("cpsc2021",)
    priority = 10
    sums = "https://physionet.org/files/cpsc2021/1.0.0/SHA256SUMS.txt"

    def found(self) -> bool:
        return self.root.is_dir() and any(_NAME.fullmatch(path.stem) for path in self.root.rglob("*.hea"))

    def rows(self) -> Iterator[CatalogRow]:
        for path in headers(self.root):
            if not (match := _NAME.fullmatch(path.stem)):
                continue
            lines = comments(path)
            said = fields(lines)
            rhythm = next((_RHYTHM[line.casefold()] for line in lines if line.casefold() in _RHYTHM), None)
            yield CatalogRow(
                record=path.stem,
                source=self.name,
                path=path.with_suffix("").relative_to(self.root).as_posix(),
                patient=match[1],
                age=age(said.get("age")),
                sex=sex(said.get("sex")),
                labels={} if rhythm is None else {"cpsc2021": rhythm},
            )

    def read(self, path: Path) -> Record:
        marked = path.with_name(f"{path.name}.atr").is_file()
        return read(path, annotations="atr" if marked else None)
