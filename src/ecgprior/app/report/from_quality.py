"""From the judged recordings of a folder to a page: how many can be used, what is wrong, and the worst of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ...errors import EcgpriorError
from ...physiology.quality.assess import quality
from ...physiology.quality.findings import FINDINGS, SEVERE
from ...physiology.quality.score import threshold
from ...provenance import provenance
from ...record.record import LEADS
from ..folder_quality import FolderQuality, Place
from ..plots.paper import plot_ecg
from .content import Census, Example, Heat, Listing, Report, Share
from .words import number

_STRIP_S, _STRIP_LEADS, _STRIP_MV, _LISTED = 10.0, 3, 1.5, 60
_BINS = 20


def report_of(judged: FolderQuality, place: Place, *, worst: int = 8) -> Report:
    """The page of a folder.

    Parameters
    ----------
    judged : FolderQuality
    place : Place
        Where the recordings are read again that are drawn.
    worst : int
        How many of them.
    """
    known = judged.records.filter(pl.col("unreadable").is_null()).sort("score", "record")
    unreadable = judged.records.filter(pl.col("unreadable").is_not_null())
    refused = known.filter(~pl.col("acceptable"))
    severe = judged.findings.filter(pl.col("severity") == SEVERE)["record"].unique()
    shown = known.filter(~pl.col("acceptable") | pl.col("record").is_in(severe.implode()))
    return Report(
        kicker="Signal quality",
        headline=_headline(judged, known.height, refused.height, unreadable.height),
        lead_in=(
            "The score is the probability that a cardiologist would accept the recording for diagnosis, learnt from "
            "the labels of PhysioNet/CinC 2011. Findings are measured lead by lead against fixed thresholds: a "
            "recording can be acceptable and still have a disturbed lead."
        ),
        simulated=False,
        score="Score",
        arms=(),
        tasks=(),
        facts=_facts(judged.records, known),
        census=_census(known, unreadable.height),
        heats=(_heat(judged, known),) if judged.findings.height else (),
        examples=_examples(shown, place, worst),
        examples_title="The worst recordings",
        examples_about=(
            f"Lowest score first, each with other findings than those before it; of each the worst leads, "
            f"{_STRIP_S:g} s, cut at ±{_STRIP_MV:g} mV."
        ),
        listings=(*_worst(shown), *_unreadable(unreadable)),
        notes=_notes(judged, place),
        provenance=_provenance(place),
    )


def _headline(judged: FolderQuality, n: int, refused: int, unreadable: int) -> str:
    said = f"{n - refused:,} of {judged.records.height:,} recordings are of acceptable quality"
    if refused:
        said += f"; {refused:,} {'is' if refused == 1 else 'are'} not"
        if reasons := _reasons(judged):
            said += f", most often for: {', '.join(reasons)}"
    if unreadable:
        said += f"; {unreadable:,} cannot be read"
    return said + "."


def _reasons(judged: FolderQuality, most: int = 2) -> list[str]:
    """The severe findings that set the refused apart: by how much commoner they are there than among the accepted."""
    severe = judged.findings.filter(pl.col("severity") == SEVERE).unique(["record", "finding"])
    found = severe.join(judged.records.select("record", "acceptable"), on="record").group_by("finding")
    share = {
        said: (pl.col("acceptable") == said).sum() / max(1, (judged.records["acceptable"] == said).sum())
        for said in (True, False)
    }
    excess = (
        found.agg(excess=share[False] - share[True])
        .filter(pl.col("excess") > 0)
        .sort("excess", "finding", descending=[True, False])
    )
    return excess["finding"].head(most).to_list()


def _facts(records: pl.DataFrame, known: pl.DataFrame) -> tuple[tuple[str, str], ...]:
    hours = known["seconds"].sum() / 3600
    median = float(np.median(known["score"].to_numpy())) if known.height else None
    return (
        ("Recordings", f"{records.height:,}"),
        ("Acceptable", f"{known['acceptable'].sum():,}"),
        ("Not acceptable", f"{(~known['acceptable']).sum():,}"),
        ("Unreadable", f"{records.height - known.height:,}"),
        ("Median score", number(median, 2)),
        ("Hours", f"{hours:,.1f}"),
    )


def _census(known: pl.DataFrame, unreadable: int) -> Census:
    accepted = known.filter(pl.col("acceptable"))
    clean = accepted.filter(pl.col("findings") == "").height
    scores = known["score"].to_numpy()
    counts = np.histogram(scores, np.linspace(0, 1, _BINS + 1))[0]
    shares = (
        Share("acceptable, nothing found", clean, "good"),
        Share("acceptable, with findings", accepted.height - clean, "fair"),
        Share("not acceptable", known.height - accepted.height, "bad"),
        Share("unreadable", unreadable, "none"),
    )
    return Census(
        title="Verdicts",
        about=f"A recording is acceptable from a score of {threshold():g} on.",
        shares=tuple(share for share in shares if share.count),
        counts=tuple(int(count) for count in counts),
        cut=threshold(),
        low_text="not acceptable",
        high_text="acceptable",
    )


def _heat(judged: FolderQuality, known: pl.DataFrame) -> Heat:
    found = judged.findings.unique(["record", "lead", "finding"])
    counts = {(f, lead): n for f, lead, n in found.group_by("finding", "lead").len().iter_rows()}
    total = dict(found.unique(["record", "finding"]).group_by("finding").len().iter_rows())
    severe = dict(
        judged.findings.filter(pl.col("severity") == SEVERE)
        .unique(["record", "finding"])
        .group_by("finding")
        .len()
        .iter_rows()
    )
    seen = {lead for _, lead in counts if lead is not None}
    leads = [lead for lead in LEADS if lead in seen or known["n_leads"].max() == 12]
    others = sorted(seen - set(LEADS))
    columns = [*leads, *others[:6]]
    rows = []
    for name in sorted((n for n in FINDINGS if n in total), key=lambda n: -total[n]):
        of_lead = any((name, lead) in counts for lead in columns)
        cells = [counts.get((name, lead), 0) if of_lead else None for lead in columns]
        text = f"severe in {severe[name]:,}" if name in severe else "notes only"
        rows.append((name, text, (total[name], *cells, counts.get((name, None)))))
    return Heat(
        title="What was found, lead by lead",
        about=(
            f"Recordings with each finding, of {known.height:,} that could be read. "
            "Severe: the lead cannot be read, or not be trusted."
        ),
        columns=("Any", *columns, "Record"),
        rows=tuple(rows),
        whole=max(1, known.height),
    )


def _examples(shown: pl.DataFrame, place: Place, most: int) -> tuple[Example, ...]:
    """The worst, each with other findings than those before it; then, where there is room, the next worst."""
    made: dict[int, Example] = {}
    seen: set[frozenset[str]] = set()
    again: list[int] = []
    for rank, row in enumerate(shown.head(40 * most).iter_rows(named=True)):
        if len(made) == most:
            break
        drawn = _drawn(row, place, seen)
        if drawn is not None:
            made[rank] = drawn
        elif len(again) < most:
            again.append(rank)
    for rank in again[: most - len(made)]:
        if (drawn := _drawn(shown.row(rank, named=True), place, set())) is not None:
            made[rank] = drawn
    return tuple(made[key] for key in sorted(made))


def _drawn(row: dict[str, Any], place: Place, seen: set[frozenset[str]]) -> Example | None:
    """One recording's worst leads; None when its kinds of findings were `seen`, or it can no longer be read."""
    try:
        record = place.load(row["path"])
    except (EcgpriorError, OSError, ValueError):
        return None
    judged = quality(record)
    kinds = frozenset(finding.name for finding in judged.all_findings)
    if kinds in seen:
        return None
    seen.add(kinds)
    order = {"unusable": 0, "disturbed": 1, "good": 2}
    leads = sorted(record.leads, key=lambda lead: (order[judged.verdicts[lead]], -len(judged.leads[lead])))
    leads = sorted(leads[:_STRIP_LEADS], key=record.leads.index)
    strips = record.pick(leads)
    with np.errstate(all="ignore"):
        level = [
            [float(np.median(x[np.isfinite(x)])) if np.isfinite(x).any() else 0.0] for x in strips.signal
        ]
        low, high = np.array(level) - _STRIP_MV, np.array(level) + _STRIP_MV
        strips = strips.with_(signal=np.clip(strips.signal, low, high))
    drawing = plot_ecg(
        strips,
        seconds=min(_STRIP_S, record.seconds),
        layout="strips",
        title=f"{row['record']} – score {row['score']:.2f}",
        filter_text=f"no filter, cut at ±{_STRIP_MV:g} mV",
    )
    return Example(drawing, f"{row['record']}: {_capped(row['findings'])}")


