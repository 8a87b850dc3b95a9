"""What every augmentation is: a frozen value that is called with a batch and gives a changed one."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ..batch import Batch, BatchRandom
from ..recipe import Part


class Augmentation(Part):
    """Base of all augmentations: ``augmentations/<name>.py`` defines one subclass.

    Its fields are its settings (so a recipe's ``{name = "gaussian_noise", mv = 0.05}`` is checked), and
    calling it is pure: same shape out, the input is left alone, all randomness comes from `rng`.

    What moves time, or what is to be seen when, moves ``columns["waves"]`` with it where a batch has it.

    Attributes
    ----------
    needs : frozenset of str
        Columns that a batch must have: ``"waves"``, ``"fiducials"``, or nothing.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A changed view: signal (B, L, T) and masks of the same shapes; masked and padded samples stay 0.

        Leads and samples may be taken away (at least one of each stays), never added.
        """
