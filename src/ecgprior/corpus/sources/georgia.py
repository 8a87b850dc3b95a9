"""Georgia 12-lead ECG challenge database: 10,344 12-lead ECGs of 5 to 10 s from the south-east of the United States; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class Georgia(Challenge):
    """Georgia 12-lead ECG challenge database."""

    title = "Georgia 12-lead ECG challenge database"
    layout = "E00001.hea and E00001.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    priority = 34
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/georgia/"
    sets = ("georgia",)
