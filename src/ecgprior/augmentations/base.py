"""What every augmentation is: a frozen value that is called with a batch and gives a changed one."""

from __future__ import annotations

from abc import abstractmethod

from ..batch import Batch, BatchRandom
from ..recipe import Part


class Augmentation(Part):
    """Base of all augmentations: ``augmentations/<name>.py`` defines one subclass.

    Its fields are its settings (so a recipe's ``{name = "gaussian_noise", mv = 0.05}`` is checked), and
    calling it is pure: same shape out, the input is left alone, all randomness comes from `rng`.
    """

    @abstractmethod
    def __call__(self, batch: Batch, rng: BatchRandom) -> Batch:
        """A changed view: signal (B, L, T) and masks of the same shapes; masked and padded samples stay 0."""
