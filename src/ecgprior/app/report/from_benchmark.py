"""From a benchmark's result folder and its corpus to a report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...corpus.shards import Corpus
from ...errors import CorpusError
from ...evaluation.contrasts import ALL
from ...evaluation.plan import REFERENCE
from . import comparison, words
from .content import Arm, Contrast, Difference, Interval, LabelRow, LabelScore, Report, TaskRow
from .curves import training_curves
from .held_out import HeldOut, held_out
from .recordings import examples, label_rows, label_title, short_title, source_rows

SCORE = "Macro AUROC"
_METRICS = {"auroc": SCORE, "auprc": "AUPRC", "f_max": "F-max", "brier": "Brier", "ece": "Calibration error"}
_FEW = 10
_NO_RATE = 1e-9
_SHOWN = ("probe", "head", "trees")  # every other readout has a table of its own
_TITLES = {
    REFERENCE: "Random encoder",
    "random-normed": "Random encoder, norms fitted",
    "supervised": "Supervised",
    "simclr": "SimCLR",
    "physioclr": "PhysioCLR",
    "physio-regression": "Feature regression",
    "physioclr-regression": "PhysioCLR + regression",
    "physioclr-pairs": "PhysioCLR, pairs alone",
    "simclr-whole": "SimCLR, whole records",
    "feature-neighbours-whole": "Feature neighbours, whole records",
    "control-permuted": "PhysioCLR, permuted features",
    "control-spectrum": "PhysioCLR, spectrum as features",
    "control-rate-only": "PhysioCLR, heart rate alone",
    "control-quality-only": "PhysioCLR, quality alone",
    "barlow-twins": "Barlow Twins",
    "clef": "CLEF",
    "cmsc": "CMSC",
    "cpc": "CPC",
    "ecg-jepa": "ECG-JEPA",
    "feature-neighbours": "Feature neighbours",
    "pclr": "PCLR",
    "st-mem": "ST-MEM",
    "three-kg": "3KG",
    "vicreg": "VICReg",
    "wav2vec-cmsc": "wav2vec 2.0 + CMSC",
    "features-linear": "Features, linear probe",
    "features-trees": "Features, boosted trees",
}


def report_of(result: str | Path, corpus: Corpus, *, work: str | Path | None = None) -> Report:
    """Everything that a benchmark's report shows.

    Parameters
    ----------
    result : path
        A result folder of ``ecgprior benchmark``.
    corpus : Corpus
        The corpus that it was computed on.
    work : path, optional
        Where its runs lie, for training curves; default ``result/work``.

    Raises
    ------
    CorpusError
        `result` holds no results yet, or was computed on other records than the corpus holds.
    """
    result = Path(result)
    manifest, found = (_read(result / name) for name in ("manifest.json", "results.json"))
    recipe = manifest["recipe"]
    test = held_out(result, recipe, corpus)
    arms = _arms(found["summary"], recipe)
    names = {arm.name: arm.title for arm in arms}
    summary = [row for row in found["summary"] if row["readout"] in _SHOWN]
    tasks = _tasks(summary, recipe, corpus, test)
    star, control = _star(arms, recipe), next((a for a in arms if a.name == recipe["against"]), None)
    head = tasks[0] if tasks else None
    differences = _differences(summary, tasks, arms, recipe["against"])
    this = comparison.Comparison(found, recipe, arms, tasks, comparison.kinds(recipe, _supervised))
    contrasts = comparison.contrasts(this, "macro AUROC")
    sentence = f"{found['title']}: no arm is finished yet."
    if star and control and head:
        both = (head.scores[star.name], head.scores[control.name])
        gap = next((d for d in differences if d.arm == star.name and d.task == head.title), None)
        sentence = words.headline(star, control, both, gap, "macro AUROC")
    named = contrasts.primary if contrasts else None
    if contrasts and named and head:
        default, rival = (head.scores[this.key(arm)] for arm in recipe["primary"])
        sentence = words.contrast_headline(
            contrasts.default,
            named.against,
            (default, rival),
            named.value,
            comparison.above(this),
            "macro AUROC",
        )
    vocabularies = [task["vocabulary"] for task in recipe["tasks"]]
    sources = source_rows(corpus)
    learning = [arm["name"] for arm in recipe["arms"] if _learns(arm)]
    curves = training_curves(Path(work or result / "work"), learning, names)
    simulated = {row.name for row in sources} == {"simulated"}
    caution = next(iter(recipe.get("notes") or ()), "") if simulated else ""
    return Report(
        kicker=found["title"],
        headline=sentence,
        lead_in=_lead_in(this, test, named, [a.name for a in (star, control) if a]),
        caution=caution,
        simulated=simulated,
        score=SCORE,
        arms=arms,
        tasks=tasks,
        differences=differences,
        labels=_labels(found["labels"], tasks, recipe, test),
        curves=curves,
        curves_about=_curves_about(recipe),
        sources=sources,
        support=_support(label_rows(corpus, vocabularies), recipe),
        examples=examples(corpus, _wanted(recipe, corpus)),
        facts=_facts(found, recipe, corpus, test),
        notes=tuple(
            note
            for note in _notes(found, manifest, corpus, recipe, test, simulated, bool(curves))
            if note != caution
        ),
        provenance=_provenance(manifest, found, corpus),
        appendix=(("Recipe, resolved", json.dumps(recipe, indent=2, ensure_ascii=False)),),
        shown=comparison.shown_arms(this),
        panel=comparison.panel(this),
        contrasts=contrasts,
        readouts=comparison.readouts(this),
        efficiency=comparison.efficiency(this, "macro AUROC"),
        robustness=comparison.robustness(this, "macro AUROC"),
        retrieval=comparison.retrieval(this),
        cost=comparison.cost(this),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorpusError(
            f"result '{path.parent}': expected {path.name}, which is not there – run ecgprior benchmark first"
        ) from None
    except ValueError as error:
        raise CorpusError(f"{path.name} of '{path.parent}': expected JSON, got {error}") from None


def _key(row: Mapping[str, Any]) -> str:
    """An arm read out by its own head is shown as an arm of its own."""
    return row["arm"] if row["readout"] == "probe" else f"{row['arm']}/{row['readout']}"


def _arms(summary: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any]) -> tuple[Arm, ...]:
    """The systems that have results, in the recipe's order, the linear probe before the arm's own head."""
    there = {_key(row) for row in summary}
    found = []
    for arm in recipe["arms"]:
        title = _TITLES.get(arm["name"], arm["name"])
        if arm.get("features"):
            read = "boosted trees" if arm["features"] == "trees" else "a linear probe"
            text, phrase = f"no encoder: {read} on the measured features", "the measured features alone"
        elif not arm["train"]:
            text, phrase = "never trained: the control", "a random encoder"
        elif arm["control"]:
            text = "a control" if _learns(arm) else "a control: no weight was trained"
            phrase = f"the control “{title}”"
        elif _supervised(arm):
            text, phrase = "trained on the labels of the training part", "supervised features"
        else:
            text, phrase = "self-supervised: sees no label", f"{title} features"
        key = f"{arm['name']}/trees" if arm.get("features") == "trees" else arm["name"]
        found.append(Arm(key, title, text, phrase))
        own = f"{title}, own head"
        found.append(Arm(f"{arm['name']}/head", own, "its trained output instead of a probe", own))
    return tuple(arm for arm in found if arm.name in there)


def _supervised(arm: Mapping[str, Any]) -> bool:
    return arm["pretrain_values"].get("objective", {}).get("name") == "supervised"


def _learns(arm: Mapping[str, Any]) -> bool:
    """Whether training changes the arm's weights: a control may go through the motions at a learning rate of nothing."""
    rate = arm["pretrain_values"].get("optimiser", {}).get("lr", 1.0)
    return bool(arm["train"]) and not arm.get("features") and rate > _NO_RATE


