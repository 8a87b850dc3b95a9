"""PTB diagnostic ECG database, challenge form: 516 recordings at 1000 Hz, ``S0001`` …; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class PTB(Challenge):
    """PTB diagnostic ECG database, challenge form."""

    title = "PTB diagnostic ECG database, challenge form"
    layout = "S0001.hea and S0001.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    priority = 33
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/ptb/"
    sets = ("ptb",)
