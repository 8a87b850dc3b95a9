"""The shipped wave network: an ONNX file run by ONNX Runtime.

It reads any set of leads in mV at 250 Hz (baseline, mains and scale are dealt with inside) and gives, in each lead at
125 Hz, the probabilities of no wave, P, QRS and T. ``FORMAT.md`` says what the file holds; the recipe that makes it is
in ``recipes/delineate/``. Its weights were trained on LUDB (ODC-By 1.0): ``WaveNetwork().metadata`` carries recipe
hash, corpus digest and attribution.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, ShapeError
from .decode import FS, WAVES_FS

CLASSES = ("none", "P", "QRS", "T")
"""Second axis of the probabilities."""

MULTIPLE = 32
"""The network takes windows of a multiple of so many samples."""

_SHIPPED = "delineator.onnx"
_INPUTS = {"signal": ("tensor(float)", 3), "lead_mask": ("tensor(bool)", 2)}
_EXPECTED = {"classes": list(CLASSES), "waves_fs": WAVES_FS}


class WaveNetwork:
    """Probabilities of P, QRS and T in each lead.

    Parameters
    ----------
    path : path or None
        An ONNX file; None = the one that comes with the package.
    threads : int, default 1
        Threads of ONNX Runtime within one call.

    Attributes
    ----------
    path : str
    metadata : dict
        What the file says about itself: ``preprocessing``, ``classes``, ``waves_fs``, ``provenance``.

    Raises
    ------
    CheckpointError
        The file is absent, cannot be loaded, or is no wave network.
    """

    def __init__(self, path: str | Path | None = None, *, threads: int = 1) -> None:
        self.path = str(path) if path is not None else f"package file '{_SHIPPED}'"
        self.threads = int(threads)
        model = Path(path) if path is not None else resources.files(__package__).joinpath(_SHIPPED)
        if not model.is_file():
            what = "a folder" if model.is_dir() else "none"
            advice = (
                "reinstall ecgprior"
                if path is None
                else "`ecgprior export` writes one from a run of recipes/delineate/"
            )
            raise CheckpointError(f"wave network: expected an ONNX file at {self.path}, got {what}: {advice}")
        self._session = _session(model.read_bytes(), self.path, self.threads)
        self.metadata = _metadata(self._session, self.path)

    def __call__(self, signal: NDArray[np.float32], lead_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Run the network on windows of equal shape.

        Parameters
        ----------
        signal : ndarray, float32, (B, L, T), mV at 250 Hz
            Finite; T is a multiple of 32.
        lead_mask : ndarray, bool, (B, L)
            False = the lead is absent.

        Returns
        -------
        ndarray, float32, (B, L, 4, T / 2)
            Probabilities of :data:`CLASSES`; output j stands for the time (2 j + 0.5) / 250 s.

        Raises
        ------
        ShapeError
            The arrays do not have these shapes.
        """
        b, n_leads, n = signal.shape if signal.ndim == 3 else (0, 0, 1)
        if n % MULTIPLE or lead_mask.shape != (b, n_leads):
            raise ShapeError(
                f"wave network: expected (B, L, T) and (B, L) with T a multiple of {MULTIPLE}, "
                f"got {signal.shape} and {lead_mask.shape}"
            )
        feed = {"signal": np.ascontiguousarray(signal, np.float32), "lead_mask": lead_mask}
        waves = self._session.run(["waves"], feed)[0]
        if waves.shape != (b, n_leads, len(CLASSES), n // 2):
            expected = (b, n_leads, len(CLASSES), n // 2)
            raise CheckpointError(
                f"wave network {self.path}: expected waves of {expected}, got {waves.shape}"
            )
        return waves

    def __reduce__(self) -> tuple[Any, ...]:
        path = None if self.path.startswith("package file") else self.path
        return _again, (path, self.threads)


@lru_cache(maxsize=1)
def shipped() -> WaveNetwork:
    """The package's own network, loaded once a process.

    Raises
    ------
    CheckpointError
        The installation has none.
    """
    return WaveNetwork()


def _again(path: str | None, threads: int) -> WaveNetwork:
    return WaveNetwork(path, threads=threads)


def _session(model: bytes, name: str, threads: int) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as faults

    broken = (  # ONNX Runtime's errors have no base class of their own
        faults.Fail,
        faults.InvalidArgument,
        faults.InvalidGraph,
        faults.InvalidProtobuf,
        faults.NotImplemented,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except broken as error:
        raise CheckpointError(f"wave network {name}: expected a valid ONNX file, got {error}") from error
    found = {i.name: (i.type, len(i.shape)) for i in session.get_inputs()}
    outputs = [o.name for o in session.get_outputs()]
    if found != _INPUTS or "waves" not in outputs:
        raise CheckpointError(
            f"wave network {name}: expected inputs {', '.join(_INPUTS)} and output waves, "
            f"got {', '.join(found)} and {', '.join(outputs)}"
        )
    return session


def _metadata(session: Any, name: str) -> dict[str, Any]:
    """The file's properties, each a JSON text; what must agree with this code is checked."""
    held = session.get_modelmeta().custom_metadata_map
    try:
        metadata = {key: json.loads(value) for key, value in held.items()}
    except json.JSONDecodeError as error:
        raise CheckpointError(f"wave network {name}: expected metadata in JSON, got {error}") from error
    preprocessing = metadata.get("preprocessing")
    fs = preprocessing.get("fs") if isinstance(preprocessing, dict) else None
    wrong = {key: metadata.get(key) for key, value in _EXPECTED.items() if metadata.get(key) != value}
    if fs != FS or wrong:
        raise CheckpointError(
            f"wave network {name}: expected metadata with preprocessing fs {FS:g}, classes {', '.join(CLASSES)}, "
            f"waves_fs {WAVES_FS:g}; got {json.dumps({'fs': fs, **wrong})}"
        )
    return metadata
