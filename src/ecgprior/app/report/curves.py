"""Training curves from the logs of a benchmark's runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .content import Curve, CurveChart

_MOST_POINTS = 200


def training_curves(work: Path, arms: Iterable[str], titles: Mapping[str, str]) -> tuple[CurveChart, ...]:
    """One chart of losses an arm, and one of validation scores for all that looked at a validation part.

    Parameters
    ----------
    work : Path
        The benchmark's work folder; empty result where it is not there.
    arms : iterable of str
        In the order of the report.
    titles : mapping of str to str
        Arm → what is printed.
    """
    charts, looks = [], []
    for arm in arms:
        runs = [(cell, _lines(path)) for cell, path in _logs(work, arm)]
        losses = [Curve(arm, cell, _points(lines, "step", "loss")) for cell, lines in runs]
        looks += [Curve(arm, cell, _points(lines, "validation", "auroc")) for cell, lines in runs]
        if any(curve.points for curve in losses):
            title = f"{titles.get(arm, arm)}: training loss"
            charts.append(CurveChart(title, _what(runs), tuple(c for c in losses if c.points)))
    if looks := [curve for curve in looks if curve.points]:
        whose = {titles.get(curve.arm, curve.arm) for curve in looks}
        title = f"{next(iter(whose))}: validation" if len(whose) == 1 else "Validation"
        charts.append(CurveChart(title, "macro AUROC on the validation part", tuple(looks)))
    return tuple(charts)


def _logs(work: Path, arm: str) -> list[tuple[str, Path]]:
    """(cell, newest log) of every run of an arm, by cell."""
    newest: dict[str, Path] = {}
    found = work.glob(f"{arm}-s*-f*/run/log.jsonl") if work.is_dir() else ()
    for path in sorted(found, key=lambda p: p.stat().st_mtime):
        match = re.fullmatch(rf"{re.escape(arm)}-s(\d+)-f(\d+)-[0-9a-f]+", path.parts[-3])
        if match:
            newest[f"seed {match[1]}, fold {match[2]}"] = path
    return sorted(newest.items())


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:  # a line that a kill cut short
            break
    return lines


def _points(lines: list[dict[str, Any]], event: str, key: str) -> tuple[tuple[float, float], ...]:
    """(step, value) of an event, averaged over neighbours when there are many."""
    points = [
        (float(x["step"]), float(x[key])) for x in lines if x["event"] == event and x.get(key) is not None
    ]
    width = -(-len(points) // _MOST_POINTS)
    groups = (points[i : i + width] for i in range(0, len(points), max(width, 1)))
    return tuple((sum(p[0] for p in g) / len(g), sum(p[1] for p in g) / len(g)) for g in groups)


def _what(runs: list[tuple[str, list[dict[str, Any]]]]) -> str:
    """What the loss is made of, and how many recordings it was taken over."""
    start = next((x for _, lines in runs for x in lines if x["event"] == "start"), {})
    n = f", {start['n_records']:,} training records" if "n_records" in start else ""
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''}{n}"
