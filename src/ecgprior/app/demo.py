"""The demo: six stages, each the command that anybody could type, on simulated ECGs or on the sets of a folder."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CorpusError
from .report.words import duration

if TYPE_CHECKING:
    from ..evaluation.plan import BenchmarkRecipe

_SIMULATED = "SIMULATED ECGs, not patients: this shows that the machinery works, and nothing about medicine."
_NEAR = "The features measure what the simulator's causes change, and supervised training is told them: both lead here."
_LUDB = (
    "LUDB taught the delineator that measures the features: there the features and PhysioCLR look better than they are. "
    "`ecgprior features --fiducials` takes fiducials found without it."
)
_PHYSIOCLR = {"name": "physioclr", "pretrain": "physioclr-small"}
_FEATURES = [{"name": f"features-{kind}", "features": kind, "control": True} for kind in ("linear", "trees")]


def run_demo(
    to: Path, *, data: Path | None, n: int, seed: int, workers: int, values: Sequence[str] = ()
) -> None:
    """Run all stages, saying before each what it is and after each how long it took.

    Parameters
    ----------
    to : Path
        Gets ``simulated/`` (without `data`), ``corpus/``, ``result/`` and ``report.html``.
    data : Path or None
        A folder that is a source, or holds several.
    n, seed : int
        Of the simulated ECGs.
    workers : int
    values : sequence of str
        ``key=value`` over the benchmark recipe's.

    Raises
    ------
    CorpusError
        `data` holds no source.
    """
    began = time.perf_counter()
    to.mkdir(parents=True, exist_ok=True)
    if data is None:
        _say(_SIMULATED)
        _simulate(to / "simulated", n, seed)
        sources = [f"simulated={to / 'simulated'}"]
    else:
        sources = _found(data)
    _run("Prepare: one corpus, 500 Hz, millivolts, no recording twice",
         ["prepare", *sources, "--to", str(to / "corpus"), "--rate", "500", "--workers", str(workers)])  # fmt: skip
    _run("Measure: beats, waves and features of every record",
         ["features", str(to / "corpus"), "--workers", str(workers), "--replace"])  # fmt: skip
    _benchmark(to, simulated=data is None, workers=workers, values=list(values))
    _run("Report",
         ["report", str(to / "result"), "--corpus", str(to / "corpus"), "--to", str(to / "report.html")])  # fmt: skip
    _finish(to, data is None, time.perf_counter() - began)


def _simulate(to: Path, n: int, seed: int) -> None:
    """Simulate, unless this folder already holds just these ECGs."""
    from ..provenance import code_digest

    try:
        made = json.loads((to / "simulated.json").read_text(encoding="utf-8"))
        asked = made["simulate"]
        if (asked["n"], asked["seed"], made["code_sha256"]) == (n, seed, code_digest()) and asked[
            "causes"
        ] is None:
            _say(f"Simulate: {to} holds these {n:,} ECGs already")
            return
    except (OSError, ValueError, KeyError):
        pass
    _run(f"Simulate {n:,} ECGs whose truth is known",
         ["simulate", "--n", str(n), "--seed", str(seed), "--to", str(to)])  # fmt: skip


def _found(data: Path) -> list[str]:
    """``SOURCE=DIR`` of every set in a folder."""
    from ..corpus.catalog import survey

    if not data.is_dir():
        raise CorpusError(f"data '{data}': expected a folder of published sets, and it is not there")
    sources = survey(data)
    if not sources:
        raise CorpusError(
            f"data '{data}': nothing here looks like a source – ecgprior sources lists what does"
        )
    _say("Found: " + ", ".join(f"{source.name} ({source.root.name})" for source in sources))
    return [f"{source.name}={source.root}" for source in sources]


def _benchmark(to: Path, *, simulated: bool, workers: int, values: list[str]) -> None:
    """Pre-train, probe, compare: the demo's recipe, or its arms on the panel's tasks for the sets that are there."""
    _clear_of_other_versions(to / "result")
    where = ["--corpus", str(to / "corpus"), "--to", str(to / "result"), "--workers", str(workers)]
    title = "Pre-train and probe: PhysioCLR beside SimCLR, supervised, measured features and random encoders"
    if simulated:
        _run(title, ["benchmark", "demo", *values, *where])
        return
    from ..corpus.shards import Corpus
    from ..evaluation.benchmark import benchmark
    from .progress import progress_bar, watched

    began = time.perf_counter()
    corpus = Corpus(to / "corpus")
    recipe = panel_of(corpus.index["source"].unique().to_list(), values)
    _say(f"{title}\n  tasks: {', '.join(task.name for task in recipe.tasks)}; seeds: {list(recipe.seeds)}")
    with progress_bar("benchmark") as move:
        told = watched(move, to / "result" / "work") if workers > 1 else move
        benchmark(recipe, corpus, to / "result", workers=workers, progress=told, say=print)
    print((to / "result" / "results.md").read_text(encoding="utf-8"))
    print(f"  {duration(time.perf_counter() - began)}")


def _clear_of_other_versions(result: Path) -> None:
    """Put aside a result that other code has made: its cells may be of recipes that are no more."""
    from ..provenance import code_digest

    try:
        made_by = json.loads((result / "manifest.json").read_text(encoding="utf-8"))["provenance"]["code_sha256"]
    except (OSError, ValueError, KeyError):
        return
    if made_by != code_digest():
        kept = result.with_name(f"{result.name}-{made_by[:12]}")
        shutil.rmtree(kept, ignore_errors=True)  # of the same code, put aside before
        result.rename(kept)
        _say(f"{result} is of another version: kept as {kept}, computed anew")


def panel_of(sources: Sequence[str], values: Sequence[str] = ()) -> BenchmarkRecipe:
    """The panel's recipe on the sets that are there, with the demo's arms, one seed unless `values` says otherwise.

    Raises
    ------
    CorpusError
        None of the panel's sets is among `sources`.
    """
    from ..evaluation.plan import BenchmarkRecipe
    from ..recipe import read_recipe

    panel = read_recipe("benchmark", "panel")
    plain: dict[str, Any] = read_recipe("benchmark", "panel", ["seeds=[0]", *values])
    tasks = [task for task in plain["tasks"] if set(task["sources"]) & set(sources)]
    if not tasks:
        wanted = sorted({source for task in plain["tasks"] for source in task["sources"]})
        raise CorpusError(
            f"data: expected at least one of {', '.join(wanted)}, which have the panel's labels, got "
            f"{', '.join(sorted(sources))} – write a recipe for them and run ecgprior benchmark"
        )
    names = {task["name"] for task in tasks}
    without = [name for name in plain.get("also_without", []) if name in names and len(names) > 2]
    ours = _as_the_demo(panel, sources, {source for task in tasks for source in task["sources"]})
    ours = {key: value for key, value in ours.items() if plain.get(key) == panel.get(key)}  # not in `values`
    return BenchmarkRecipe.of({**plain, **ours, "tasks": tasks, "also_without": without})


def _as_the_demo(panel: dict[str, Any], sources: Sequence[str], asked: set[str]) -> dict[str, Any]:
    """What is put over the panel's recipe: the demo's arms and comparison, and what is pre-trained on."""
    names = [arm["name"] for arm in panel["arms"]]
    at = names.index("simclr")  # a report's headline is about the first method, so PhysioCLR comes before it
    return {
        "arms": [*panel["arms"][:at], _PHYSIOCLR, *panel["arms"][at:], *_FEATURES],
        "against": "simclr",
        "primary": ["physioclr", "simclr"],
        "notes": [_LUDB] if "ludb" in asked else [],
        "unlabelled_sources": sorted(set(sources) - asked - {"ptbxl100"}),  # ptbxl100's people are ptbxl's
    }


def _run(title: str, arguments: list[str]) -> None:
    """One stage: say it, run the command in this process, say how long it took."""
    from .main import app

    _say(f"{title}\n  $ ecgprior {shlex.join(arguments)}")
    began = time.perf_counter()
    app(arguments, standalone_mode=False)
    print(f"  {duration(time.perf_counter() - began)}", flush=True)


def _say(text: str) -> None:
    print(f"\n— {text}", flush=True)


def _finish(to: Path, simulated: bool, seconds: float) -> None:
    memory = _peak_memory()
    print(f"\nDone in {duration(seconds)}{memory}. Open {to / 'report.html'}")
    if simulated:
        print(f"{_SIMULATED}\n{_NEAR}")


def _peak_memory() -> str:
    """The largest resident size of this process and of the largest of its workers."""
    try:
        import resource
    except ImportError:  # Windows
        return ""
    unit = 1 << 20  # Linux counts in KiB
    own, child = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return f", peak memory {own / unit:.1f} GiB here and {child / unit:.1f} GiB in the largest worker"
