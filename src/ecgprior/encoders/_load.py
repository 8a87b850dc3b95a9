"""Checkpoints: saved with everything that makes their numbers, loaded, and asked for embeddings.

Nothing here imports PyTorch until a model is saved or loaded by it; without it, the checkpoint's ONNX file runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
import safetensors.numpy
from numpy.typing import ArrayLike, NDArray

from ..errors import (
    BadUnit,
    CheckpointError,
    EcgpriorError,
    ExtraMissing,
    LeadMissing,
    ShapeError,
    unknown_name,
    where,
)
from ..recipe import to_plain
from ..record.amplitude import check_amplitude
from ..record.preprocess import Preprocessing
from ..record.record import Record
from . import _checkpoint as layout
from ._inputs import as_record, items, place
from ._windows import Window, average, batches, cut, stack

if TYPE_CHECKING:
    from torch import nn

    from .base import Encoder

    Progress = Callable[[int, int, str], None]

_BACKENDS = ("auto", "torch", "onnx")
_PLAUSIBLE_MV = 20.0  # a median QRS beyond it is another unit, whoever declared this one


class _Model(Protocol):
    def run(
        self, signal: NDArray[np.float32], lead_mask: NDArray[np.bool_], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]: ...


class Embedded(NamedTuple):
    """What comes out for one record.

    Attributes
    ----------
    number : int
        Its place in what was given, from 0.
    embedding : ndarray, float32, (D,)
    probabilities : ndarray, float32, (C,), or None
        None without a head.
    """

    number: int
    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None


class Checkpoint:
    """A trained encoder with the preprocessing it was trained on. Made by :func:`load`.

    Attributes
    ----------
    path : Path
    config : dict
        ``config.json``; FORMAT.md says what it holds.
    preprocessing : Preprocessing
    fs : float
        Hz, after preprocessing.
    leads : tuple of str
    seconds : float
        Length of a full window.
    dim : int
        D, width of the embedding.
    labels : tuple of str
        Names of the C labels of the head, empty without one.
    classes : tuple of str
        Names of the classes of a head on lead tokens, empty without one.
    encoder, head : torch.nn.Module or None
        None when ONNX Runtime runs the checkpoint, or there is no head.
    fingerprints : ndarray, int8, (N, S), or None
        Sketches of the records that the weights have seen.
    """

    def __init__(self, path: Path, config: layout.CheckpointConfig, model: _Model) -> None:
        self.path, self._config, self._model = path, config, model
        self.config: dict[str, Any] = to_plain(config)
        self.preprocessing = config.preprocess()
        self.fs, self.leads, self.seconds = config.fs, config.leads, config.seconds
        self.dim, self._shortest = config.architecture.dim, config.architecture.min_samples
        names: tuple[str, ...] = config.head.labels if config.head else ()
        on_leads = config.head is not None and config.head.reads == "lead_tokens"
        self.labels: tuple[str, ...] = () if on_leads else names
        self.classes: tuple[str, ...] = names if on_leads else ()
        self.encoder: Encoder | None = getattr(model, "encoder", None)
        self.head: nn.Module | None = getattr(model, "head", None)

    @property
    def fingerprints(self) -> NDArray[np.int8] | None:
        return layout.read_fingerprints(self.path, self._config)

    def explain(self) -> list[str]:
        """One sentence a step, from the file's signal to the embedding."""
        size = f"{self.seconds:g} s ({round(self.seconds * self.fs)} samples)"
        spec = self._config.architecture
        return [
            *self.preprocessing.explain(),
            f"Windows of {size}: {layout.POOLING['windows']}.",
            f"Encoder {spec.name} gives tokens; a window's embedding ({self.dim} numbers) is their "
            f"{layout.POOLING['tokens']}.",
            f"A record's embedding is the {layout.POOLING['record']}.",
        ]

    def embed(self, value: Any, **options: Any) -> NDArray[np.float32]:
        """One embedding a record: float32 (N, D). Parameters as in :meth:`stream`."""
        rows = [embedded.embedding for embedded in self.stream(value, **options)]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def predict(self, value: Any, **options: Any) -> NDArray[np.float32]:
        """Probability of each label a record: float32 (N, C). Parameters as in :meth:`stream`.

        Raises
        ------
        CheckpointError
            The checkpoint has no head.
        """
        if not self.labels:
            raise CheckpointError(
                f"checkpoint '{self.path}' has no head: it embeds but does not predict; "
                "train one with the objective 'supervised', or fit a probe on its embeddings"
            )
        rows = [e.probabilities for e in self.stream(value, **options) if e.probabilities is not None]
        return np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)

    def stream(
        self,
        value: Any,
        *,
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        unit: str | None = None,
        check_unit: bool = True,
        batch_size: int = 64,
        progress: Progress | None = None,
        on_error: Callable[[int, EcgpriorError], None] | None = None,
    ) -> Iterator[Embedded]:
        """Embed one record after the other, in constant memory.

        Parameters
        ----------
        value : Record, path, array (lead, time), array (record, lead, time), corpus, or an iterable of these
            Arrays in `unit`; NaN = not recorded.
        fs : float
            Sampling rate in Hz of arrays and of files that do not say.
        leads : sequence of str
            Lead names of the same; None = the checkpoint's, if there are as many.
        unit : str
            Unit of the same; None = mV for arrays.
        check_unit : bool
            Refuse amplitudes that cannot be in the stated unit. What comes with a header or as a Record is
            refused only when it is far too large: a quiet one may be a loose electrode.
        batch_size : int
            Windows that go through the encoder together.
        progress : callable
            ``progress(done, total, text)``, total 0 when it is not known.
        on_error : callable
            ``on_error(number, error)``: told of a record that cannot be embedded, which is then left out.
            None = the first such error is raised.

        Raises
        ------
        ReadError, RecordError, ShapeError
            What is missing or contradictory, with both values; the record's name or number is in the note.
        """
        if batch_size < 1:
            raise ShapeError(f"batch_size: expected at least 1, got {batch_size}")
        total = len(value) if isinstance(value, list | tuple) else 0
        windows: list[Window] = []
        for number, item in enumerate(items(value)):
            try:
                record = as_record(item, self.leads, fs=fs, given=leads, unit=unit)
                with where(place(item, number)):
                    if check_unit:
                        _check_unit(record, declared=not hasattr(item, "__array__"))
                    windows += self._windows(record, number)
            except EcgpriorError as error:
                if on_error is None:
                    raise
                on_error(number, error)
            if len(windows) >= batch_size:
                yield from self._run(windows, batch_size)
                windows = []
            if progress:
                progress(number + 1, total, "")
        if windows:
            yield from self._run(windows, batch_size)

    def _windows(self, record: Record, number: int) -> list[Window]:
        signal, lead_mask = self.preprocessing.apply(record)
        if not lead_mask.any():
            raise LeadMissing(
                f"leads: expected at least one of {', '.join(self.leads)} with a signal, "
                f"got {', '.join(record.leads)}{' without samples' if set(record.leads) & set(self.leads) else ''}"
            )
        size = max(1, round(self.seconds * self.fs))
        spans = cut(signal.shape[1], size, self._shortest)
        return [Window(number, signal[:, start:stop], lead_mask) for start, stop in spans]

    def _run(self, windows: list[Window], batch_size: int) -> Iterator[Embedded]:
        pooled = np.zeros((len(windows), self.dim), np.float32)
        chance = np.zeros((len(windows), len(self.labels)), np.float32) if self.labels else None
        for rows in batches(windows, batch_size):
            pooled[rows], logits = self._model.run(*stack([windows[row] for row in rows]))
            if chance is not None and logits is not None:
                chance[rows] = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
        numbers = sorted({window.owner for window in windows})
        means = average(windows, pooled)
        chances = [None] * len(means) if chance is None else list(average(windows, chance))
        yield from map(Embedded, numbers, means, chances)