def _worst(shown: pl.DataFrame) -> tuple[Listing, ...]:
    if not shown.height:
        return ()
    rows = [
        (r["record"], f"{r['score']:.2f}", "yes" if r["acceptable"] else "no",
         f"{r['n_unusable']} of {r['n_leads']}", _capped(r["findings"]) or "–")
        for r in shown.head(_LISTED).iter_rows(named=True)
    ]  # fmt: skip
    more = (
        f" The first {_LISTED} of {shown.height:,}; all are in quality.csv." if shown.height > _LISTED else ""
    )
    return (
        Listing(
            "Recordings to look at",
            f"Not acceptable, or with a severe finding; lowest score first.{more}",
            ("Recording", "Score", "Acceptable", "Unusable leads", "Findings"),
            tuple(rows),
            (1,),
        ),
    )


def _unreadable(rows: pl.DataFrame) -> tuple[Listing, ...]:
    if not rows.height:
        return ()
    more = (
        f" The first {_LISTED} of {rows.height:,}; all are in quality.csv." if rows.height > _LISTED else ""
    )
    listed = tuple(rows.head(_LISTED).select("path", "unreadable").iter_rows())
    return (
        Listing(
            "Files that could not be read",
            f"Each with the reader's reason.{more}",
            ("File", "Reason"),
            listed,
        ),
    )


