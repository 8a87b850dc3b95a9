"""PhysioNet/CinC Challenge 2021, all sets of one folder: every set of the challenges in one folder; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class CinC2021(Challenge):
    """PhysioNet/CinC Challenge 2021, all sets of one folder."""

    title = "PhysioNet/CinC Challenge 2021, all sets of one folder"
    priority = 41
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
