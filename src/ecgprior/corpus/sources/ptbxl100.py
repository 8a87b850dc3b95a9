"""PTB-XL at 100 Hz: the publisher's own downsampled files (``records100``)."""

from __future__ import annotations

from pathlib import Path

from ._ptbxl import PTBXLFolder


class PTBXL100(PTBXLFolder):
    """The 100 Hz files of the publisher's folder; patients are those of ``ptbxl``."""

    title = "PTB-XL, the publisher's files at 100 Hz"
    layout = "ptbxl_database.csv\nrecords100/00000/00001_lr.hea and .dat"
    people = "ptbxl"
    priority = 11

    def __init__(self, root: Path | str) -> None:
        super().__init__(root, rate=100)
