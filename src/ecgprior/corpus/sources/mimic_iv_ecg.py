"""MIMIC-IV-ECG: about 800,000 12-lead ECGs of 10 s at 500 Hz from Boston, with the machine's own statements.

``record_list.csv`` names the files, ``machine_measurements.csv`` holds up to 18 statements a study (``report_0`` …
``report_17``). The files store aVF before aVL: leads go by their names, never by position. Samples may be missing (NaN).

``mimic_machine`` counts a statement of the ECG cart when it begins with a text of the vocabulary; statements that a
doubt precedes ("possible", "cannot rule out", "consider", "no ") do not begin with one and do not count. They are the
machine's, not a cardiologist's. With ``records_w_diag_icd10.csv`` (MIMIC-IV-ECG-Ext-ICD) beside the tables rows also
carry age, sex and its 20 patient folds, used as 0–17 / 18 / 19; without it MIMIC-IV-ECG tells neither.

**Source** Gow et al. 2023, doi 10.13026/4nqg-sb35 (tables and layout); Strodthoff et al. 2024,
doi 10.13026/ypt5-9d58 (folds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ...record.read import read
from ...record.record import Record
from ..labels import vocabulary
from ._tables import age, number, read_table, sex, table_path, whole
from .base import CatalogRow, PublishedFolds, Source

_REPORTS = tuple(f"report_{index}" for index in range(18))


class MIMICIVECG(Source):
    """The publisher's folder, or a part of it: only recordings that are on disk are listed."""

    title = "MIMIC-IV-ECG: diagnostic electrocardiogram matched subset"
    licence = "ODbL 1.0"
    url = "https://physionet.org/content/mimic-iv-ecg/"
    layout = (
        "record_list.csv (subject_id, study_id, file_name, ecg_time, path)\n"
        "files/p1000/p10000032/s40689238/40689238.hea and .dat\n"
        "machine_measurements.csv (optional)"
    )
    vocabularies = ("mimic_machine",)
    folds = PublishedFolds(train=tuple(range(18)), validation=(18,), test=(19,))
    tested = "layout"
    priority = 10
    sums = "https://physionet.org/files/mimic-iv-ecg/1.0/SHA256SUMS.txt"

    def found(self) -> bool:
        return table_path(self.root, "record_list.csv") is not None

    def rows(self) -> Iterator[CatalogRow]:
        table = table_path(self.root, "record_list.csv")
        if table is None:
            return
        present = [
            row
            for row in read_table(table, ("subject_id", "study_id", "path"))
            if (self.root / f"{row['path']}.hea").is_file()
        ]
        studies = {row["study_id"] for row in present}
        statements, people = self._statements(studies), self._people(studies)
        for row in present:
            study = row["study_id"]
            person = people.get(study, {})
            fold = number(person.get("strat_fold"))
            yield CatalogRow(
                record=study,
                source=self.name,
                path=row["path"],
                patient=whole(row["subject_id"]),
                age=age(person.get("age")),
                sex=sex(person.get("gender")),
                labels={"mimic_machine": statements[study]} if study in statements else {},
                fold=None if fold is None else int(fold),
            )

    def read(self, path: Path) -> Record:
        return read(path)

    def _statements(self, studies: set[str]) -> dict[str, tuple[str, ...]]:
        table = table_path(self.root, "machine_measurements.csv")
        if table is None:
            return {}
        rows = read_table(table, ("study_id", *_REPORTS))
        return {row["study_id"]: labels_of(row) for row in rows if row["study_id"] in studies}

    def _people(self, studies: set[str]) -> dict[str, dict[str, str]]:
        table = table_path(self.root, "records_w_diag_icd10.csv")
        if table is None:
            return {}
        rows = read_table(table, ("study_id", "age", "gender", "strat_fold"))
        return {row["study_id"]: row for row in rows if row["study_id"] in studies}


def labels_of(row: Mapping[str, str]) -> tuple[str, ...]:
    """The codes of one row of ``machine_measurements.csv``.

    >>> labels_of({"report_0": "Sinus rhythm with PACs", "report_1": "Possible left ventricular hypertrophy"})
    ('SINUS', 'PAC')
    """
    table = vocabulary("mimic_machine")
    said = [text.strip().casefold() for report in _REPORTS if (text := row.get(report, ""))]
    # "Sinus rhythm with PACs" says two things: each part of a statement is looked at
    parts = [part.strip() for text in said for part in (text, *text.split(" with ")[1:])]
    return tuple(
        code
        for code, texts in zip(table.codes, table.synonyms)
        if any(part.startswith(text) for part in parts for text in texts)
    )
