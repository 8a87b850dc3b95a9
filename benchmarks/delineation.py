"""How well, and how fast, waves are found: ecgprior and its peers on the same recordings, by the same scorer.

    python benchmarks/delineation.py DATA --folds DIR [DIR …] [--peers FILE] [--to FILE] [--keep FILE] [--only PART …]

DATA holds ``ludb/``, ``cpsc2021-sample/`` and ``wfdb-python-sample/`` as published. DIR holds cross-fitted networks:
``fold0.onnx`` … and ``folds.csv`` (columns record, fold): each LUDB recording is predicted by the network that never
saw it, CPSC-2021, MIT-BIH and simulated recordings by that of the first fold. With several DIRs the first is printed
in full, and all of them make the accuracy–latency curve. Instead of ``--folds``: ``--network FILE`` (one network; the
shipped one when neither is given: it was trained on these LUDB recordings, and that is printed beside its figures), or
``--fiducials FILE`` (what ``--keep`` wrote: the cross-fitted waves as a table).

Peers are computed when their packages are installed (an environment of its own with ecgprior and the extra ``peers``),
else their figures are read from FILE, which ``--peers FILE`` writes when they are computed.

PART: accuracy, alone (lead II as the only input), intervals, simulated, rpeaks, speed, curve, peers. Default: all.
Times are processor time of one core, alternating between the methods in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl
from numpy.typing import NDArray

import peers
import speed
from ecgprior.corpus.catalog import open_source
from ecgprior.evaluation.delineation import DelineationScore, count, score_delineation, summary
from ecgprior.evaluation.marks import Marks
from ecgprior.evaluation.wave_intervals import (
    beats_of,
    beats_of_table,
    compare_intervals,
    global_waves,
    interval_errors,
)
from ecgprior.physiology.delineate import delineate_many
from ecgprior.physiology.network import WaveNetwork
from ecgprior.record.read import read
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate
from show import show_beats, show_curve, show_figures, show_intervals, show_p_waves, show_speed

PARTS = ("accuracy", "alone", "intervals", "simulated", "rpeaks", "speed", "curve", "peers")
GROUPS = {
    "sinus": ("SR", "SB", "ST", "SA", "SIRR"),
    "fibrillation, flutter": ("AF", "AFL"),
    "paced": ("PACE_UNDEF", "PACE_UV", "PACE_UA", "PACE_BV", "PACE_PSYNC"),
    "AV block 1": ("AVB1",),
    "AV block 3": ("AVB3",),
    "complete bundle-branch block": ("CLBBB", "CRBBB"),
    "extrasystoles": ("VPB_", "APB_"),
}
CAUSES = ("NORM", "AF", "PVC", "LBBB", "RBBB", "LVH", "LQT", "STE-A", "STE-I", "STD-L")
N_SIMULATED = 40
BEATS = set("NLRBAaJSVrFejnE/fQ?")
EC57_MS = 150.0


@dataclass(frozen=True)
class Ludb:
    """The LUDB recordings at hand: records, labels, published marks, global beats and the part that all leads share (ms)."""

    records: list[Record]
    labels: dict[str, tuple[str, ...]]
    truth: list[Marks]
    beats: dict[str, NDArray[np.float64]]
    spans: dict[str, tuple[float, float]]

    def of(self, codes: Sequence[str]) -> list[str]:
        """Names of the recordings with one of the labels (or beginnings of labels)."""
        return [
            n
            for n, have in self.labels.items()
            if any(h == c or (c[-1] == "_" and h.startswith(c)) for c in codes for h in have)
        ]


@dataclass(frozen=True)
class Found:
    """Waves of one method by recording: of leads, and global beats (ms)."""

    marks: dict[str, Marks]
    beats: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Networks:
    """Which network predicts which recording, and what is to be said beside the figures."""

    of: Callable[[str], WaveNetwork]
    any: WaveNetwork
    said: str


def load_ludb(folder: Path) -> Ludb:
    """All recordings of the publisher's folder."""
    source = open_source("ludb", folder)
    rows = list(source.rows())
    records = [source.load(row.path).with_(name=row.record) for row in rows]
    truth = [Marks.of_annotations(record) for record in records]
    beats = {marks.record: beats_of(global_waves(marks)) for marks in truth}
    spans = {m.record: (edge(max, m, 0), edge(min, m, 1)) for m in truth}
    return Ludb(records, {row.record: row.labels["ludb"] for row in rows}, truth, beats, spans)


