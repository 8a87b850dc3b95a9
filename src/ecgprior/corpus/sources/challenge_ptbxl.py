"""PTB-XL in the challenge form: PTB-XL as ``HR00001`` … ``HR21837``, with SNOMED codes instead of SCP statements and without patients; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class ChallengePTBXL(Challenge):
    """PTB-XL in the challenge form."""

    title = "PTB-XL in the challenge form"
    layout = "HR00001.hea and HR00001.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    priority = 39
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/ptb-xl/"
    sets = ("challenge_ptbxl",)