def _star(arms: Sequence[Arm], recipe: Mapping[str, Any]) -> Arm | None:
    """The arm that the headline is about: the recipe's first self-supervised one, else its first trained one."""
    trained = [a for a in recipe["arms"] if a["train"] and not a["control"] and not a.get("features")]
    order = [a["name"] for a in sorted(trained, key=_supervised)]
    return next((arm for name in order for arm in arms if arm.name == name), None)


def _tasks(
    summary: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any], corpus: Corpus, test: HeldOut
) -> tuple[TaskRow, ...]:
    """The mean over tasks first, then means without some task, then each task."""
    scopes = list(dict.fromkeys(row["scope"] for row in summary))
    titles = {e["name"]: short_title(e["title"], e["name"]) for e in corpus.manifest["sources"]}
    known = {task["name"]: task for task in recipe["tasks"]}
    rows = []
    for scope in sorted(scopes, key=lambda scope: (scope != ALL, scope in known)):  # means first
        own = [row for row in summary if row["scope"] == scope]
        scores = {_key(row): Interval(row["auroc"], row["low"], row["high"]) for row in own}
        if scope in known:
            sources, members = known[scope]["sources"], [scope]
            title = titles.get(sources[0], scope) if len(sources) == 1 else scope
            metrics = {_key(row): _metrics(row) for row in own}
        else:
            left = scope.removeprefix("without ") if scope != ALL else None
            members, metrics = [name for name in known if name != left], {}
            title = f"Mean without {left}" if left else "Mean over tasks"
        n_records, n_labels = (sum(counts) for counts in zip(*(_size(test, name) for name in members)))
        rows.append(TaskRow(scope, title, n_records, n_labels, scores, metrics))
    return tuple(rows)