def _check_unit(record: Record, declared: bool) -> None:
    found = check_amplitude(record)
    if not found.ok and (not declared or found.median_qrs_mv > _PLAUSIBLE_MV):
        raise BadUnit(f"unit: the amplitudes contradict mV: {found.finding}")


def load(
    path: str | Path, device: str = "cpu", *, backend: Literal["auto", "torch", "onnx"] = "auto"
) -> Checkpoint:
    """Load a checkpoint folder.

    Parameters
    ----------
    path : str or Path
    device : str
        Where PyTorch runs it: ``"cpu"``, ``"cuda"``, ….
    backend : "auto", "torch" or "onnx"
        ``"auto"``: PyTorch if it is installed, else the checkpoint's ONNX file.

    Raises
    ------
    CheckpointError
        A missing or changed file, another version, weights that do not fit the architecture.
    UnknownName
        No such backend.
    ExtraMissing
        PyTorch is not installed and the checkpoint has no ONNX file.
    """
    if backend not in _BACKENDS:
        raise unknown_name("backend", backend, _BACKENDS)
    folder = Path(path)
    config = layout.read_config(folder)
    if backend == "onnx" or (backend == "auto" and not _has_torch()):
        if layout.ONNX not in config.files and backend == "auto":
            raise ExtraMissing.of("torch", "train", f"checkpoint '{folder}' has no {layout.ONNX}: running it")
        from ._onnx import OnnxModel

        return Checkpoint(folder, config, OnnxModel(layout.check_file(folder, config, layout.ONNX)))
    if not _has_torch():
        raise ExtraMissing.of("torch", "train", "running a checkpoint's weights")
    from ._torch import TorchModel

    layout.check_file(folder, config, layout.WEIGHTS)
    return Checkpoint(folder, config, TorchModel(folder, config, device))


