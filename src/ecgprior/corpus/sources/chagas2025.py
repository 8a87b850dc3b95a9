"""The WFDB form of the PhysioNet Challenge 2025 (Chagas disease): header comments hold person and label.

``# Exam ID``, ``# Patient ID``, ``# Age``, ``# Sex``, ``# Chagas label`` (later forms add ``# Source``). The records are
CODE-15 % (and, in the full challenge, SaMi-Trop and PTB-XL), so patients share their prefix with ``code15``.

43 of 308 recordings exceed 10 mV somewhere and 43 break II = I + III by more than 0.05 mV at single samples: they are
kept as they are.

**Source** Reyna et al. 2025, https://moody-challenge.physionet.org/2025/; Ribeiro et al. 2021 (CODE-15 %).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...record.read import read
from ...record.record import Record
from ._tables import age, comments, fields, headers, sex, whole, yes
from .base import CatalogRow, Source


class Chagas2025(Source):
    """A folder of the challenge's WFDB records."""

    title = "PhysioNet Challenge 2025: Chagas disease from the ECG (CODE-15 % as WFDB)"
    licence = "CC BY 4.0"
    url = "https://moody-challenge.physionet.org/2025/"
    layout = "1111.hea and 1111.dat with '# Chagas label' in the header, in any folder below"
    vocabularies = ("chagas",)
    people = "code15"
    priority = 22

    def found(self) -> bool:
        if not self.root.is_dir():
            return False
        return any("chagas label" in fields(comments(path)) for path in islice(self.root.rglob("*.hea"), 5))

    def rows(self) -> Iterator[CatalogRow]:
        for path in headers(self.root):
            said = fields(comments(path))
            label = said.get("chagas label", "")
            labels = {"chagas": ("chagas",) if yes(label) else ()} if label else {}
            yield CatalogRow(
                record=path.stem,
                source=self.name,
                path=path.with_suffix("").relative_to(self.root).as_posix(),
                patient=whole(said.get("patient id")),
                age=age(said.get("age")),
                sex=sex(said.get("sex")),
                labels=labels,
            )

    def read(self, path: Path) -> Record:
        return read(path)
