"""The PhysioNet/CinC challenges of 2020 and 2021: seven sets in one form, ``A0001.hea`` + ``A0001.mat``.

=============== ================== =========================================================
prefix          set                remarks
=============== ================== =========================================================
``A``           CPSC-2018          the first form of 2020 writes the nine classes as text
``Q``           CPSC-Extra
``I``           INCART             257 Hz, 30 minutes
``S``           PTB                1000 Hz
``HR``          PTB-XL             the same recordings as in ``ptbxl``
``E``           Georgia
``JS`` ≤ 10646  Chapman-Shaoxing
``JS`` > 10646  Ningbo
=============== ================== =========================================================

Put right by ``load``:

* **Gains.** All integers of this family are microvolts (1,000 units/mV), as the headers of 2021 say. The headers of
  2020 gave Georgia 4880, PTB-XL 200 and PTB 2000000 units/mV for *the same integers*: with 200, PTB-XL comes out five
  times as large as in its own database, and ``S0001`` is PTB's ``s0010_re`` (2000 units/mV) at half its integers. So
  these gains are replaced by 1000. INCART's 240000 … 1041000 (the original gains times 1000, as PTB's is its
  original 2000 times 1000) are replaced by the same inference, for which no signal was at hand here.
* **Absent leads.** A lead that holds one value over the whole recording was not recorded (JS20004, JS20008: V2, V4,
  V6; JS45542: V1–V6): NaN.

Labels: ``#Dx`` holds SNOMED CT codes, which give ``cinc2021`` (the scored classes, 30 codes of which four pairs are
scored as one, so 26) and ``cinc2021_all`` (all 133, each as published). A blank ``Dx`` is not labelled. The nine texts
of CPSC-2018 give ``cpsc2018``, and through the challenge's own mapping the SNOMED codes: premature ventricular
contraction there is 164884008, which is not a scored code. No set was annotated for every scored class; as in the
challenge, a class that a header does not name is absent.

**Source** Alday et al. 2020, doi 10.1088/1361-6579/abc960; Reyna et al. 2021, doi 10.23919/CinC53138.2021.9662687;
``dx_mapping_scored.csv``, ``dx_mapping_unscored.csv`` and ``weights.csv`` of physionetchallenges/evaluation-2021.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar

from ...errors import EcgpriorError
from ...record.formats.wfdb import read_header
from ...record.read import read
from ...record.record import Record
from ..labels import vocabulary
from ._tables import age, comments, fields, headers, sex
from ._wfdb import common_gain, header_path, without_constant_leads
from .base import CatalogRow, Source

UNITS_PER_MV = 1000.0
WRONG_GAINS = {"E": (4880.0, 4880.0), "HR": (200.0, 200.0), "S": (1e5, 1e7), "I": (1e5, 1e7)}
"""Lowest and highest gain of a set's headers of 2020 that are replaced."""

SETS = {
    "A": "cpsc2018",
    "Q": "cpsc_extra",
    "I": "incart",
    "S": "ptb",
    "HR": "challenge_ptbxl",
    "E": "georgia",
}
CHAPMAN_LAST = 10646

_NAME = re.compile(r"(A|Q|I|S|HR|E|JS)(\d{4,5})")


def set_of(record: str) -> str | None:
    """The source that a record of the challenge belongs to by its name; None for a name of no set.

    >>> set_of("HR06000"), set_of("JS00001"), set_of("JS20004"), set_of("X1")
    ('challenge_ptbxl', 'chapman', 'ningbo', None)
    """
    if not (match := _NAME.fullmatch(record)):
        return None
    prefix, digits = match.groups()
    if prefix == "JS":
        return "chapman" if int(digits) <= CHAPMAN_LAST else "ningbo"
    return SETS[prefix]


