"""How well waves are found: the same score for the project's delineator and for every other.

For each recording, lead and boundary, found times are paired with marked ones (:func:`~.matching.match`: one to one,
in order, as many as possible, then as close as possible) within a tolerance: P on 50, P off 50, QRS on 40, QRS off 40,
T on 50, T off 100 ms. What is found outside the lead's marked part (its first to its last mark, ± the tolerance) does
not count, since LUDB marks only the middle of a recording; inside it everything counts, so a P in atrial fibrillation
is a false one. Counts are pooled over recordings and leads; F1 of each boundary; macro = mean of the six. Bias and SD
are of found − marked, in pairs within the tolerance, and beside them in pairs within 150 ms, where an inaccurate
method cannot hide its large errors.

Where the marks of a lead begin with a QRS, its P was not marked, and the P offset that a good method finds lies just
before the first mark, within the tolerance: false by the rule. Those are counted (``outside``) and ``inner_f1`` is the
F1 without them. With 150 ms all such P waves would be false, so in the counts within 150 ms what is found outside the
marked part is a pair or nothing, never false.

A wave is *detected* when its peak lies within 150 ms of a marked peak (same pairing). A method that gives no peaks is
taken at the middle of its waves.

**Source** tolerances: ours, of the order of those in use since Martínez et al. 2004, doi 10.1109/TBME.2003.821031;
150 ms: ANSI/AAMI EC57, and on LUDB Moskalenko et al. 2020, arXiv 2001.04689.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..errors import RecordError, ShapeError
from ..record.beats import WAVES
from .bootstrap import Interval, interval, patient_draws
from .marks import Marks
from .matching import match

Counts = NDArray[np.float64]

TOLERANCE_MS = {
    ("P", "onset"): 50.0,
    ("P", "offset"): 50.0,
    ("QRS", "onset"): 40.0,
    ("QRS", "offset"): 40.0,
    ("T", "onset"): 50.0,
    ("T", "offset"): 100.0,
}
"""The six boundaries in the order of the arrays below, with their tolerances."""

WIDE_MS = 150.0
"""Tolerance of detection, and of the second bias and SD."""

STATISTICS = ("matched", "false", "missed", "outside", "sum_ms", "sum_squares")
"""Last axis of the counts: pairs; found but not marked; marked but not found; those of the false ones that lie outside
the marked part; Σ error and Σ error² of the pairs."""


@dataclass(frozen=True, eq=False, slots=True)
class DelineationScore:
    """Counts of one method on a set of recordings, and what follows from them.

    Attributes
    ----------
    records : tuple of str, (N,)
    leads : tuple of str, (L,)
    boundary : ndarray, float64, (N, L, 6, 6)
        :data:`STATISTICS` within :data:`TOLERANCE_MS`.
    wide : ndarray, float64, (N, L, 6, 6)
        The same within 150 ms.
    peak : ndarray, float64, (N, L, 3, 6)
        Detection of P, QRS and T: peaks within 150 ms.
    """

    records: tuple[str, ...]
    leads: tuple[str, ...]
    boundary: Counts
    wide: Counts
    peak: Counts

    def pick(
        self, records: Sequence[str] | None = None, leads: Sequence[str] | None = None
    ) -> DelineationScore:
        """The score on some of the recordings or leads."""
        r = [self.records.index(name) for name in (self.records if records is None else records)]
        k = [self.leads.index(name) for name in (self.leads if leads is None else leads)]
        cut = lambda counts: counts[np.ix_(r, k)]  # noqa: E731
        names = tuple(self.records[i] for i in r), tuple(self.leads[i] for i in k)
        return DelineationScore(*names, cut(self.boundary), cut(self.wide), cut(self.peak))

    def table(self) -> pl.DataFrame:
        """One row a boundary: counts, f1, inner_f1, se, ppv, mean_ms, sd_ms; within 150 ms f1_150, mean_150, sd_150."""
        narrow, wide = _ratios(self.boundary.sum(axis=(0, 1))), _ratios(self.wide.sum(axis=(0, 1)))
        keys = list(TOLERANCE_MS)
        named = {
            "wave": [w for w, _ in keys],
            "fiducial": [f for _, f in keys],
            "tolerance_ms": [*TOLERANCE_MS.values()],
        }
        return pl.DataFrame(
            named | narrow | {f"{k.removesuffix('_ms')}_150": wide[k] for k in ("f1", "mean_ms", "sd_ms")}
        )

    def detection(self) -> pl.DataFrame:
        """One row a wave: marked, matched, missed, false, f1, se, ppv, mean_ms, sd_ms of peaks within 150 ms."""
        return pl.DataFrame({"wave": WAVES} | _ratios(self.peak.sum(axis=(0, 1))))

    def macro_f1(self) -> float:
        """Mean of the six boundaries' F1; NaN when one of them is neither marked nor found."""
        return float(_f1(self.boundary.sum(axis=(0, 1))).mean())

    def inner_macro_f1(self) -> float:
        """Macro F1 without what is false only because it lies within the tolerance outside the marked part."""
        return float(_f1(_inner(self.boundary.sum(axis=(0, 1)))).mean())

    def macro_interval(self, replicates: int = 1000, level: float = 0.95, seed: int = 0) -> Interval:
        """Macro F1 with its percentile interval from drawing recordings with replacement."""
        draws = patient_draws(self.records, replicates, np.random.default_rng(seed))
        by_record = self.boundary.sum(axis=1)
        drawn = np.tensordot(draws.astype(np.float64), by_record, axes=1)
        return interval(self.macro_f1(), _f1(drawn).mean(axis=-1), level)

    def by_lead(self) -> dict[str, float]:
        """Macro F1 of each lead, counts pooled over the recordings."""
        return dict(zip(self.leads, _f1(self.boundary.sum(axis=0)).mean(axis=-1).tolist()))

    def worst_lead(self) -> tuple[str, float]:
        """The lead with the smallest macro F1, and that number."""
        return min(self.by_lead().items(), key=lambda item: item[1])

    def by_record(self) -> pl.DataFrame:
        """Columns record, matched, missed, false over the six boundaries and all leads; the worst first."""
        total = self.boundary.sum(axis=(1, 2))
        columns = {
            name: total[:, STATISTICS.index(name)].astype(np.int64) for name in ("matched", "missed", "false")
        }
        frame = pl.DataFrame({"record": self.records} | columns)
        return frame.sort(pl.col("missed") + pl.col("false"), descending=True, maintain_order=True)


