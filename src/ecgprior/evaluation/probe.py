"""The linear probe: what can be read off frozen embeddings by a straight line?

The records are embedded once. Embeddings are standardised with the training part's mean and deviation, and a
whole grid of L2 strengths is fitted at once for every label; one strength for all labels of the task is chosen
by the validation part's macro AUROC. Nothing is chosen on the test part, and nothing is fitted again after the
choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CorpusError, ShapeError
from .bootstrap import Interval, auroc_interval, macro_auroc
from .logistic import fit_logistic
from .metrics import Array, Scores, evaluate
from .tasks import Task, patients_of

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from ..encoders._load import Checkpoint

STRENGTHS = tuple(float(s) for s in np.logspace(-3, 1.5, 10))
"""The grid of L2 strengths: ½ · strength · ‖w‖² beside the mean log-loss, on standardised embeddings."""


@dataclass(frozen=True)
class Probe:
    """A linear map from embeddings to label probabilities.

    Attributes
    ----------
    coefficients : ndarray, float64, (D, C)
        For embeddings as they come (standardisation is folded in).
    intercepts : ndarray, float64, (C,)
    strength : float
        The chosen L2 strength.
    validation : dict of float to float
        Validation macro AUROC by strength (minus log-loss when no label has both classes there).
    chosen_by : str
        ``"macro AUROC"`` or ``"log-loss"``.
    """

    coefficients: Array
    intercepts: Array
    strength: float
    validation: dict[float, float]
    chosen_by: str

    def predict(self, x: ArrayLike) -> Array:
        """Probabilities, float64 (N, C), of embeddings `x` (N, D)."""
        logit = np.asarray(x, dtype=np.float64) @ self.coefficients + self.intercepts
        return 0.5 * (1.0 + np.tanh(0.5 * logit))  # the logistic function, without overflow


def fit_probe(
    x: ArrayLike,
    y: ArrayLike,
    x_validation: ArrayLike,
    y_validation: ArrayLike,
    *,
    strengths: Sequence[float] = STRENGTHS,
    tolerance: float = 1e-5,
) -> Probe:
    """Fit every strength at once on the training part and choose one on the validation part.

    Parameters
    ----------
    x, x_validation : array_like, float, (N, D)
        Embeddings.
    y, y_validation : array_like, (N, C)
        0, 1 or NaN = not labelled (left out of that label's loss). A label of one class in training is
        learnt as its clipped prevalence.
    strengths : sequence of float
        Of equal validation scores the largest strength is taken.
    tolerance : float
        Of :func:`~.logistic.fit_logistic`.

    Raises
    ------
    CorpusError
        No labelled record in the training or in the validation part.
    ShapeError
        Embeddings are not finite, or the arrays do not fit.
    """
    x, y = _pair(x, y, "training")
    x_validation, y_validation = _pair(x_validation, y_validation, "validation")
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(
        deviation > 1e-6 * (1e-6 + np.abs(mean)), deviation, np.inf
    )  # a constant column: no part
    n_labels, n_strengths = y.shape[1], len(strengths)
    fit = fit_logistic(
        (x - mean) / deviation,
        np.repeat(y, n_strengths, axis=1),
        np.tile(np.asarray(strengths, float), n_labels),
        tolerance=tolerance,
    )
    w = (fit.coefficients / deviation[:, None]).reshape(x.shape[1], n_labels, n_strengths)
    b = fit.intercepts.reshape(n_labels, n_strengths) - np.einsum("d,dcs->cs", mean, w)
    logits = np.einsum("nd,dcs->scn", x_validation, w, optimize=True) + b.T[:, :, None]
    score, chosen_by = validation_scores(logits, y_validation)
    best = max(range(n_strengths), key=lambda s: (round(score[s], 9), strengths[s]))
    table = {float(s): float(v) for s, v in zip(strengths, score, strict=True)}
    return Probe(w[:, :, best], b[:, best], float(strengths[best]), table, chosen_by)


def validation_scores(logits: Sequence[Array] | Array, y: Array) -> tuple[list[float], str]:
    """What each candidate, logits (C, N), is worth on the validation part's labels `y` (N, C), and by which measure.

    The measure is the macro AUROC, or minus the log-loss when no label has both classes there; higher is better.
    """
    areas = [float(macro_auroc(y, one.T)) for one in logits]
    if not np.isnan(areas).any():
        return areas, "macro AUROC"
    known = ~np.isnan(y)
    truth = np.where(known, y, 0.0)
    losses = [float((np.logaddexp(0.0, one.T) - truth * one.T)[known].mean()) for one in logits]
    return [-loss for loss in losses], "log-loss"


def _pair(x: ArrayLike, y: ArrayLike, part: str) -> tuple[Array, Array]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ShapeError(
            f"{part} part: expected (N, D) embeddings and (N, C) labels, got {x.shape} and {y.shape}"
        )
    if not np.isfinite(x).all():
        raise ShapeError(f"{part} part: expected finite embeddings, got NaN or infinity")
    labelled = ~np.isnan(y).all(axis=1)
    if not labelled.any():
        raise CorpusError(f"{part} part: expected labelled records, got none (of {len(y)})")
    return x[labelled], y[labelled]


@dataclass(frozen=True)
class ProbeResult:
    """What a probe of one checkpoint on one task gave.

    Attributes
    ----------
    task : str
    labels : tuple of str, (C,)
    scores : Scores
        On the test part.
    macro_auroc : Interval
        With its patient-level bootstrap interval.
    probe : Probe
    records : list of str, (N,)
        The test part's labelled records, in the order of `probability`.
    probability : ndarray, float64, (N, C)
    n_seen : int or None
        How many of them are among the recordings the checkpoint was trained on; None = it does not say.
    """

    task: str
    labels: tuple[str, ...]
    scores: Scores
    macro_auroc: Interval
    probe: Probe
    records: list[str]
    probability: Array
    n_seen: int | None


def probe(
    checkpoint: Checkpoint | str | Path,
    corpus: Corpus | str | Path,
    task: Task,
    parts: Mapping[str, Iterable[str]],
    *,
    replicates: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> ProbeResult:
    """Embed a corpus once with a checkpoint, fit a linear probe, and score it on the test part.

    Parameters
    ----------
    checkpoint : Checkpoint, str or Path
    corpus : Corpus or path
    task : Task
    parts : mapping with "train", "validation" and "test" to record names
        For example ``Split.parts()``.
    replicates, seed : int
        Of the patient bootstrap.
    progress : callable, optional
        ``(done, total, text)`` while embedding.

    Raises
    ------
    CorpusError
        The task has no record, or a part has none; :class:`~ecgprior.errors.SplitLeak` when the parts share
        a patient or a recording.
    """
    from ..corpus.shards import Corpus
    from ..corpus.splits import check_leaks
    from ..encoders._load import load

    corpus = Corpus(corpus) if isinstance(corpus, str | Path) else corpus
    model = load(checkpoint) if isinstance(checkpoint, str | Path) else checkpoint
    names, y = task.matrix(corpus.index)
    rows = {
        part: labelled_rows(corpus, parts, part, y, task.name) for part in ("train", "validation", "test")
    }
    check_leaks({part: list(records) for part, records in parts.items()}, corpus.index)
    wanted = np.unique(np.concatenate(list(rows.values())))
    embedding = embed_rows(model, corpus, wanted, progress)
    place = {int(row): i for i, row in enumerate(wanted)}
    x = {part: embedding[[place[int(row)] for row in rows[part]]] for part in rows}
    fitted = fit_probe(x["train"], y[rows["train"]], x["validation"], y[rows["validation"]])
    probability = fitted.predict(x["test"])
    truth, records = y[rows["test"]], corpus.index["record"].gather(rows["test"]).to_list()
    patients = patients_of(corpus.index)[rows["test"]]
    area = auroc_interval(truth, probability, patients.tolist(), replicates=replicates, seed=seed)
    seen = count_seen(model, corpus, rows["test"])
    return ProbeResult(
        task.name, names, evaluate(truth, probability, names), area, fitted, records, probability, seen
    )


def labelled_rows(
    corpus: Corpus, parts: Mapping[str, Iterable[str]], part: str, y: NDArray[np.floating], task: str
) -> NDArray[np.int64]:
    """Rows of the corpus in one part that have a label of the task.

    Raises
    ------
    CorpusError
        There is none: the sentence names part and task, and what to do.
    """
    rows = np.asarray(corpus.rows(list(parts.get(part, []))), dtype=np.int64)
    rows = rows[~np.isnan(y[rows]).all(axis=1)] if len(rows) else rows
    if not len(rows):
        raise CorpusError(
            f"task '{task}': the {part} part holds no labelled record of this corpus; "
            "make parts of your own with 'ecgprior split CORPUS --cv 5 --to folds.csv'"
        )
    return rows


def embed_rows(
    checkpoint: Checkpoint,
    corpus: Corpus,
    rows: NDArray[np.int64],
    progress: Callable[[int, int, str], None] | None = None,
) -> NDArray[np.float32]:
    """Embeddings float32 (N, D) of rows of a corpus, read one after another."""

    def records() -> Iterable[Any]:
        for done, row in enumerate(rows):
            if progress and done % 64 == 0:
                progress(done, len(rows), "embed")
            yield corpus.record(int(row))

    return checkpoint.embed(records(), check_unit=False)  # a corpus is in mV


def count_seen(checkpoint: Checkpoint, corpus: Corpus, rows: NDArray[np.int64]) -> int | None:
    """How many of these recordings a checkpoint was trained on, by fingerprint; None when it carries none."""
    from ..corpus.duplicates import overlap

    if checkpoint.fingerprints is None:
        return None
    mine = np.asarray(corpus.index["fingerprint"].gather(rows).to_list(), dtype=np.int8)
    return int(overlap(mine, checkpoint.fingerprints).sum())
