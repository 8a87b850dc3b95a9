"""PhysioNet/CinC Challenge 2021, all sets of one folder: every set of the challenges in one folder; see :mod:`._challenge`."""

from __future__ import annotations

from ._challenge import Challenge


class CinC2021(Challenge):
    """PhysioNet/CinC Challenge 2021, all sets of one folder."""

    title = "PhysioNet/CinC Challenge 2021, all sets of one folder"
    priority = 41
    sums = "https://physionet.org/files/challenge-2021/1.0.3/SHA256SUMS.txt"
    within = "training/"
    layout = "E00001.hea and E00001.mat in the form of 2021 (for that of 2020: source cinc2020), in any folder below"

    def found(self) -> bool:
        return super().found() and not self.of_2020()
