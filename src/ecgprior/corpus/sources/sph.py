"""SPH: 25,770 12-lead ECGs of 10 to 60 s at 500 Hz from Shandong, with AHA statements.

One HDF5 file a recording (dataset ``ecg``: (lead, time), float16, mV, standard lead order). ``AHA_Code`` holds
statements separated by ``;``, each with modifiers after ``+`` (``50+346``): the statement counts, the modifiers are
not kept. A recording without a row in the table is listed without labels.

**Source** Liu et al. 2022, doi 10.1038/s41597-022-01403-5; statements: Mason et al. 2007,
doi 10.1161/CIRCULATIONAHA.106.180201.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...record.read import read
from ...record.record import LEADS, Record
from ..labels import vocabulary
from ._tables import age, in_order, read_table, sex, whole
from .base import CatalogRow, Source

FS = 500


class SPH(Source):
    """The publisher's folder, or its files beside the table."""

    title = "Shandong Provincial Hospital 12-lead ECG database"
    licence = "CC BY 4.0"
    url = "https://doi.org/10.6084/m9.figshare.c.5779802.v1"
    layout = "metadata.csv (ECG_ID, AHA_Code, Patient_ID, Age, Sex, …)\nrecords/A00001.h5, or A00001.h5 beside the table"
    vocabularies = ("sph_aha",)
    priority = 10

    def found(self) -> bool:
        table = self.root / "metadata.csv"
        return table.is_file() and b"AHA_Code" in table.read_bytes()[:500]

    def rows(self) -> Iterator[CatalogRow]:
        files = {
            path.stem: path for folder in (self.root, self.root / "records") for path in folder.glob("*.h5")
        }
        for row in read_table(self.root / "metadata.csv", ("ECG_ID", "AHA_Code", "Patient_ID", "Age", "Sex")):
            record = row["ECG_ID"].strip().removesuffix(".h5")
            if (path := files.pop(record, None)) is None:
                continue
            yield self._row(path, whole(row["Patient_ID"]), row)
        for record in sorted(files, key=in_order):
            yield self._row(files[record], None, {})

    def _row(self, path: Path, person: str | None, row: dict[str, str]) -> CatalogRow:
        labels = {"sph_aha": labels_of(row["AHA_Code"])} if row.get("AHA_Code") else {}
        place = path.relative_to(self.root).as_posix()
        return CatalogRow(
            path.stem, self.name, place, person, age(row.get("Age")), sex(row.get("Sex")), labels
        )

    def read(self, path: Path) -> Record:
        return read(path, fs=FS, leads=LEADS, unit="mV")


def labels_of(codes: str) -> tuple[str, ...]:
    """The primary statements of an ``AHA_Code`` cell, in the vocabulary's order.

    >>> labels_of("50+346;22")
    ('22', '50')
    """
    said = {part.split("+")[0].strip() for part in codes.split(";")}
    return tuple(code for code in vocabulary("sph_aha").codes if code in said)
