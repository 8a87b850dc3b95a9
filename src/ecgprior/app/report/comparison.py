"""The sections of a report that compare many arms: panel, contrasts, readouts, label efficiency, robustness, retrieval, cost.

Each is made from the tables of ``results.json`` and is None where the result does not hold what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...evaluation.contrasts import ALL
from . import words
from .content import (
    Arm,
    ChartGroup,
    Contrast,
    Contrasts,
    Interval,
    Listing,
    ScoreRow,
    ScoreTable,
    Series,
    SeriesChart,
    TaskRow,
)

MOST_COLOURS = 6
_MORE_READOUTS = ("knn", "finetune", "stacked")
_READOUTS = {
    "probe": ("Linear probe", "encoder frozen"),
    "knn": ("Nearest neighbours", "encoder frozen"),
    "finetune": ("Fine-tuned", "encoder trained on"),
    "head": ("Own head", "as it was trained"),
    "stacked": ("With features", "both, stacked"),
}
_FEATURES, _CONTROL = 2, 3
_CEILINGS = {1: "supervised training", 2: "measured features"}
_GROUPS = ("Self-supervised", "Supervised", "Measured features, no encoder", "Controls")
_NOTHING = Interval(None)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """A result as the sections need it.

    Attributes
    ----------
    found : mapping
        ``results.json``.
    recipe : mapping
        The manifest's resolved recipe.
    arms : sequence of Arm
        Those with results; ``name`` is an arm's name, followed by ``/head`` or ``/trees`` where it is not read by a probe.
    tasks : sequence of TaskRow
        The mean over tasks first.
    kinds : mapping of str to int
        Arm of the recipe → place in the list of kinds: self-supervised, supervised, features, control.
    """

    found: Mapping[str, Any]
    recipe: Mapping[str, Any]
    arms: Sequence[Arm]
    tasks: Sequence[TaskRow]
    kinds: Mapping[str, int]

    @property
    def head(self) -> str:
        """The scope to judge by: the mean over tasks, or the only task."""
        return self.tasks[0].name if self.tasks else ALL

    @property
    def scopes(self) -> dict[str, str]:
        """Scope → how it is called."""
        return {task.name: task.title for task in self.tasks}

    def key(self, arm: str) -> str:
        """The system that an arm is shown as, where it is shown once."""
        names = [a.name for a in self.arms if a.name.partition("/")[0] == arm]
        return next((name for name in names if name == arm), names[0] if names else arm)

    def title(self, arm: str) -> str:
        key = self.key(arm)
        return next((a.title for a in self.arms if a.name == key), arm)

    def ordered(self) -> list[Arm]:
        """Arms by kind and, within a kind, the best first."""

        def place(arm: Arm) -> tuple[int, float]:
            score = self.tasks[0].scores.get(arm.name, _NOTHING).value if self.tasks else None
            return self.kinds.get(arm.name.partition("/")[0], 0), -(score or 0.0)

        return sorted(self.arms, key=place)

    def group(self, arm: str) -> str:
        return _GROUPS[self.kinds.get(arm.partition("/")[0], 0)]

    def fewer(self, arm: str) -> str:
        """What is said of an arm that has fewer seeds than the recipe asks for."""
        name, _, readout = arm.partition("/")
        own = [
            row["seeds"]
            for row in self.found["summary"]
            if row["arm"] == name and row["readout"] == (readout or "probe")
        ]
        return _seeds(own[0]) if own and own[0] < len(self.recipe["seeds"]) else ""

    def one_each(self) -> list[str]:
        """Arms of the recipe in the same order, each once."""
        return list(dict.fromkeys(arm.name.partition("/")[0] for arm in self.ordered()))


def kinds(recipe: Mapping[str, Any], supervised: Callable[[Mapping[str, Any]], bool]) -> dict[str, int]:
    """Arm → 0 self-supervised, 1 supervised, 2 measured features, 3 control."""

    def kind(arm: Mapping[str, Any]) -> int:
        if arm.get("features"):
            return 2
        if arm.get("control") or not arm["train"]:
            return 3
        return 1 if supervised(arm) else 0

    return {arm["name"]: kind(arm) for arm in recipe["arms"]}


def shown_arms(this: Comparison) -> tuple[Arm, ...]:
    """At most six arms that get a colour; empty when all can.

    A random encoder first (grey), then the supervised arm, the default arm and its rival, trees on the features, and the
    best other self-supervised arms.
    """
    if len(this.arms) <= MOST_COLOURS:
        return ()
    order = this.one_each()
    of_kind = [[arm for arm in order if this.kinds.get(arm) == kind] for kind in range(4)]
    control = (
        this.recipe["against"]
        if this.kinds.get(this.recipe["against"]) == 3
        else next(iter(of_kind[3]), None)
    )
    primary = list(this.recipe.get("primary") or [])
    wanted = [control, *of_kind[1][:1], *primary, *of_kind[2][:1], *of_kind[0], *of_kind[2], *of_kind[1]]
    names = list(dict.fromkeys(this.key(arm) for arm in wanted if arm in order))[:MOST_COLOURS]
    by_name = {arm.name: arm for arm in this.arms}
    return tuple(by_name[name] for name in names)


def panel(this: Comparison) -> ScoreTable | None:
    """Every arm on every task, when there are more than a chart can tell apart."""
    if len(this.arms) <= MOST_COLOURS or not this.tasks:
        return None
    rows = [
        (
            arm.title,
            this.fewer(arm.name),
            [task.scores.get(arm.name, _NOTHING) for task in this.tasks],
            this.group(arm.name),
        )
        for arm in this.ordered()
    ]
    columns = tuple(
        (t.title, f"{t.records:,} records, {t.labels} label{'s'[: t.labels != 1]}") for t in this.tasks
    )
    return ScoreTable(
        "",
        "Means with 95 % intervals, the best first; the best of its kind in bold. Chance is 0.5.",
        "Arm",
        columns,
        _rows(rows),
    )


def contrasts(this: Comparison, score: str) -> Contrasts | None:
    """The default arm against the others."""
    rows = this.found.get("contrasts") or []
    main = [row for row in rows if row["scope"] == this.head]
    if not main:
        return None
    default = this.title(main[0]["arm"])
    lines = {id(row): _contrast(this, row) for row in main}
    primary = next((lines[id(row)] for row in main if row["primary"]), None)
    others = [lines[id(row)] for row in main if not row["primary"]]
    others.sort(key=lambda line: line.value.value if line.value.value is not None else math.inf)
    n = max((row["family"] or 0 for row in main), default=0)
    about = (
        "Differences on the same draws of patients and seeds. "
        + (
            "The contrast in the tinted row was named beforehand, in the recipe, and its p stands as it is. "
            if primary
            else ""
        )
        + f"The {'other ' if primary else ''}{n} are exploratory: their p is adjusted by Holm’s rule for their number. "
        + "A filled mark: p, adjusted where it is, below 0.05."
    )
    return Contrasts(default, about, score, primary, tuple(others), _by_task(this, rows))


def above(this: Comparison) -> list[tuple[str, float]]:
    """What does better than the default arm, adjusted for the number of contrasts: the best of each kind, and its score.

    Another method by its name, supervised training and measured features as such; controls have no part.
    """
    found: dict[int, tuple[str, float]] = {}
    for row in _head(this, "contrasts"):
        kind, gap, p = this.kinds.get(row["against"], 0), row["difference"], row["p_holm"]
        score = this.tasks[0].scores.get(this.key(row["against"]), _NOTHING).value or 0.0
        if row["readout"] != "probe" or row["primary"] or kind == _CONTROL or None in (gap, p):
            continue
        if gap < 0 and p < 0.05 and score > found.get(kind, ("", -1.0))[1]:
            found[kind] = (_CEILINGS.get(kind) or this.title(row["against"]), score)
    return sorted(found.values(), key=lambda one: -one[1])


def highest(this: Comparison, told: Sequence[str]) -> str:
    """A sentence on the arm with the highest score of all, where it is neither of those told of nor one of :func:`above`."""
    scores = this.tasks[0].scores if this.tasks else {}
    known = [
        a
        for a in this.arms
        if scores.get(a.name, _NOTHING).value is not None and not a.name.endswith("/head")
    ]
    top = max(known, key=lambda arm: scores[arm.name].value or 0.0, default=None)
    if (
        top is None
        or top.name in told
        or (scores[top.name].value or 0.0) in [value for _, value in above(this)]
    ):
        return ""
    sentence = f" The highest mean of all is that of {top.title}: {words.spread(scores[top.name])}"
    rows = [
        row
        for row in _head(this, "contrasts")
        if row["p_holm"] is not None and this.key(row["against"]) == top.name
    ]
    if rows:
        sentence += f"; adjusted for the number of comparisons, it is not told apart from {this.title(rows[0]['arm'])}"
    return f"{sentence}."


def _contrast(this: Comparison, row: Row) -> Contrast:
    said = ["named beforehand"] if row["primary"] else []
    said += ["embedding with features, stacked"] if row["readout"] == "stacked" else []
    said += [_seeds(row["seeds"])] if row["seeds"] < len(this.recipe["seeds"]) else []
    text = ", ".join(said)
    return Contrast(this.title(row["against"]), text, _interval(row, "difference"), row["p"], row["p_holm"])


def _by_task(this: Comparison, rows: Sequence[Row]) -> ScoreTable | None:
    scopes = [
        scope for scope in this.scopes if scope != this.head and any(row["scope"] == scope for row in rows)
    ]
    if not scopes:
        return None
    places = [row for row in rows if row["primary"]] + sorted(
        (row for row in rows if row["scope"] == this.head and not row["primary"]),
        key=lambda row: row["difference"] or 0.0,
    )
    pairs = list(
        dict.fromkeys((row["readout"], row["against"], row["against_readout"]) for row in [*places, *rows])
    )
    found = {(row["readout"], row["against"], row["against_readout"], row["scope"]): row for row in rows}
    lines = []
    for pair in pairs:
        own = [found.get((*pair, scope)) for scope in scopes]
        values = tuple(_interval(row, "difference") if row else _NOTHING for row in own)
        strong = tuple(
            i for i, row in enumerate(own) if row and row["p_holm"] is not None and row["p_holm"] < 0.05
        )
        text = "with features, stacked" if pair[0] == "stacked" else ""
        lines.append(ScoreRow(this.title(pair[1]), text, values, strong=strong))
    about = "Bold: p below 0.05 after adjustment for the contrasts of the same column."
    columns = tuple((this.scopes[scope], "") for scope in scopes)
    return ScoreTable("Task by task", about, "Against", columns, tuple(lines), signed=True)


def readouts(this: Comparison) -> ScoreTable | None:
    """Each arm read out every way, on the mean over tasks; None where there is nothing but probes and heads."""
    found = {(row["arm"], row["readout"]): _interval(row, "auroc") for row in _head(this, "summary")}
    used = [name for name in _READOUTS if any(readout == name for _, readout in found)]
    if not set(used) & set(_MORE_READOUTS):
        return None
    arms = [arm for arm in this.one_each() if this.kinds.get(arm) != _FEATURES]
    rows = [
        (this.title(arm), "", [found.get((arm, name), _NOTHING) for name in used], this.group(arm))
        for arm in arms
    ]
    alone = [arm for arm in this.one_each() if (arm, "trees") in found]
    beside = (
        f" {this.title(alone[0])}, without an encoder: {words.spread(found[alone[0], 'trees'])}."
        if alone
        else ""
    )
    about = f"{this.scopes[this.head]}: macro AUROC of each encoder read out in every way that was asked for.{beside}"
    return ScoreTable(
        "Ways of reading an encoder out", about, "Arm", tuple(_READOUTS[name] for name in used), _rows(rows)
    )


def efficiency(this: Comparison, score: str) -> ChartGroup | None:
    """What each arm reaches with a part of the labels."""
    found = _head(this, "efficiency")
    if not found:
        return None
    fractions = sorted({row["fraction"] for row in found} | {1.0})
    by_place = {(row["arm"], row["fraction"]): _interval(row, "auroc") for row in found}
    for row in _head(this, "summary"):
        if row["readout"] == "probe":
            by_place.setdefault((row["arm"], 1.0), Interval(row["auroc"]))
    arms = [arm for arm in this.one_each() if any(row["arm"] == arm for row in found)]
    values = {arm: [by_place.get((arm, f), _NOTHING) for f in fractions] for arm in arms}
    ticks = tuple((math.log10(f), _percent(f)) for f in fractions)
    primary = [str(arm) for arm in this.recipe.get("primary") or ()]
    series = tuple(Series(this.key(arm), tuple(values[arm]), arm in primary or len(arms) < 4) for arm in arms)
    level = None
    if primary and (full := by_place.get((primary[1], 1.0), _NOTHING).value) is not None:
        level = (full, f"{this.title(primary[1])} with all labels: {words.number(full)}")
    chart = SeriesChart("Label efficiency", "share of the training labels", score, ticks, series, level)
    n = this.recipe.get("draws")
    about = (
        f"{this.scopes[this.head]}. Each point is a mean over {f'{n} ' if n else ''}stratified draws of the training labels, over "
        f"folds and seeds; {'the two bands' if len(arms) > 3 else 'bands'} hold 95 % of draws and seeds – the luck of the labels "
        f"and of training, not of the test patients. {_quarter(this, primary, values, fractions)}"
    )
    columns = tuple((_percent(f), "") for f in fractions)
    lines = [(this.title(arm), this.fewer(arm), values[arm], this.group(arm)) for arm in arms]
    table = ScoreTable("All figures", "", "Arm", columns, _rows(lines))
    return ChartGroup("How many labels it takes", about.strip(), (chart,), table)


def _quarter(
    this: Comparison, primary: Sequence[str], values: Mapping[str, Sequence[Interval]], fractions: Sequence[float]
) -> str:  # fmt: skip
    """The default arm with a quarter of the labels against its rival with all, in a sentence."""
    if 0.25 not in fractions or not set(primary) or not set(primary) <= set(values):
        return ""
    default, rival = primary
    mine, its = values[default][fractions.index(0.25)].value, values[rival][-1].value
    if mine is None or its is None:
        return ""
    return (
        f"With a quarter of the labels {this.title(default)} reaches {words.number(mine)}; {this.title(rival)} with all of "
        f"them {words.number(its)}."
    )


def robustness(this: Comparison, score: str) -> ChartGroup | None:
    """Probes fitted on clean records, tested on changed ones."""
    changed = this.recipe.get("changed") or []
    rows = {(row["arm"], row["readout"]): _interval(row, "auroc") for row in _head(this, "summary")}
    there = [c for c in changed if any(readout == f"probe:{c['name']}" for _, readout in rows)]
    if not there:
        return None
    arms = [arm for arm in this.one_each() if any((arm, f"probe:{c['name']}") in rows for c in there)]
    kinds_ = [("noise_db", "Noise"), ("rate", "Sampling rate"), ("leads", "Fewer leads")]
    charts, columns, names = [], [("As recorded", "")], ["probe"]
    for kind, title in kinds_:
        own = sorted((c for c in there if c.get(kind) not in (None, [])), key=lambda c: -_size(c[kind]))
        if not own:
            continue
        label, unit = _AXES[kind]
        readouts_ = ["probe", *(f"probe:{c['name']}" for c in own)]
        ticks = ((0.0, _CLEAN[kind]), *((i + 1.0, unit(c[kind])) for i, c in enumerate(own)))
        series = tuple(
            Series(this.key(a), tuple(rows.get((a, r), _NOTHING) for r in readouts_)) for a in arms
        )
        charts.append(SeriesChart(title, label, score, tuple(ticks), series))
        columns += [(unit(c[kind]), _SMALL[kind]) for c in own]
        names += readouts_[1:]
    lines = [
        (this.title(a), "", [Interval(rows.get((a, n), _NOTHING).value) for n in names], this.group(a))
        for a in arms
    ]
    table = ScoreTable("All figures", "", "Arm", tuple(columns), _rows(lines))
    left = [f"{_leads(c['leads'])}: {', '.join(c['leads'])}" for c in there if c.get("leads")]
    about = (
        f"{this.scopes[this.head]}. The probe was fitted on the records as they are; only the test records were changed."
        + (f" Leads that were left – {'; '.join(left)}." if left else "")
    )
    return ChartGroup("On worse recordings", about, tuple(charts), table)


def retrieval(this: Comparison) -> ScoreTable | None:
    """Whether near embeddings are similar hearts, and whether the embedding holds the measurements."""
    found = {row["arm"]: row for row in this.found.get("retrieval") or []}
    if not found:
        return None
    k = this.recipe.get("retrieval_k", 10)
    rows = []
    for arm in (arm for arm in this.one_each() if arm in found):
        row = found[arm]
        values = [_interval(row, "precision"), Interval(row.get("chance")), _interval(row, "r2_median")]
        rows.append(
            (
                this.title(arm),
                "" if row["seeds"] == len(this.recipe["seeds"]) else _seeds(row["seeds"]),
                values,
                this.group(arm),
            )
        )
    about = (
        f"Left: of the {k} training records whose embeddings are nearest to a test record’s, the share that is among the 5 % most "
        "alike by measured physiology. Right: how well a linear map from the embedding predicts the measured features of test "
        "records, the median over features (R² 1 = all, 0 = no better than their mean)."
    )
    columns = (
        (f"Similar of the {k} nearest", "share"),
        ("By chance", ""),
        ("Features from embedding", "median R²"),
    )
    return ScoreTable("What the embedding knows of physiology", about, "Arm", columns, _rows(rows, skip=(1,)))


def cost(this: Comparison) -> Listing | None:
    """What each arm took; None where nothing but untrained arms is there."""
    rows: list[tuple[str, ...]] = []
    for arm in this.one_each():
        cells = [cell for cell in this.found["cells"] if cell["arm"] == arm]
        if not cells:
            continue
        mean = lambda name, own=cells: sum(c.get(name) or 0 for c in own) / len(own)  # noqa: E731
        seen = f"{mean('records'):,.0f}" if any(c.get("records") for c in cells) else words.MISSING
        trained = (f"{mean('view_passes'):,.0f}", seen, words.duration(mean("train_seconds")))
        if not any(cell["view_passes"] for cell in cells):
            trained = ("none",) + 2 * (words.MISSING,)
        rows.append(
            (this.title(arm), *trained, str(len(cells)), words.duration(sum(c["seconds"] for c in cells)))
        )
    if not any(cell["view_passes"] for cell in this.found["cells"]):
        return None
    about = (
        "An encoder pass is one window through the encoder forwards, whatever the objective does with it: the budget that arms "
        "are given alike. Records are those that the encoder could learn from, without validation and test. Times are of the machine "
        "it ran on, means over runs; all computing is with embedding and readouts, but without measuring the features."
    )
    columns = ("Arm", "Encoder passes a run", "Records a run", "Training a run", "Runs", "All computing")
    return Listing("What it cost", about, columns, tuple(rows), numeric=(1, 2, 3, 4, 5))


def _seeds(n: int) -> str:
    return f"{n} seed{'s' if n != 1 else ''} only"


def _head(this: Comparison, table: str) -> list[Row]:
    return [row for row in this.found.get(table) or [] if row["scope"] == this.head]


def _interval(row: Row, name: str) -> Interval:
    ends = ("low", "high") if name in ("auroc", "difference") else (f"{name}_low", f"{name}_high")
    return Interval(row.get(name), *(row.get(end) for end in ends))


def _rows(
    lines: Sequence[tuple[str, str, Sequence[Interval], str]], skip: Sequence[int] = ()
) -> tuple[ScoreRow, ...]:
    """Rows with the best number of each column and group bold, where a group has several."""
    found = []
    for title, text, values, group in lines:
        peers = [own for _, _, own, other in lines if other == group != _GROUPS[_CONTROL]]
        strong = []
        for i, value in enumerate(values):
            known = [v for own in peers if (v := own[i].value) is not None]
            if (
                i not in skip
                and len(known) > 1
                and value.value is not None
                and round(value.value, 3) == round(max(known), 3)
            ):
                strong.append(i)
        found.append(ScoreRow(title, text, tuple(values), group, tuple(strong)))
    return tuple(found)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"


def _size(value: Any) -> float:
    """How much is left: decibels and hertz as they are, of leads their number."""
    return float(len(value)) if isinstance(value, Sequence) and not isinstance(value, str) else float(value)


def _leads(value: Any) -> str:
    return str(int(_size(value)))


_AXES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "noise_db": ("added noise, signal-to-noise ratio", lambda value: f"{value:g} dB"),
    "rate": ("sampling rate of the test records", lambda value: f"{value:g} Hz"),
    "leads": ("leads that are there", _leads),
}
_CLEAN = {"noise_db": "none", "rate": "as it is", "leads": "all"}
_SMALL = {"noise_db": "noise", "rate": "rate", "leads": "leads"}