def _has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def save_checkpoint(
    to: str | Path,
    encoder: Encoder,
    preprocessing: Preprocessing,
    *,
    seconds: float,
    head: nn.Module | None = None,
    labels: Sequence[str] = (),
    reads: Literal["pooled", "lead_tokens"] = "pooled",
    provenance: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    fingerprints: ArrayLike | None = None,
    onnx: bool = False,
) -> Path:
    """Write a checkpoint folder; ``config.json`` comes last, so that a folder with one is complete.

    Parameters
    ----------
    to : str or Path
        The folder; a checkpoint that lies there is replaced.
    encoder : Encoder
    preprocessing : Preprocessing
        What its training windows went through; its `fs` and `leads` are the encoder's.
    seconds : float
        Length of the training windows.
    head : torch.nn.Module or None
        From pooled embedding, or from lead tokens, to logits: plain layers (``_head.py`` lists them).
    labels : sequence of str
        The names of the head's outputs; of a head on lead tokens its classes.
    reads : "pooled" or "lead_tokens"
        What the head is given.
    provenance, metrics : dict
        JSON values.
    fingerprints : array_like, int8, (N, S), or None
        Sketches of the N records trained on.
    onnx : bool
        Write ``model.onnx`` too.

    Raises
    ------
    CheckpointError
        Encoder, preprocessing, head and labels contradict each other.
    """
    from ._head import describe_head
    from ._torch import weights_bytes

    _check_agreement(encoder, preprocessing, head, labels, reads)
    sketches = None if fingerprints is None else _sketches(fingerprints)
    config: dict[str, Any] = {
        "format_version": layout.FORMAT_VERSION,
        "kind": layout.KIND,
        "architecture": {
            "name": type(encoder).__module__.rpartition(".")[2],
            "config": to_plain(encoder.config),
            "dim": encoder.dim,
            "min_samples": encoder.min_samples,
        },
        "fs": preprocessing.fs,
        "leads": list(preprocessing.leads),
        "unit": "mV",
        "seconds": float(seconds),
        "preprocessing": to_plain(preprocessing),
        "pooling": layout.POOLING,
        "head": None if head is None else {"labels": list(labels), "layers": describe_head(head), **_READS[reads]},
        "provenance": provenance or {},
        "metrics": metrics or {},
        "trained_on": {
            "n_records": None if sketches is None else len(sketches), "fingerprints": sketches is not None
        },
    }  # fmt: skip
    files = {layout.WEIGHTS: weights_bytes(encoder, head)}
    if sketches is not None:
        files[layout.FINGERPRINTS] = safetensors.numpy.save({"fingerprints": sketches})
    if onnx:
        from ._export import export_onnx

        keys = ("fs", "leads", "unit", "seconds", "preprocessing", "pooling", "head")
        pooled = head if reads == "pooled" else None
        files[layout.ONNX] = export_onnx(encoder, pooled, {key: config[key] for key in keys})
    layout.write_folder(Path(to), config, files)
    return Path(to)


_READS: dict[str, dict[str, str]] = {
    "pooled": {"activation": "sigmoid"},
    "lead_tokens": {"activation": "softmax", "reads": "lead_tokens"},
}


def _check_agreement(
    encoder: Encoder, preprocessing: Preprocessing, head: nn.Module | None, labels: Sequence[str], reads: str
) -> None:
    from ._head import n_outputs
    from .base import LeadEncoder

    if (encoder.fs, encoder.leads) != (preprocessing.fs, preprocessing.leads):
        raise CheckpointError(
            f"encoder takes {encoder.fs:g} Hz, {', '.join(encoder.leads)}; "
            f"the preprocessing gives {preprocessing.fs:g} Hz, {', '.join(preprocessing.leads)}"
        )
    if (head is None) != (not labels):
        raise CheckpointError(
            f"head and labels go together: got {'no' if head is None else 'a'} head, {len(labels)} labels"
        )
    if head is None:
        return
    if reads == "lead_tokens" and not isinstance(encoder, LeadEncoder):
        raise CheckpointError(
            f"a head on lead tokens needs an encoder that has them, got {type(encoder).__name__}"
        )
    outputs, per_token = n_outputs(head), reads == "lead_tokens"
    if outputs % len(labels) or outputs == 0 or (not per_token and outputs != len(labels)):
        raise CheckpointError(f"head and labels go together: got {outputs} outputs, {len(labels)} labels")


def _sketches(fingerprints: ArrayLike) -> NDArray[np.int8]:
    array = np.asarray(fingerprints)
    if array.ndim != 2 or array.dtype.kind not in "iu" or np.abs(array.astype(np.int64)).max(initial=0) > 127:
        raise CheckpointError(
            f"fingerprints: expected int8 (records, sketch), got {array.dtype} of shape {array.shape}"
        )
    return array.astype(np.int8)