def score_delineation(
    truth: Sequence[Marks], found: Sequence[Marks], leads: Sequence[str] | None = None
) -> DelineationScore:
    """Score found waves against marked ones.

    Parameters
    ----------
    truth : sequence of Marks, (N,)
    found : sequence of Marks
        By name of the recording; any order, others are left out. Their rate may be another one. A lead that they do
        not hold has no wave found.
    leads : sequence of str, optional
        Leads to score; by default those of the first of `truth`. A lead without any mark in a recording does not
        count there.

    Raises
    ------
    RecordError
        A recording of `truth` is not in `found`, or occurs twice.
    """
    names = tuple(marks.record for marks in truth)
    of = {marks.record: marks for marks in found}
    if missing := [name for name in names if name not in of]:
        raise RecordError(
            f"predictions: expected every marked recording, got none of {', '.join(missing[:5])}"
        )
    if len(set(names)) < len(names):
        raise RecordError("truth: expected every recording once, got one twice")
    use = tuple(leads if leads is not None else truth[0].leads if truth else ())
    shape = (len(names), len(use))
    made = DelineationScore(names, use, *(np.zeros((*shape, n, len(STATISTICS))) for n in (6, 6, 3)))
    for n, marks in enumerate(truth):
        for k, lead in enumerate(use):
            if lead in marks.spans:
                _one_lead(marks, of[marks.record], lead, made, (n, k))
    return made


