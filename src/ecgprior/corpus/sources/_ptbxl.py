"""The folder of PTB-XL, whose files lie there at 500 and at 100 Hz; see :mod:`.ptbxl`.

Labels are computed as the field does (Strodthoff et al. 2021 and its benchmark code): every statement of
``scp_codes`` counts, whatever its likelihood, **including likelihood 0** (which in PTB-XL means "unknown", not
"absent"); diagnostic statements are aggregated to sub- and superclasses; and a record that holds no statement of a
kind (no form statement, say) is left out of that task, so it is null here and not "none".

Ages above 89 stand as 300 in later versions: None here. ``00162_hr`` has an aVR that contradicts I and II by 2.6 mV
and ``00421_hr`` exceeds 11 mV: these are the publisher's recordings and are left alone.

**Source** Wagner et al. 2020, doi 10.1038/s41597-020-0495-6; Strodthoff et al. 2021, doi 10.1109/JBHI.2020.3022989.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from ...errors import CorpusError
from ...record.read import read
from ...record.record import Record
from ..labels import vocabulary
from ._tables import age, number, read_table, whole
from .base import CatalogRow, PublishedFolds, Source

_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr", "filename_hr")
_SEX = {"0": "male", "0.0": "male", "1": "female", "1.0": "female"}
_FLAT = ("ptbxl_diagnostic", "ptbxl_form", "ptbxl_rhythm", "ptbxl_all")


class PTBXLFolder(Source):
    """The publisher's folder, at one of its two rates.

    Parameters
    ----------
    root : Path
    rate : {None, 100, 500}
        Which files; None = 500 Hz when ``records500`` is there, else 100 Hz.
    """

    licence = "CC BY 4.0"
    url = "https://physionet.org/content/ptb-xl/"
    vocabularies = ("ptbxl_superclass", "ptbxl_subclass", *_FLAT)
    folds = PublishedFolds(train=tuple(range(1, 9)), validation=(9,), test=(10,))
    sums = "https://physionet.org/files/ptb-xl/1.0.3/SHA256SUMS.txt"

    def __init__(self, root: Path | str, rate: int | None = None) -> None:
        super().__init__(root)
        if rate not in (None, 100, 500):
            raise CorpusError(f"PTB-XL rate: expected 100 or 500, got {rate}")
        self.rate = rate or (500 if (self.root / "records500").is_dir() else 100)

    def found(self) -> bool:
        return (self.root / "ptbxl_database.csv").is_file() and (self.root / f"records{self.rate}").is_dir()

    def rows(self) -> Iterator[CatalogRow]:
        column = "filename_hr" if self.rate == 500 else "filename_lr"
        for row in read_table(self.root / "ptbxl_database.csv", _COLUMNS):
            path = row[column]
            if not (self.root / f"{path}.hea").is_file():
                continue
            fold = number(row["strat_fold"])
            yield CatalogRow(
                record=path.rsplit("/", 1)[-1],
                source=self.name,
                path=path,
                patient=whole(row["patient_id"]),
                age=age(row["age"]),
                sex=_SEX.get(row["sex"]),
                labels=labels_of(row["scp_codes"]),
                fold=None if fold is None else int(fold),
            )

    def read(self, path: Path) -> Record:
        return read(path)


def labels_of(scp_codes: str) -> dict[str, tuple[str, ...]]:
    """The six label sets of one ``scp_codes`` cell.

    Parameters
    ----------
    scp_codes : str
        A Python dict of statement → likelihood in percent, as the publisher writes it.

    Returns
    -------
    dict of str to tuple of str
        A vocabulary with no statement present is left out: the record is not part of that task.

    Raises
    ------
    CorpusError
        The cell is not such a dict.

    Examples
    --------
    >>> found = labels_of("{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}")
    >>> found["ptbxl_superclass"], found["ptbxl_form"], found["ptbxl_rhythm"]
    (('NORM',), ('LVOLT',), ('SR',))
    """
    return dict(_labels_of(scp_codes))


@lru_cache(maxsize=4096)  # many records say the same
def _labels_of(scp_codes: str) -> dict[str, tuple[str, ...]]:
    try:
        statements = ast.literal_eval(scp_codes)
        present = {str(code) for code in dict(statements)}
    except (ValueError, SyntaxError, TypeError):
        raise CorpusError(f"scp_codes: expected a dict of statements, got {scp_codes!r}") from None
    found = {name: tuple(c for c in vocabulary(name).codes if c in present) for name in _FLAT}
    found["ptbxl_subclass"] = _up("ptbxl_diagnostic", found["ptbxl_diagnostic"], "ptbxl_subclass")
    found["ptbxl_superclass"] = _up("ptbxl_subclass", found["ptbxl_subclass"], "ptbxl_superclass")
    return {name: codes for name, codes in found.items() if codes}


def _up(below: str, codes: tuple[str, ...], above: str) -> tuple[str, ...]:
    parents = _parents(below, above)
    reached = {parents[code] for code in codes}
    return tuple(code for code in vocabulary(above).codes if code in reached)


@lru_cache
def _parents(below: str, above: str) -> Mapping[str, str]:
    table = vocabulary(below)
    return {code: up[0].removeprefix(f"{above}:") for code, up in zip(table.codes, table.parents)}
