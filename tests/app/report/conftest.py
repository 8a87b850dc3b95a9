"""A small report whose every part is there."""

import dataclasses

import numpy as np
import pytest

from ecgprior.app.plots.paper import plot_ecg
from ecgprior.app.report.content import (
    Arm,
    ChartGroup,
    Contrast,
    Contrasts,
    Curve,
    CurveChart,
    Difference,
    Example,
    Interval,
    LabelRow,
    LabelScore,
    Listing,
    Report,
    ScoreRow,
    ScoreTable,
    Series,
    SeriesChart,
    SourceRow,
    TaskRow,
)
from ecgprior.record.record import Record

RANDOM, SIMCLR = Interval(0.71, 0.69, 0.73), Interval(0.8, 0.78, 0.82)


@pytest.fixture
def report() -> Report:
    scores = {"random-init": RANDOM, "simclr": SIMCLR}
    metrics = {"simclr": {"Macro AUROC": SIMCLR, "Brier": Interval(0.123)}}
    ecg = plot_ecg(Record(signal=np.zeros((12, 1000)), fs=100, name="a <b> & c"))
    return Report(
        kicker="Benchmark",
        headline="SimCLR <beats> a random encoder",
        lead_in="Five folds.",
        simulated=True,
        score="Macro AUROC",
        arms=(Arm("random-init", "Random encoder", "the control"), Arm("simclr", "SimCLR")),
        tasks=(TaskRow("ptbxl", "PTB-XL", 344, 5, scores, metrics), TaskRow("ludb", "LUDB", 119, 1, {})),
        differences=(Difference("PTB-XL", "simclr", "random-init", Interval(0.09, 0.07, 0.11)),),
        labels=(LabelScore("PTB-XL", "HYP", 38, 344, scores),),
        curves=(CurveChart("SimCLR", "loss", (Curve("simclr", "seed 0", ((0.0, 2.0), (10.0, 1.0))),)),),
        sources=(
            SourceRow("ptbxl", "PTB-XL", 1344, 330, 0.96, "500 Hz", "10 s", "12", "superclass", "CC BY 4.0"),
            SourceRow("cinc2011", "CinC 2011", 205, None, 0.57, "500 Hz", "10 s", "12", "quality"),
        ),
        support=(LabelRow("ptbxl_superclass", "HYP", "hypertrophy", 38, 344),),
        examples=(Example(ecg, "ptbxl/1 & its labels"),),
        facts=(("Records", "1,549"),),
        notes=("All ECGs are simulated.",),
        provenance=(("Corpus", "sha256 ab12"),),
        appendix=(("Recipe", "steps = 10\nname = '<x>'"),),
    )


@pytest.fixture
def many(report) -> Report:
    """The same with seven arms more and every section of a comparison."""
    arms = (*report.arms, *(Arm(f"arm-{i}", f"Arm {i} <&>") for i in range(7)))
    rows = tuple(
        ScoreRow(a.title, "1 seed only", (SIMCLR, Interval(None)), f"Group {i // 4}", (0,))
        for i, a in enumerate(arms)
    )
    table = ScoreTable("", "Best in bold.", "Arm", (("Mean", "344 records"), ("PTB-XL", "")), rows)
    signed = ScoreTable("Task by task", "Bold: small p.", "Against", (("PTB-XL", ""),), rows[:2], signed=True)
    contrast = Contrast("Arm 0 <&>", "named beforehand", Interval(0.031, 0.011, 0.051), 0.0042)
    other = Contrast("Arm 1", "", Interval(-0.01, -0.03, 0.01), 0.3, 0.6)
    series = tuple(Series(a.name, (RANDOM, SIMCLR), a.name == "simclr") for a in arms)
    chart = SeriesChart(
        "Noise", "added noise", "macro AUROC", ((0.0, "none"), (1.0, "0 dB")), series, (0.75, "a level")
    )
    return dataclasses.replace(
        report,
        arms=arms,
        shown=arms[:6],
        panel=table,
        contrasts=Contrasts("SimCLR", "Holm’s rule.", "macro AUROC", contrast, (other,), signed),
        readouts=dataclasses.replace(table, title="Ways of reading an encoder out"),
        efficiency=ChartGroup("How many labels it takes", "Draws.", (chart,), table),
        robustness=ChartGroup("On worse recordings", "Noise.", (chart, chart, chart), table),
        retrieval=dataclasses.replace(table, title="What the embedding knows of physiology"),
        cost=Listing("What it cost", "Passes.", ("Arm", "Passes"), (("SimCLR", "128,064"),), (1,)),
    )
