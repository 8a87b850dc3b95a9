"""St Petersburg INCART 12-lead arrhythmia database, challenge form: 74 recordings of 30 minutes at 257 Hz of 32 Holter patients; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class INCART(Challenge):
    """St Petersburg INCART 12-lead arrhythmia database, challenge form."""

    title = "St Petersburg INCART 12-lead arrhythmia database, challenge form"
    layout = "I0001.hea and I0001.mat, in any folder below"
    vocabularies = ("cinc2021", "cinc2021_all")
    tested = "layout"
    priority = 32
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/st_petersburg_incart/"
    sets = ("incart",)
