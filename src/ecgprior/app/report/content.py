"""What a report shows, as values: the page is made of these and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and, where it is known, its 95 % interval; None = not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of making the encoder.

    Attributes
    ----------
    name : str
        The key under which scores are filed.
    title : str
        What is printed: ``"SimCLR"``.
    text : str
        What it is, in a few words.
    phrase : str
        How a sentence names it: ``"SimCLR features"``, ``"a random encoder"``; the title where empty.
    """

    name: str
    title: str
    text: str = ""
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A line of the catalog table. `patients` None = the source does not identify patients."""

    name: str
    title: str
    records: int
    patients: int | None
    hours: float
    rates: str
    lengths: str
    leads: str
    labels: str
    licence: str = ""
    tested: bool = True


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label's support in the corpus: `positives` of `labelled` records; None = several labels together."""

    vocabulary: str
    code: str
    name: str
    positives: int | None
    labelled: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A question and every arm's answer; `scores` by arm name, `metrics` by arm and metric name."""

    name: str
    title: str
    records: int
    labels: int
    scores: Mapping[str, Interval]
    metrics: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label of a task, every arm."""

    task: str
    label: str
    positives: int
    labelled: int
    scores: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Difference:
    """`arm` minus `against` on `task`, paired over the same test patients."""

    task: str
    arm: str
    against: str
    value: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's course: `points` are (step, value); runs of one arm share a colour."""

    arm: str
    run: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class CurveChart:
    """Curves that share axes."""

    title: str
    y_label: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A drawn ECG and its line of text."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole page.

    Attributes
    ----------
    kicker : str
        What kind of page this is, in two or three words.
    headline : str
        One sentence: what was compared and what came out, with interval.
    lead_in : str
        Two or three sentences under it: how it was measured.
    simulated : bool
        True = every ECG is simulated; the page says so before anything else.
    score : str
        Name of the headline metric.
    facts : tuple of (term, value)
        A line of figures: records, patients, folds, seeds, time.
    notes : tuple of str
        What a reader must know before believing it: what was held out, what is not shown.
    provenance : tuple of (term, value)
        Digests, versions, dates.
    appendix : tuple of (title, text)
        Recipes and the like, folded away.
    """

    kicker: str
    headline: str
    lead_in: str
    simulated: bool
    score: str
    arms: tuple[Arm, ...]
    tasks: tuple[TaskRow, ...]
    differences: tuple[Difference, ...] = ()
    labels: tuple[LabelScore, ...] = ()
    curves: tuple[CurveChart, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    support: tuple[LabelRow, ...] = ()
    examples: tuple[Example, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    appendix: tuple[tuple[str, str], ...] = ()