def labels_of(dx: str, *, nine_classes: bool = False) -> dict[str, tuple[str, ...]]:
    """The label sets of one ``Dx`` field: SNOMED CT codes or CPSC-2018's texts, separated by commas.

    Parameters
    ----------
    dx : str
    nine_classes : bool
        Whether the record was labelled with the nine classes of CPSC-2018; with a text it was anyway.

    Examples
    --------
    >>> labels_of("59118001,164884008")["cinc2021"], labels_of(""), labels_of("RBBB")["cpsc2018"]
    (('713427006',), {}, ('RBBB',))
    """
    everything, scored, nine = vocabulary("cinc2021_all"), vocabulary("cinc2021"), vocabulary("cpsc2018")
    said = [part for part in map(str.strip, dx.split(",")) if part.isdigit() or part in nine.codes]
    if not said:  # blank, or "Unknown": not labelled
        return {}
    found: dict[str, tuple[str, ...]] = {}
    if nine_classes or not all(text.isdigit() for text in said):
        found["cpsc2018"] = tuple(code for code in nine.codes if code in {nine.find(text) for text in said})
    snomed = [snomed_of(text) for text in said]
    found["cinc2021"] = tuple(c for c in scored.codes if c in {scored.find(code) for code in snomed if code})
    found["cinc2021_all"] = tuple(code for code in everything.codes if code in snomed)
    return found


def snomed_of(text: str) -> str | None:
    """The SNOMED CT code of a ``Dx`` part: itself, or the one that the challenge gave to CPSC-2018's text."""
    if text.isdigit():
        return text
    nine = vocabulary("cpsc2018")
    return nine.synonyms[nine.codes.index(text)][0] if text in nine.codes else None


def is_of_2020(header: Path) -> bool:
    """Whether a header bears a mark of the forms of 2020: a gain that is replaced, or a text label."""
    if not (match := _NAME.fullmatch(header.stem)):
        return False
    dx = fields(comments(header)).get("dx", "")
    texts = [part for part in dx.split(",") if part.strip() and not part.strip().isdigit()]
    if texts or match[1] not in WRONG_GAINS:
        return bool(texts)
    low, high = WRONG_GAINS[match[1]]
    try:
        return any(low <= line.gain <= high for line in read_header(header).signals)
    except EcgpriorError:
        return False  # a broken header is told of when it is loaded


class Challenge(Source):
    """One set of the family, or all of them, in a folder of any depth.

    Attributes
    ----------
    sets : tuple of str
        The sets whose records are listed; records of others in the same folder are passed over.
    """

    licence = "CC BY 4.0"
    url = "https://physionet.org/content/challenge-2021/"
    layout = "A0001.hea and A0001.mat (or Q, I, S, HR, E, JS), in any folder below"
    vocabularies: ClassVar[tuple[str, ...]] = ("cinc2021", "cinc2021_all", "cpsc2018")
    priority = 40
    sets: ClassVar[tuple[str, ...]] = tuple(SETS.values()) + ("chapman", "ningbo")

    def found(self) -> bool:
        return self.root.is_dir() and any(set_of(path.stem) in self.sets for path in self.root.rglob("*.hea"))

    def of_2020(self) -> bool:
        """Whether the folder holds the forms of 2020: a replaced gain or a text label in one of the first headers."""
        return self.root.is_dir() and any(map(is_of_2020, islice(self.root.rglob("*.hea"), 200)))

    def rows(self) -> Iterator[CatalogRow]:
        for path in headers(self.root):
            if set_of(path.stem) not in self.sets:
                continue
            said = fields(comments(path))
            yield CatalogRow(
                record=path.stem,
                source=self.name,
                path=path.with_suffix("").relative_to(self.root).as_posix(),
                patient=None,  # the challenge took the people's names away, also where one has several recordings
                age=age(said.get("age")),
                sex=sex(said.get("sex")),
                labels=labels_of(said.get("dx", ""), nine_classes=set_of(path.stem) == "cpsc2018"),
            )

    def read(self, path: Path) -> Record:
        record = read(path)
        match = _NAME.fullmatch(path.stem)
        if match and match[1] in WRONG_GAINS:
            low, high = WRONG_GAINS[match[1]]
            if any(low <= line.gain <= high for line in read_header(header_path(path)).signals):
                record = common_gain(record, path, UNITS_PER_MV)
        return without_constant_leads(record)
