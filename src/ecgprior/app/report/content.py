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
class Share:
    """One part of a whole: `kind` is ``"good"``, ``"fair"``, ``"bad"`` or ``"none"`` and gives the colour."""

    title: str
    count: int
    kind: str


@dataclass(frozen=True, slots=True)
class Heat:
    """A table of counts whose cells are the darker the larger their share of `whole`.

    Attributes
    ----------
    columns : tuple of str
        Over the counts; the first `rows` column is the row's name.
    rows : tuple of (name, text, counts)
        `text` is a small line under the name; a count of None is an empty cell.
    whole : int
        What every count is out of.
    """

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[int | None, ...]], ...]
    whole: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A plain table; `numeric` are the columns that are set right."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Census:
    """How many records are of which kind, and how a number is spread over them.

    Attributes
    ----------
    shares : tuple of Share
    counts : tuple of int
        Records by `score`, in bins of equal width from 0 to 1.
    cut : float
        Where on that axis one kind ends and the next begins.
    """

    title: str
    about: str
    shares: tuple[Share, ...]
    counts: tuple[int, ...] = ()
    cut: float = 0.5
    low_text: str = ""
    high_text: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A line of a table of numbers.

    Attributes
    ----------
    title, text : str
        The line's name and a small line under it.
    values : tuple of Interval
        One a column; ``Interval(None)`` is a dash.
    group : str
        Lines that follow each other under one heading.
    strong : tuple of int
        Columns whose number is set bold.
    """

    title: str
    text: str
    values: tuple[Interval, ...]
    group: str = ""
    strong: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Numbers with their intervals below them, a line an arm.

    Attributes
    ----------
    title, about : str
        Heading, and a sentence or two under it.
    first : str
        Over the names.
    columns : tuple of (str, str)
        Name and a small line under it.
    signed : bool
        True = the numbers are differences and always show their sign.
    """

    title: str
    about: str
    first: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[ScoreRow, ...]
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """What the default arm gains over another one.

    Attributes
    ----------
    against : str
        The other arm, as printed.
    text : str
        A small line under it: seeds in common, readouts.
    value : Interval
        Default less other: positive = the default is better.
    p, p_adjusted : float or None
        Two-sided; `p_adjusted` None = not adjusted, because it was named beforehand.
    """

    against: str
    text: str
    value: Interval
    p: float | None
    p_adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class Contrasts:
    """The default arm against every other one.

    Attributes
    ----------
    default : str
        As printed.
    primary : Contrast or None
        The one named beforehand.
    others : tuple of Contrast
    by_task : ScoreTable or None
        The same, task by task.
    """

    default: str
    about: str
    score: str
    primary: Contrast | None
    others: tuple[Contrast, ...]
    by_task: ScoreTable | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One arm's values, a value a tick of its chart; ``Interval(None)`` where it has none. `band` = draw their intervals."""

    arm: str
    values: tuple[Interval, ...]
    band: bool = False


@dataclass(frozen=True, slots=True)
class SeriesChart:
    """Scores of several arms over something that changes.

    Attributes
    ----------
    title, x_label, y_label : str
    ticks : tuple of (float, str)
        Place on the axis, in any unit, and what is printed there.
    series : tuple of Series
    level : (float, str) or None
        A dashed line across, and what it is.
    """

    title: str
    x_label: str
    y_label: str
    ticks: tuple[tuple[float, str], ...]
    series: tuple[Series, ...]
    level: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class ChartGroup:
    """Charts under one heading, and all their figures as a table."""

    title: str
    about: str
    charts: tuple[SeriesChart, ...]
    table: ScoreTable | None = None

    @property
    def arms(self) -> frozenset[str]:
        """The arms of which there is a value."""
        series = (s for chart in self.charts for s in chart.series)
        return frozenset(s.arm for s in series if any(v.value is not None for v in s.values))


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
    caution : str
        What the figures mean, where they are easily taken for something else: right under the headline.
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
    shown : tuple of Arm
        The arms that have a colour of their own, at most six; empty = all.
    panel : ScoreTable or None
        In place of the chart of scores, when there are more arms than a chart can tell apart.
    contrasts, readouts, efficiency, robustness, retrieval, cost : optional sections of a comparison of many arms, in this
        order, each where the result holds it
    census, heats, listings : optional sections of pages on a folder, in this order
    curves_about : str
        What is said over the training curves.
    examples_about : str
        What is said over the drawn ECGs, where it is not the usual.
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
    curves_about: str = ""
    sources: tuple[SourceRow, ...] = ()
    support: tuple[LabelRow, ...] = ()
    examples: tuple[Example, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    caution: str = ""
    provenance: tuple[tuple[str, str], ...] = ()
    appendix: tuple[tuple[str, str], ...] = ()
    census: Census | None = None
    heats: tuple[Heat, ...] = ()
    listings: tuple[Listing, ...] = ()
    examples_title: str = "Example ECGs"
    examples_about: str = ""
    shown: tuple[Arm, ...] = ()
    panel: ScoreTable | None = None
    contrasts: Contrasts | None = None
    readouts: ScoreTable | None = None
    efficiency: ChartGroup | None = None
    robustness: ChartGroup | None = None
    retrieval: ScoreTable | None = None
    cost: Listing | None = None