def edge(which: Callable[..., float], marks: Marks, side: int) -> float:
    """The latest first, or the earliest last, mark of all leads, ms."""
    return which(span[side] for span in marks.spans.values()) * 1000.0 / marks.fs


def cross_fitted(folder: Path) -> Networks:
    """``fold<k>.onnx`` and ``folds.csv`` of one folder."""
    table = pl.read_csv(folder / "folds.csv", schema_overrides={"record": pl.String})
    fold = dict(zip(table["record"], table["fold"]))
    nets = {k: WaveNetwork(folder / f"fold{k}.onnx") for k in sorted(set(fold.values()))}
    return Networks(
        lambda name: nets[fold[name]], nets[min(nets)], f"cross-fitted, {len(nets)} folds by recording"
    )


def one_network(file: Path | None) -> Networks:
    """One network for everything."""
    net = WaveNetwork(file)
    said = "NOT cross-fitted: unless its recipe says otherwise, this network was trained on these LUDB recordings"
    return Networks(lambda name: net, net, said)


def ours(records: Sequence[Record], networks: Networks) -> tuple[Found, pl.DataFrame]:
    """The project's delineator: waves, and the same as one table (record, lead, wave, beat, onset, peak, offset)."""
    groups: dict[int, tuple[WaveNetwork, list[Record]]] = {}
    for record in records:
        net = networks.of(record.name)
        groups.setdefault(id(net), (net, []))[1].append(record)
    parts = []
    for net, mine in groups.values():
        for record, delineation in zip(mine, delineate_many(mine, network=net)):
            parts.append(delineation.table().with_columns(record=pl.lit(record.name)))
    table = pl.concat(parts)
    return of_table(table, records), table


def of_table(table: pl.DataFrame, records: Sequence[Record]) -> Found:
    """Waves of the recordings from a table with the columns of ``Delineation.table()`` and ``record``."""
    by_record = {str(name): rows for (name,), rows in table.group_by("record")}
    part = lambda record: by_record.get(record.name, table.clear())  # noqa: E731
    marks = {r.name: Marks.from_table(r.name, r.fs, part(r), r.leads) for r in records}
    return Found(marks, {r.name: beats_of_table(part(r), r.fs) for r in records})


def theirs(name: str, records: Sequence[Record]) -> tuple[Found, dict[str, Any]]:
    """A peer's waves; on how many leads it failed; its processor time a record."""
    start = time.process_time()
    got = {record.name: peers.delineate_by(name, record) for record in records}
    spent = 1000 * (time.process_time() - start) / len(got)
    marks = {record: one for record, (one, _) in got.items()}
    found = Found(marks, {k: beats_of(global_waves(m)) for k, m in marks.items()})
    return found, {"failed_leads": sum(n for _, n in got.values()), "ms_a_record": spent}


def accuracy(
    ludb: Ludb, found: Found, leads: Sequence[str] = LEADS
) -> tuple[dict[str, Any], DelineationScore]:
    """Figures of one method on LUDB."""
    score = score_delineation(ludb.truth, list(found.marks.values()), leads)
    macro = score.macro_interval()
    figures: dict[str, Any] = {
        "records": len(ludb.truth),
        "macro_f1": [macro.value, macro.low, macro.high],
        "inner_macro_f1": score.inner_macro_f1(),
        "macro_f1_by_lead": score.by_lead(),
        "boundaries": score.table().to_dicts(),
        "detection": score.detection().to_dicts(),
    }
    if len(leads) > 1:
        two = score.pick(leads=["II"])
        spread = two.macro_interval()
        figures["lead_II"] = {
            "macro_f1": [spread.value, spread.low, spread.high],
            "inner_macro_f1": two.inner_macro_f1(),
            "boundaries": two.table().to_dicts(),
            "detection": two.detection().to_dicts(),
        }
    return figures, score


def intervals(ludb: Ludb, found: Found) -> dict[str, Any]:
    """Global intervals against LUDB's own marks: of all recordings, and by rhythm."""
    rows = {n: compare_intervals(n, ludb.beats[n], found.beats[n], ludb.spans[n]) for n in ludb.beats}
    made = {"all": interval_errors(rows.values()).to_dicts()}
    for group, codes in GROUPS.items():
        if names := ludb.of(codes):
            made[f"{group} ({len(names)})"] = interval_errors(rows[n] for n in names).to_dicts()
    return made