def _size(test: HeldOut, task: str) -> tuple[int, int]:
    return test.records[task], len(test.labels[task])


def _metrics(row: Mapping[str, Any]) -> dict[str, Interval]:
    found = {title: Interval(row[key]) for key, title in _METRICS.items() if row.get(key) is not None}
    return found | {SCORE: Interval(row["auroc"], row["low"], row["high"])}


def _differences(
    summary: Sequence[Mapping[str, Any]], tasks: Sequence[TaskRow], arms: Sequence[Arm], against: str
) -> tuple[Difference, ...]:
    by_place = {(row["scope"], _key(row)): row for row in summary if row["difference"] is not None}
    found = []
    for task in tasks:
        for arm in arms:
            if row := by_place.get((task.name, arm.name)):
                value = Interval(row["difference"], row["difference_low"], row["difference_high"])
                found.append(Difference(task.title, arm.name, against, value))
    return tuple(found)


def _labels(
    rows: Sequence[Mapping[str, Any]], tasks: Sequence[TaskRow], recipe: Mapping[str, Any], test: HeldOut
) -> tuple[LabelScore, ...]:
    """Every label of every task, most frequent first, with its support among the *test* records."""
    titles = {task.name: task.title for task in tasks}
    vocabularies = {task["name"]: task["vocabulary"] for task in recipe["tasks"]}
    groups = {task["name"]: task["groups"] for task in recipe["tasks"]}
    found = []
    for task, labels in test.labels.items():
        for label in sorted(labels, key=lambda name: -labels[name][0]):
            own = [row for row in rows if row["task"] == task and row["label"] == label]
            scores = {_key(row): Interval(row["auroc"], row["low"], row["high"]) for row in own}
            title = label if label in groups[task] else label_title(vocabularies[task], label)
            found.append(LabelScore(titles.get(task, task), title, *labels[label], scores))
    return tuple(found)


def _support(rows: Sequence[LabelRow], recipe: Mapping[str, Any]) -> tuple[LabelRow, ...]:
    """What the tasks ask for, or could ask for: codes on fewer records than a task needs are one line together."""
    least = {task["vocabulary"]: task["min_positives"] for task in recipe["tasks"]}
    shown = [row for row in rows if row.positives >= least[row.vocabulary]]
    for name, n in least.items():
        rare = [row for row in rows if row.vocabulary == name and row.positives < n]
        if rare:
            text = f"{len(rare)} more, each on fewer than {n} records"
            shown.append(LabelRow(name, "…", text, None, rare[0].labelled))
    return tuple(shown)


def _wanted(recipe: Mapping[str, Any], corpus: Corpus) -> list[tuple[str, str]]:
    """Labels to show an ECG of: the tasks take turns, each with its labels from the most frequent on."""
    turns = []
    for task in recipe["tasks"]:
        rows = label_rows(corpus, [task["vocabulary"]])
        asked = task["labels"] or [code for codes in task["groups"].values() for code in codes]
        turns.append([(row.vocabulary, row.code) for row in rows if not asked or row.code in asked])
    longest = max(map(len, turns), default=0)
    return [turn[i] for i in range(longest) for turn in turns if i < len(turn)]


def _lead_in(
    this: comparison.Comparison, test: HeldOut, named: Contrast | None, compared: Sequence[str]
) -> str:  # fmt: skip
    if not this.tasks:
        return ""
    recipe, head = this.recipe, this.tasks[0]
    told = [this.key(arm) for arm in recipe["primary"]] if named else compared
    others = [
        f"{arm.title} {words.spread(head.scores[arm.name])}" for arm in this.arms if arm.name not in told
    ]
    beside = f" Beside them: {'; '.join(others)}." if others else ""
    if len(this.arms) > comparison.MOST_COLOURS:
        beside = comparison.highest(this, told)
    before = f"{words.gap_sentence(named.value, named.p)} " if named else ""
    mean = f"Means over {len(recipe['tasks'])} tasks, measured" if named and head.name == ALL else "Measured"
    return (
        f"{before}{mean} on {test.n_records:,} records of {test.n_patients:,} patients whom neither the encoder nor the "
        f"probe had seen ({_how(recipe, _most_seeds(this.found))}); figures in brackets are 95 % intervals.{beside}"
    )


def _curves_about(recipe: Mapping[str, Any]) -> str:
    trunk = recipe.get("trunk")
    return (
        "One line a run. Encoders whose weights were not trained have none. Losses of different objectives share no scale, "
        "so each has its own chart."
        + (" Of self-supervised arms it is the part after the common trunk." if trunk else "")
    )


