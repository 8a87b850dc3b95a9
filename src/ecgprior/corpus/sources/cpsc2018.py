"""CPSC-2018 in the challenge form: 6,877 12-lead ECGs of 6 to 60 s from eleven hospitals; see :mod:`._challenge`.

The first form of 2020 writes nine classes as text (``#Dx: RBBB``), the later ones as SNOMED codes.
"""

from __future__ import annotations

from ._challenge import Challenge


class CPSC2018(Challenge):
    """CPSC-2018 (China Physiological Signal Challenge 2018), challenge form."""

    title = "CPSC-2018 (China Physiological Signal Challenge 2018), challenge form"
    layout = "A0001.hea and A0001.mat, in any folder below"
    priority = 30
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/cpsc_2018/"
    sets = ("cpsc2018",)