def _one_lead(truth: Marks, found: Marks, lead: str, made: DelineationScore, at: tuple[int, int]) -> None:
    first, last = (1000.0 / truth.fs * edge for edge in truth.spans[lead])
    for b, ((wave, fiducial), tolerance) in enumerate(TOLERANCE_MS.items()):
        marked, there = (marks.milliseconds(lead, wave, fiducial) for marks in (truth, found))
        made.boundary[at][b] = count(marked, there, tolerance, (first, last))
        made.wide[at][b] = count(marked, there, WIDE_MS, (first, last), margin=0)
    for w, wave in enumerate(WAVES):
        marked, there = (marks.milliseconds(lead, wave, "peak") for marks in (truth, found))
        made.peak[at][w] = count(marked, there, WIDE_MS, (first, last), margin=0)


def count(
    truth: ArrayLike,
    found: ArrayLike,
    tolerance: float,
    span: tuple[float, float] | None = None,
    margin: float | None = None,
) -> Counts:
    """:data:`STATISTICS` of two increasing lists of times.

    Parameters
    ----------
    truth, found : array_like, float64, (N,) and (M,), ms
    tolerance : float, ms
    span : (first, last), ms, optional
        The marked part: what is found outside it ± `tolerance` does not count; None = everything counts.
    margin : float, ms, optional
        What has no partner is false within `span` ± `margin`, and nothing beyond; None = `tolerance`.

    Returns
    -------
    ndarray, float64, (6,)

    Examples
    --------
    >>> count([1000, 1800, 2600], [300, 960, 1010, 1790, 2200], 50, span=(1000, 2600))
    array([  2.,   2.,   1.,   1.,   0., 200.])
    """
    marked, there = np.asarray(truth, dtype=np.float64), np.asarray(found, dtype=np.float64)
    first, last = (-np.inf, np.inf) if span is None else span
    beyond = np.maximum(first - there, there - last) - 1e-6  # how far outside the marked part
    there, beyond = there[beyond <= tolerance], beyond[beyond <= tolerance]
    pairs = match(marked, there, tolerance)
    error = there[pairs[:, 1]] - marked[pairs[:, 0]]
    alone = np.delete(beyond, pairs[:, 1])
    alone = alone[alone <= (tolerance if margin is None else margin)]
    n = len(pairs)
    return np.array([n, len(alone), len(marked) - n, np.sum(alone > 0), error.sum(), error @ error])


def summary(counts: Counts) -> dict[str, float]:
    """Counts (6,) as marked, matched, missed, false, outside, f1, inner_f1, se, ppv, mean_ms, sd_ms.

    Raises
    ------
    ShapeError
        `counts` is not (6,).
    """
    if np.shape(counts) != (len(STATISTICS),):
        raise ShapeError(f"counts: expected shape (6,), got {np.shape(counts)}")
    return {name: values[0] for name, values in _ratios(np.asarray(counts)[None]).items()}


def _ratios(counts: Counts) -> dict[str, list[float]]:
    matched, false, missed, outside, total, squares = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / matched
        sd = np.sqrt(np.maximum(squares - matched * mean**2, 0.0) / (matched - 1))
        se, ppv = matched / (matched + missed), matched / (matched + false)
    whole = {
        "marked": matched + missed,
        "matched": matched,
        "missed": missed,
        "false": false,
        "outside": outside,
    }
    columns = {name: values.astype(np.int64).tolist() for name, values in whole.items()}
    shares = {
        "f1": _f1(counts),
        "inner_f1": _f1(_inner(counts)),
        "se": se,
        "ppv": ppv,
        "mean_ms": mean,
        "sd_ms": np.where(matched > 1, sd, np.nan),
    }
    return columns | {name: values.tolist() for name, values in shares.items()}


def _inner(counts: Counts) -> Counts:
    """The same without what is false only because it lies within the tolerance outside the marked part."""
    inner = counts.copy()
    inner[..., 1] -= counts[..., 3]
    return inner


def _f1(counts: Counts) -> Counts:
    matched, wrong = counts[..., 0], counts[..., 1] + counts[..., 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * matched / (2 * matched + wrong)
