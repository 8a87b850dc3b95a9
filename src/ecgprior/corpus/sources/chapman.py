"""Chapman-Shaoxing 12-lead ECG database, challenge form: 10,247 12-lead ECGs of 10 s, ``JS00001`` … ``JS10646``; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class Chapman(Challenge):
    """Chapman-Shaoxing 12-lead ECG database, challenge form."""

    title = "Chapman-Shaoxing 12-lead ECG database, challenge form"
    layout = "JS00001.hea and JS00001.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    priority = 35
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/chapman_shaoxing/"
    sets = ("chapman",)
