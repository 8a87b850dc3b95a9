"""A small report whose every part is there."""

import numpy as np
import pytest

from ecgprior.app.plots.paper import plot_ecg
from ecgprior.app.report.content import (
    Arm,
    Curve,
    CurveChart,
    Difference,
    Example,
    Interval,
    LabelRow,
    LabelScore,
    Report,
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