def _most_seeds(found: Mapping[str, Any]) -> int:
    """Seeds that are finished, of the arm that has most."""
    return max(row["seeds"] for row in found["summary"])


def _how(recipe: Mapping[str, Any], n: int) -> str:
    split = recipe["split"]
    seeds = f"{n} seed{'s' if n > 1 else ''}"
    if split["kind"] != "cv":
        return f"one patient-wise split, {seeds}"
    some = f"{len(split['only'])} of {split['folds']}" if split["only"] else f"{split['folds']}"
    return f"patient-wise cross-validation, {some} folds, {seeds}"


def _facts(
    found: Mapping[str, Any], recipe: Mapping[str, Any], corpus: Corpus, test: HeldOut
) -> tuple[tuple[str, str], ...]:
    encoder = next(arm["pretrain_values"]["encoder"] for arm in recipe["arms"] if not arm.get("features"))
    seconds = sum(cell["seconds"] for cell in found["cells"])
    return (
        ("Records", f"{len(corpus):,}"),
        ("Held out for testing", f"{test.n_records:,}"),
        ("Labels", f"{sum(map(len, test.labels.values()))}"),
        ("Encoder", " ".join(str(encoder[k]) for k in ("name", "size") if k in encoder)),
        ("Cells finished", f"{found['finished']} of {found['planned']}"),
        ("Computing time", words.duration(seconds)),
    )


def _notes(
    found: Mapping[str, Any],
    manifest: Mapping[str, Any],
    corpus: Corpus,
    recipe: Mapping[str, Any],
    test: HeldOut,
    simulated: bool,
    curves: bool,
) -> tuple[str, ...]:
    notes = []
    if simulated:
        notes.append(
            "Every ECG here is simulated. The figures show that the machinery works from end to end; "
            "they say nothing about how well anything would do on patients."
        )
    notes.append(_trained_on(manifest, recipe, corpus))
    n = _most_seeds(found) if found["summary"] else 0
    notes.append(
        f"Intervals come from {recipe['replicates']:,} draws of patients"
        + (f" and of the {n} seeds." if n > 1 else "; one seed only, so the luck of training is not in them.")
        + " The luck of the split is not in them either."
    )
    few = [f"{label} ({n})" for own in test.labels.values() for label, (n, _) in own.items() if n < _FEW]
    if few:
        notes.append(
            f"Labels with fewer than {_FEW} test records that carry them: {', '.join(few)}. Their intervals are too "
            "narrow: a bootstrap of so few, above all around an AUROC of 1.000, shows less doubt than there is."
        )
    if corpus.manifest.get("n_duplicates"):
        n_double = corpus.manifest["n_duplicates"]
        notes.append(
            f"{n_double:,} recordings came a second time and were left out when the corpus was prepared."
        )
    if manifest["corpus"] != corpus.digest:
        notes.append("The corpus shown here has another digest than the one that the benchmark began with.")
    if not curves:
        notes.append("Training curves are not shown: the runs' logs are not beside the results.")
    return (*notes, *found["notes"])


def _trained_on(manifest: Mapping[str, Any], recipe: Mapping[str, Any], corpus: Corpus) -> str:
    """What the self-supervised encoders learnt from."""
    used = [source for source, there in manifest.get("unlabelled", {}).items() if there]
    also = f", and on all records of {', '.join(used)}, which have no part in any test" if used else ""
    trunk = recipe.get("trunk")
    if not trunk:
        return f"Self-supervised encoders were trained on the training part of each split{also}."
    present = set(corpus.index["source"])
    common = words.listed([source for source in trunk["sources"] if source in present])
    if trunk["share"] >= 1:
        return (
            f"Self-supervised encoders were trained on {common} alone: no record of the tested sets, not even of their "
            "training part, was in it."
        )
    return (
        f"Self-supervised encoders spent {100 * trunk['share']:.0f} % of their steps on {common}, common to all splits and "
        f"without a record of the tested sets, and the rest on the training part of each split{also}."
    )


def _provenance(
    manifest: Mapping[str, Any], found: Mapping[str, Any], corpus: Corpus
) -> tuple[tuple[str, str], ...]:
    made = found["provenance"]
    return (
        (
            "Computed",
            f"{made['created']} with ecgprior {made['ecgprior']}, Python {made['python']}, {made['platform']}",
        ),
        ("Code", f"commit {made['git'] or 'unknown'}, SHA-256 {made['code_sha256']}"),
        ("Corpus", f"SHA-256 {corpus.digest}"),
        ("Folds", f"SHA-256 {manifest['folds']['digest']}"),
    )
