"""A checkpoint as a scikit-learn transformer: ECGs in, embeddings out.

The object is what its parameters say: it is cloned, compared, searched over and pickled by them, and opens the
checkpoint when it is first asked for an embedding – in whichever process that is. Without PyTorch the checkpoint's
ONNX file runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ..errors import CheckpointError, ShapeError
from ..record.record import Record
from ._checkpoint import read_config
from ._load import Checkpoint, load


class Embedder(TransformerMixin, BaseEstimator):
    """Embeds ECGs with a checkpoint; there is nothing to fit.

    Parameters
    ----------
    checkpoint : str or Path
        A checkpoint's folder.
    fs : float, optional
        Sampling rate in Hz of arrays, and of files that do not say. A Record says its own.
    leads : sequence of str, optional
        Names of the leads of the same, in order; None = the checkpoint's, if there are as many.
    unit : str
        Unit of the same: ``"V"``, ``"mV"``, ``"uV"``.

    Examples
    --------
    ::

        make_pipeline(Embedder("checkpoint", fs=500), StandardScaler(), LogisticRegression()).fit(signals, labels)
    """

    def __init__(
        self,
        checkpoint: str | Path,
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        unit: str = "mV",
    ) -> None:
        self.checkpoint = checkpoint
        self.fs = fs
        self.leads = leads
        self.unit = unit

    def fit(self, X: Any, y: Any = None) -> Embedder:
        """Check that the checkpoint can be opened; `X` and `y` are not looked at."""
        self._opened()
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """One embedding an ECG.

        Parameters
        ----------
        X : sequence of Record or of paths, or array_like, float, (N, lead, time)
            Arrays in `unit`, NaN = not recorded. Records may differ in rate, leads and length.

        Returns
        -------
        ndarray, float32, (N, D)

        Raises
        ------
        ReadError, RecordError, ShapeError
            Of the first ECG that cannot be embedded; its name or number is in the note.
        """
        return self._opened().embed(_several(X), fs=self.fs, leads=self.leads, unit=self.unit)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """``embedding0``, ``embedding1``, …: one a number of the embedding."""
        dim = read_config(Path(self.checkpoint)).architecture.dim
        return np.array([f"embedding{i}" for i in range(dim)], dtype=object)

    def _opened(self) -> Checkpoint:
        opened: tuple[str, Checkpoint] | None = self.__dict__.get("_held")
        if opened is None or opened[0] != str(self.checkpoint):
            if not isinstance(self.checkpoint, str | Path):
                kind = type(self.checkpoint).__name__
                raise CheckpointError(f"checkpoint: expected the path of its folder, got {kind}")
            self._held = opened = (str(self.checkpoint), load(self.checkpoint))
        return opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "_held"}

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags


def _several(value: Any) -> Any:
    """What was given, as several ECGs.

    Raises
    ------
    ShapeError
        It is a single one, or a table.
    """
    if isinstance(value, Record | str | Path):
        raise ShapeError(f"X: expected several ECGs, got one {type(value).__name__}; put it into a list")
    if not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    if array.ndim == 1 and array.dtype.kind in "OUT":  # records or paths
        return array.tolist()
    if array.ndim != 3:
        raise ShapeError(f"X: expected records or an array (N, lead, time), got shape {array.shape}")
    return array
