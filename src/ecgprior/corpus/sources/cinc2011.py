"""CinC 2011: 12-lead ECGs of 10 s taken by lay people with a telephone, acceptable or not for diagnosis.

The recordings came without a unit; 5 µV a unit (200 units/mV, which is also WFDB's default) is inferred from the
amplitudes: the median range of a lead is then 1.1 mV. Unacceptable recordings hold saturated and constant leads: that
is what makes them unacceptable, so they stay as they are.

aVL and aVF stand under each other's names in every recording that we have seen (what is called aVF equals I − II/2,
which is aVL, to rounding). So the two are exchanged wherever the limb leads say so; where they say nothing (both flat)
the names stay.

Quality is read from the publisher's lists ``RECORDS-acceptable`` and ``RECORDS-unacceptable``, or from a table
``labels.csv`` (record, quality). A recording in neither is not labelled. Nothing is known of the people.

**Source** Silva et al. 2011, "Improving the quality of ECGs collected using mobile phones", CinC 38:273-276;
https://physionet.org/content/challenge-2011/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...record.read import read
from ...record.record import Record
from ._tables import headers, read_table
from .base import CatalogRow, Source

_QUALITY: dict[str, tuple[str, ...]] = {"acceptable": (), "unacceptable": ("unacceptable",)}


class CinC2011(Source):
    """Set A of the challenge; set B was never published with its labels."""

    title = "PhysioNet/CinC Challenge 2011: quality of 12-lead ECGs"
    licence = "ODC-By 1.0"
    url = "https://physionet.org/content/challenge-2011/"
    layout = (
        "set-a/1002603.hea and .dat\n"
        "set-a/RECORDS-acceptable and set-a/RECORDS-unacceptable, or labels.csv (record, quality)"
    )
    vocabularies = ("cinc2011_quality",)
    priority = 10
    sums = "https://physionet.org/files/challenge-2011/1.0.0/SHA256SUMS.txt"

    def found(self) -> bool:
        folder = self.root / "set-a"
        return folder.is_dir() and (
            (self.root / "labels.csv").is_file() or (folder / "RECORDS-unacceptable").is_file()
        )

    def rows(self) -> Iterator[CatalogRow]:
        quality = self._quality()
        for path in headers(self.root / "set-a"):
            said = _QUALITY.get(quality.get(path.stem, ""))
            labels = {} if said is None else {"cinc2011_quality": said}
            place = path.with_suffix("").relative_to(self.root).as_posix()
            yield CatalogRow(path.stem, self.name, place, None, None, None, labels)

    def read(self, path: Path) -> Record:
        record = read(path)
        if not {"I", "II", "aVL", "aVF"} <= set(record.leads):
            return record
        avl = record.lead("I") - record.lead("II") / 2
        called_avl, called_avf = (np.nansum(np.abs(record.lead(lead) - avl)) for lead in ("aVL", "aVF"))
        if not called_avf < called_avl:
            return record
        exchanged = {"aVL": "aVF", "aVF": "aVL"}
        return record.with_(leads=tuple(exchanged.get(lead, lead) for lead in record.leads)).pick(record.leads)

    def _quality(self) -> dict[str, str]:
        if (table := self.root / "labels.csv").is_file():
            return {row["record"]: row["quality"] for row in read_table(table, ("record", "quality"))}
        found = {}
        for quality in _QUALITY:
            names = self.root / "set-a" / f"RECORDS-{quality}"
            if names.is_file():
                found.update(dict.fromkeys(names.read_text(encoding="utf-8").split(), quality))
        return found
