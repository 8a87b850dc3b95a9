"""Simulated ECGs as ``ecgprior simulate`` writes them: WFDB records, a table, and beat marks.

Nothing here is from a patient. ``simulated.csv`` holds record, patient, age, sex, labels (separated by ``;``) and the
true measurements of every ECG; the beats are annotations ``.atr``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...record.read import read
from ...record.record import Record
from ..labels import vocabulary
from ._tables import age, read_table, sex
from .base import CatalogRow, Source


class Simulated(Source):
    """The folder that ``ecgprior simulate --to`` made."""

    title = "ECGs simulated by ecgprior (no patients)"
    licence = "none needed: made by ecgprior"
    url = "ecgprior simulate --n 2000 --to DIR --seed 0"
    layout = "simulated.csv\nrecords/sim000000.hea, .dat and .atr"
    vocabularies = ("simulated",)
    priority = 99

    def found(self) -> bool:
        return (self.root / "simulated.csv").is_file() and (self.root / "records").is_dir()

    def rows(self) -> Iterator[CatalogRow]:
        known = vocabulary("simulated")
        for row in read_table(self.root / "simulated.csv", ("record", "patient", "age", "sex", "labels")):
            codes = tuple(known.expect(code) for code in row["labels"].split(";") if code)
            yield CatalogRow(
                record=row["record"],
                source=self.name,
                path=f"records/{row['record']}",
                patient=row["patient"] or None,
                age=age(row["age"]),
                sex=sex(row["sex"]),
                labels={"simulated": codes},
            )

    def read(self, path: Path) -> Record:
        return read(path, annotations="atr")
