"""Brugada-HUCA: 363 12-lead ECGs of 12 s at 100 Hz from Oviedo, with or without Brugada syndrome.

``brugada`` is 0 (none), 1 (confirmed) or 2 (other or atypical): the undecided 2 are not labelled in the vocabulary
``brugada``. ``brugada_history`` holds what else the table says of every person.

**Source** the set's README and ``metadata_dictionary.csv``, https://physionet.org/content/brugada-huca/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...record.read import read
from ...record.record import Record
from ._tables import number, read_table, whole, yes
from .base import CatalogRow, Source

_HISTORY = ("basal_pattern", "sudden_death")
_BRUGADA: dict[float, tuple[str, ...]] = {0.0: (), 1.0: ("brugada",)}


class Brugada(Source):
    """The publisher's folder."""

    title = "Brugada-HUCA: 12-lead ECGs for the study of Brugada syndrome"
    licence = "CC BY-SA 4.0"
    url = "https://physionet.org/content/brugada-huca/"
    layout = "metadata.csv\nfiles/188981/188981.hea and .dat"
    vocabularies = ("brugada", "brugada_history")
    priority = 10
    sums = "https://physionet.org/files/brugada-huca/1.0.0/SHA256SUMS.txt"

    def found(self) -> bool:
        table = self.root / "metadata.csv"
        return table.is_file() and (self.root / "files").is_dir() and b"brugada" in table.read_bytes()[:500]

    def rows(self) -> Iterator[CatalogRow]:
        for row in read_table(self.root / "metadata.csv", ("patient_id", "brugada", *_HISTORY)):
            person = whole(row["patient_id"])
            path = f"files/{person}/{person}"
            if person is None or not (self.root / f"{path}.hea").is_file():
                continue
            labels = {"brugada_history": tuple(name for name in _HISTORY if yes(row[name]))}
            if (answer := number(row["brugada"])) in _BRUGADA:
                labels["brugada"] = _BRUGADA[answer]
            yield CatalogRow(person, self.name, path, person, None, None, labels)

    def read(self, path: Path) -> Record:
        return read(path)
