"""LUDB: 200 12-lead ECGs of 200 people from Nizhny Novgorod, waves marked by cardiologists in every lead.

The publisher's headers scale every lead so that it spans exactly 1 "mV", which breaks II = I + III by up to 0.7. The
integers obey it exactly, so ``load`` reads all leads with one gain, 1,000 units/mV, and baseline 0 (1 unit = 1 µV is
inferred from the resulting amplitudes; the publisher states no unit). Lead names are lower case, cells of ``ludb.csv``
end with a line break and hold several labels, one a line. Only the middle of each recording is annotated: first and
last beats carry no marks.

The five benchmark labels are codes or groups of the vocabulary: ``AF`` (fibrillation, without flutter), ``BLOCK``
(sinoatrial, atrioventricular, bundle branch, hemiblock; not the non-specific delay), ``LVH``, ``LAH``, ``ISCSCAR``.

**Source** Kalyakulina et al. 2020, doi 10.1109/ACCESS.2020.3029211; the set's own README for the label texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ...record.read import read
from ...record.record import Record
from ..labels import vocabulary
from ._tables import age, read_table, sex, whole
from ._wfdb import all_annotations, common_gain
from .base import CatalogRow, Source

UNITS_PER_MV = 1000.0

# Column of ludb.csv → the code for a text that the vocabulary does not know.
_COLUMNS = {
    "Rhythms": "RHYTHM",
    "Electric axis of the heart": "AXIS",
    "Conduction abnormalities": "CD",
    "Extrasystolies": "ES",
    "Hypertrophies": "HYP",
    "Cardiac pacing": "PACE",
    "Ischemia": "ISCSCAR",
    "Non-specific repolarization abnormalities": "NSR",
    "Other states": "OTHER",
}
_LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")


class LUDB(Source):
    """The publisher's folder, version 1.0.1."""

    title = "Lobachevsky University Electrocardiography Database"
    licence = "ODC-By 1.0"
    url = "https://physionet.org/content/ludb/"
    layout = "ludb.csv\ndata/1.hea, data/1.dat, data/1.i … data/1.v6"
    vocabularies = ("ludb",)
    attribution = (
        "Contains information from the Lobachevsky University Electrocardiography Database (LUDB) 1.0.1, which is made "
        "available under the Open Data Commons Attribution License v1.0; Kalyakulina et al. 2020, IEEE Access 8, "
        "doi 10.1109/ACCESS.2020.3029211; Goldberger et al. 2000, PhysioNet."
    )
    priority = 10
    sums = "https://physionet.org/files/ludb/1.0.1/SHA256SUMS.txt"

    def found(self) -> bool:
        return (self.root / "ludb.csv").is_file() and (self.root / "data").is_dir()

    def rows(self) -> Iterator[CatalogRow]:
        for row in read_table(self.root / "ludb.csv", ("ID", "Sex", "Age", *_COLUMNS)):
            record = whole(row["ID"])
            if record is None or not (self.root / "data" / f"{record}.hea").is_file():
                continue
            yield CatalogRow(
                record=record,
                source=self.name,
                path=f"data/{record}",
                patient=record,  # one recording a person, says the publisher
                age=age(row["Age"]),
                sex=sex(row["Sex"]),
                labels={"ludb": labels_of(row)},
            )

    def read(self, path: Path) -> Record:
        record = common_gain(read(path), path, UNITS_PER_MV)
        return record.with_(annotations=all_annotations(path, _LEADS))


def labels_of(row: Mapping[str, str]) -> tuple[str, ...]:
    """The codes of one row of ``ludb.csv``: one a line of a cell, in the vocabulary's order.

    A text that the vocabulary does not know counts as its column's own code (``CD``, ``ISCSCAR``, …), and as
    ``BLOCK`` when it says "block".
    """
    table = vocabulary("ludb")
    present = set()
    for column, other in _COLUMNS.items():
        for line in row[column].splitlines():
            text = " ".join(line.split())
            if text:
                blocked = column.startswith("Conduction") and "block" in text.casefold()
                present.add(table.find(text) or ("BLOCK" if blocked else other))
    return tuple(code for code in table.codes if code in present)
