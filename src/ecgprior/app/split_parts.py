"""The parts of a split as a command line names them."""

from __future__ import annotations

from ..corpus.splits import Split
from ..errors import CorpusError


def parts_of(split: Split, test_fold: int | None) -> dict[str, list[str]]:
    """Records of ``train``, ``validation`` and ``test``; `test_fold` is needed of a cross-validation.

    Raises
    ------
    CorpusError
        A cross-validation without a test fold, or a test fold of something else.
    """
    if test_fold is not None:
        return split.cv_parts(test_fold)
    if split.kind == "cv":
        raise CorpusError(
            f"this split is a cross-validation: expected a test fold to be named – pass --test-fold, one of 0 to {split.n_folds - 1}"
        )
    return split.parts()
