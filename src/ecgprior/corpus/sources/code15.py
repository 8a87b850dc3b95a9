"""CODE-15 %: 345,779 12-lead ECGs of 7 or 10 s at 400 Hz from Minas Gerais, with six abnormalities.

The publisher's form is ``exams.csv`` and 18 files ``exams_part<n>.hdf5``, each with ``exam_id`` (N,) and ``tracings``
(N, 4096, 12) in standard lead order. A recording of 7.3 s is padded with zeros on both sides to 4,096 samples: ``load``
cuts the zeros off, and refuses a row that holds nothing else (there is one at the end of each file). Values are taken
as mV, as the challenge of 2025 takes them; the documentation of the older CODE-test set names a scale of 1e-4 V.

The excerpt in MAT form (``meta.csv``, ``org/code_15_<exam>.mat``) is read too. With ``code15_chagas_labels.csv`` in the
folder the exams also carry the (self-reported) label ``chagas``.

**Source** Ribeiro et al. 2021, doi 10.5281/zenodo.4916206 (columns of ``exams.csv``, layout of the HDF5 files).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import ExtraMissing, FormatBroken, ReadError, RecordError
from ...record.read import read
from ...record.record import LEADS, Record
from ._tables import age, read_table, whole, yes
from .base import CatalogRow, Source

FS = 400
_SIX = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF")
_COLUMNS = ("exam_id", "age", "is_male", "patient_id", *_SIX)


class CODE15(Source):
    """The publisher's folder, or the excerpt as MAT files."""

    title = "CODE-15 %: a large scale annotated dataset of 12-lead ECGs"
    licence = "CC BY 4.0"
    url = "https://doi.org/10.5281/zenodo.4916206"
    layout = "exams.csv and exams_part0.hdf5 … exams_part17.hdf5, or meta.csv and org/code_15_<exam>.mat"
    vocabularies = ("code15", "chagas")
    tested = "layout"  # the HDF5 form; the MAT form was tested on real files
    priority = 20

    def found(self) -> bool:
        parts = any(self.root.glob("exams_part*.hdf5")) and (self.root / "exams.csv").is_file()
        return parts or ((self.root / "meta.csv").is_file() and any(self.root.glob("org/code_15_*.mat")))

    def rows(self) -> Iterator[CatalogRow]:
        if (self.root / "exams.csv").is_file():
            table, paths = self.root / "exams.csv", self._hdf5_rows()
        else:
            table = self.root / "meta.csv"
            files = self.root.glob("org/code_15_*.mat")
            paths = {
                file.stem.removeprefix("code_15_"): file.relative_to(self.root).as_posix() for file in files
            }
        chagas = self._chagas()
        for row in read_table(table, _COLUMNS):
            exam = whole(row["exam_id"])
            if exam is None or (path := paths.get(exam)) is None:
                continue
            labels = {"code15": tuple(code for code in _SIX if yes(row[code]))}
            if exam in chagas:
                labels["chagas"] = ("chagas",) if chagas[exam] else ()
            man = row["is_male"].strip()
            yield CatalogRow(
                record=exam,
                source=self.name,
                path=path,
                patient=whole(row["patient_id"]),
                age=age(row["age"]),
                sex=("male" if yes(man) else "female") if man else None,
                labels=labels,
            )

    def read(self, path: Path) -> Record:
        file, hash_, row = path.name.rpartition("#")
        if not hash_:
            return read(path, fs=FS, leads=LEADS, unit="mV")
        return read_tracing(path.with_name(file), int(row))

    def _hdf5_rows(self) -> dict[str, str]:
        rows: dict[str, str] = {}
        for part in sorted(self.root.glob("exams_part*.hdf5")):
            with _hdf5(part) as file:
                for index, exam in enumerate(file["exam_id"][:]):
                    rows.setdefault(str(int(exam)), f"{part.name}#{index}")
        return rows

    def _chagas(self) -> dict[str, bool]:
        table = self.root / "code15_chagas_labels.csv"
        if not table.is_file():
            return {}
        return {row["exam_id"]: yes(row["chagas"]) for row in read_table(table, ("exam_id", "chagas"))}


def read_tracing(path: Path, row: int) -> Record:
    """One row of ``tracings``, its padding cut off.

    Raises
    ------
    RecordError
        The row holds nothing but padding.
    FormatBroken
        The file has no such row.
    """
    with _hdf5(path) as file:
        tracings = file["tracings"]
        if not 0 <= row < tracings.shape[0]:
            raise FormatBroken(f"'{path.name}': expected a row below {tracings.shape[0]}, got {row}")
        signal = np.asarray(tracings[row], np.float32).T
    recorded = np.flatnonzero((signal != 0).any(axis=0))
    if not len(recorded):
        raise RecordError(f"row {row} of '{path.name}' holds zeros only: expected an ECG")
    return Record(
        signal=signal[:, recorded[0] : recorded[-1] + 1],
        fs=FS,
        leads=LEADS,
        name=f"{path.stem}_{row}",
        source=str(path),
    )


def _hdf5(path: Path):
    try:
        import h5py
    except ImportError:
        raise ExtraMissing.of("h5py", "formats", "reading HDF5 files") from None
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise ReadError(f"there is no file '{path}'") from None
    except OSError as error:
        raise FormatBroken(f"'{path.name}' is no HDF5 file: {error}") from None
