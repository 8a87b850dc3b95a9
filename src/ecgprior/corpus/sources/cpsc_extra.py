"""CPSC-Extra: 3,453 12-lead ECGs of 8 to 98 s; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class CPSCExtra(Challenge):
    """CPSC-Extra: the unused set of CPSC-2018."""

    title = "CPSC-Extra: the unused set of CPSC-2018"
    layout = "Q0001.hea and Q0001.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    priority = 31
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/cpsc_2018_extra/"
    sets = ("cpsc_extra",)