def p_waves(ludb: Ludb, score: DelineationScore) -> dict[str, Any]:
    """PPV of P waves over all recordings, and false ones in recordings with fibrillation, flutter or pacing."""
    single = {
        name: summary(score.pick(records=[name]).peak[:, :, 0].sum(axis=(0, 1))) for name in score.records
    }
    listed = {}
    for group in ("fibrillation, flutter", "paced"):
        for name in ludb.of(GROUPS[group]):
            listed[name] = {"group": group} | {
                k: single[name][k] for k in ("marked", "matched", "false", "missed")
            }
    table = score.table()
    return {
        "ppv_detection": summary(score.peak[:, :, 0].sum(axis=(0, 1)))["ppv"],
        "ppv_onset": table["ppv"][0],
        "ppv_offset": table["ppv"][1],
        "false": int(score.peak[:, :, 0, 1].sum()),
        "listed": listed,
    }


def simulated(network: WaveNetwork) -> dict[str, Any]:
    """Global intervals against the simulator's truth, by cause."""
    made: dict[str, Any] = {}
    everything = []
    for cause in CAUSES:
        hearts = list(simulate(N_SIMULATED, seed=11, causes=[cause]))
        rows = []
        for heart, delineation in zip(hearts, delineate_many([h.record for h in hearts], network=network)):
            to_ms = 1000.0 / heart.record.fs
            truth, found = heart.delineation.global_ * to_ms, delineation.global_ * to_ms
            rows.append(compare_intervals(f"{cause} {heart.record.name}", truth, found))
        made[cause] = interval_errors(rows).to_dicts()
        everything += rows
    return {"all": interval_errors(everything).to_dicts()} | made


def r_peaks(data: Path, ludb: Ludb, found: Found, network: WaveNetwork, with_peers: bool) -> dict[str, Any]:
    """Beats within 150 ms: of ours over all leads, and of NeuroKit2 in lead II (CPSC-2021, MIT-BIH: the first lead)."""
    made = {
        "LUDB, 12 leads": _beats(
            (ludb.beats[n][:, 1, 1], _known(found.beats[n][:, 1, 1])) for n in ludb.beats
        )
    }
    sets = {
        "CPSC-2021 sample": _published(data / "cpsc2021-sample"),
        "MIT-BIH 100": _published(data / "wfdb-python-sample", "100"),
    }
    for name, records in sets.items():
        peaks = [d.global_[:, 1, 1] for d in delineate_many(records, network=network)]
        made[name] = _beats((_true_beats(r), _known(p) * 1000 / r.fs) for r, p in zip(records, peaks))
    if with_peers:
        pairs = ((ludb.beats[r.name][:, 1, 1], peers.r_peaks_by(r, "II") * 1000 / r.fs) for r in ludb.records)
        made["LUDB, lead II: neurokit2"] = _beats(pairs)
        for name, records in sets.items():
            pairs = ((_true_beats(r), peers.r_peaks_by(r, r.leads[0]) * 1000 / r.fs) for r in records)
            made[f"{name}, first lead: neurokit2"] = _beats(pairs)
    return made


def _beats(pairs: Any) -> dict[str, float]:
    counts = [
        count(t, f, EC57_MS, (t.min(), t.max()), margin=0)
        for t, f in ((np.sort(t), np.sort(f)) for t, f in pairs)
        if len(t)
    ]
    return {"records": len(counts)} | summary(np.sum(counts, axis=0))


def _known(times: NDArray[np.float64]) -> NDArray[np.float64]:
    return times[~np.isnan(times)]


def _published(folder: Path, only: str = "*") -> list[Record]:
    stems = sorted(path.with_suffix("") for path in folder.rglob(f"{only}.atr"))
    return [read(stem, annotations="atr").with_(name=stem.name) for stem in stems]


def _true_beats(record: Record) -> NDArray[np.float64]:
    marks = record.annotations
    assert marks is not None
    return marks.sample[[s in BEATS for s in marks.symbol]] * (1000.0 / record.fs)


def peer_figures(ludb: Ludb, file: Path | None) -> tuple[dict[str, Any], dict[str, Found]]:
    """Figures of the peers: computed where their packages are, else as they were kept; and their waves, if computed."""
    kept: dict[str, Any] = json.loads(file.read_text()) if file is not None and file.is_file() else {}
    waves = {}
    for name in peers.installed(peers.METHODS):
        waves[name], spent = theirs(name, ludb.records)
        figures, score = accuracy(ludb, waves[name])
        kept[name] = (
            {"version": peers.version(name)}
            | figures
            | spent
            | {
                "p_waves": p_waves(ludb, score) | {"listed": {}},
                "intervals": {"all": intervals(ludb, waves[name])["all"]},
            }
        )
    if waves and file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(rounded(kept), indent=1) + "\n")
    return kept, waves


