"""PhysioNet/CinC Challenge 2020: every set of the challenges in one folder; see :mod:`._challenge`.

The forms of 2020: other gains for the same integers, headers that begin ``E00001.mat``, blank ``Dx``, text labels.
"""

from __future__ import annotations

from ._challenge import Challenge


class CinC2020(Challenge):
    """PhysioNet/CinC Challenge 2020, all sets of one folder."""

    title = "PhysioNet/CinC Challenge 2020, all sets of one folder"
    url = "https://physionet.org/content/challenge-2020/"
    priority = 42
    sums = "https://physionet.org/files/challenge-2020/1.0.2/SHA256SUMS.txt"
    within = "training/"
    layout = "E00001.hea and E00001.mat in the form of 2020 (for that of 2021: source cinc2021), in any folder below"

    def found(self) -> bool:
        return super().found() and self.of_2020()
