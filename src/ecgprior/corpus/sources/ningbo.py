"""Ningbo First Hospital 12-lead ECG database, challenge form: 34,905 12-lead ECGs of 10 s, ``JS10647`` … ``JS45551``; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class Ningbo(Challenge):
    """Ningbo First Hospital 12-lead ECG database, challenge form."""

    title = "Ningbo First Hospital 12-lead ECG database, challenge form"
    layout = "JS10647.hea and JS10647.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    priority = 36
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/ningbo/"
    sets = ("ningbo",)