def _notes(judged: FolderQuality, place: Place) -> tuple[str, ...]:
    notes = [
        "The score was trained on ECGs that lay people took with a telephone; on other recordings it ranks rather "
        "than measures. It must not be used as a feature.",
        "A finding is made by a threshold on one number; the number stands in findings.csv. Nothing found does not "
        "mean that nothing is wrong: exchanged chest electrodes, for one, are not looked for.",
        "An exchange of LA and LL changes an ECG so little that most are missed. A heart at the right side looks "
        "like RA and LA exchanged.",
    ]
    broken = judged.findings.filter(pl.col("finding") == "limb leads contradict").height
    if place.source is None and broken > 0.05 * judged.records.height:
        notes.append(
            f"In {broken:,} recordings the limb leads contradict each other. If this is a published set, read it as "
            "its source (--source): that puts right what is known to be wrong with its files."
        )
    if judged.passed_over:
        notes.append(
            f"Passed over as tables of something else than an ECG: {', '.join(judged.passed_over[:5])}."
        )
    return tuple(notes)


def _provenance(place: Place) -> tuple[tuple[str, str], ...]:
    made = provenance()
    return (
        ("Folder", str(place.folder)),
        ("Read as", place.source or "folder"),
        (
            "Computed",
            f"{made['created']} with ecgprior {made['ecgprior']}, Python {made['python']}, {made['platform']}",
        ),
        ("Code", f"commit {made['git'] or 'unknown'}, SHA-256 {made['code_sha256']}"),
        (
            "Beside this page",
            "quality.csv, quality.parquet (one row a recording), findings.csv (one row a finding)",
        ),
    )


def _capped(text: str, most: int = 260) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" ,;") + "…"
