"""PTB-XL: 21,8xx 12-lead ECGs of 10 s from Berlin, with SCP-ECG statements and ten recommended folds.

How its labels are computed, and what is left as the publisher wrote it, is said in :mod:`._ptbxl`.

**Source** Wagner et al. 2020, doi 10.1038/s41597-020-0495-6; Strodthoff et al. 2021, doi 10.1109/JBHI.2020.3022989.
"""

from __future__ import annotations

from ._ptbxl import PTBXLFolder


class PTBXL(PTBXLFolder):
    """The publisher's folder, at 500 Hz where that is there, else at 100 Hz."""

    title = "PTB-XL, a large publicly available electrocardiography dataset"
    layout = "ptbxl_database.csv\nrecords500/00000/00001_hr.hea and .dat (or records100/00000/00001_lr.hea and .dat)"
    priority = 10