def rounded(value: Any) -> Any:
    """The same with six significant digits, NaN as null."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--network", type=Path, metavar="FILE")
    parser.add_argument("--fiducials", type=Path, metavar="FILE")
    parser.add_argument("--peers", type=Path, metavar="FILE", help="JSON of the peers' figures")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the waves as a Parquet table")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    return parser.parse_args()


def main() -> None:
    """Run the parts that were asked for, print them, and write them down."""
    asked = options()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ludb = load_ludb(asked.data / "ludb")
    figures: dict[str, Any] = {}
    if set(asked.only) - {"peers"}:
        figures |= our_parts(asked, ludb)
    if "peers" in asked.only:
        figures["peers"], _ = peer_figures(ludb, asked.peers)
        for name, one in figures["peers"].items():
            show_figures(name, one)
            show_p_waves(name, one["p_waves"])
            show_intervals(f"{name}: global intervals, found − LUDB's marks", one["intervals"])
    if asked.to:
        asked.to.write_text(json.dumps(rounded(figures), indent=1) + "\n")


def our_parts(asked: argparse.Namespace, ludb: Ludb) -> dict[str, Any]:
    """Everything but the peers' accuracy."""
    networks = cross_fitted(asked.folds[0]) if asked.folds else one_network(asked.network)
    said = f"cross-fitted waves of {asked.fiducials.name}" if asked.fiducials else networks.said
    figures: dict[str, Any] = {"networks": said}
    if asked.fiducials:
        found = of_table(pl.read_parquet(asked.fiducials), ludb.records)
    else:
        found, table = ours(ludb.records, networks)
        if asked.keep:
            table.write_parquet(asked.keep)
    if "accuracy" in asked.only:
        figures["accuracy"], score = accuracy(ludb, found)
        show_figures(f"ecgprior, 12 leads ({said})", figures["accuracy"])
        figures["p_waves"] = p_waves(ludb, score)
        show_p_waves("ecgprior", figures["p_waves"])
        figures["worst_records"] = score.by_record().head(12).to_dicts()
        print(
            "most misses and false marks:",
            ", ".join(f"{r['record']} ({r['missed']} + {r['false']})" for r in figures["worst_records"]),
        )
    if "alone" in asked.only:
        single, _ = ours([record.pick(["II"]) for record in ludb.records], networks)
        figures["lead_II_alone"], _ = accuracy(ludb, single, ["II"])
        show_figures(f"ecgprior, lead II alone ({networks.said})", figures["lead_II_alone"])
    if "intervals" in asked.only:
        figures["intervals"] = intervals(ludb, found)
        show_intervals("global intervals, found − LUDB's marks", figures["intervals"])
    if "simulated" in asked.only:
        figures["simulated"] = simulated(networks.any)
        show_intervals(
            f"global intervals, found − simulated truth ({N_SIMULATED} ECGs a cause)", figures["simulated"]
        )
    if "rpeaks" in asked.only:
        installed = bool(peers.installed({"neurokit2": ("neurokit2", lambda: peers.neurokit("dwt"))}))
        figures["r_peaks"] = r_peaks(asked.data, ludb, found, networks.any, installed)
        show_beats(figures["r_peaks"])
    if "speed" in asked.only:
        figures["speed"] = speed.times(ludb.records, networks.any)
        show_speed(figures["speed"])
    if "curve" in asked.only and len(asked.folds) > 1:
        figures["curve"] = [curve_point(ludb, folder) for folder in asked.folds]
        show_curve(figures["curve"])
    return figures


def curve_point(ludb: Ludb, folder: Path) -> dict[str, Any]:
    """Accuracy and time of one folder of cross-fitted networks."""
    networks = cross_fitted(folder)
    found, _ = ours(ludb.records, networks)
    score = score_delineation(ludb.truth, list(found.marks.values()))
    single, batch = speed.delineation_only(ludb.records, networks.any)
    return {
        "networks": folder.name,
        "mib": Path(networks.any.path).stat().st_size / 2**20,
        "macro_f1": score.macro_f1(),
        "macro_f1_II": score.pick(leads=["II"]).macro_f1(),
        "single_ms": single,
        "batch_ms": batch,
    }


if __name__ == "__main__":
    main()
