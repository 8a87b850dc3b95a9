"""The line and the table that a cardiologist reads first."""

import numpy as np

from ecgprior.app.measurements import interval_table, printout_line, quality_lines
from ecgprior.physiology.features.measure import measure
from ecgprior.physiology.quality.assess import quality
from ecgprior.record.beats import Delineation
from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate


def test_intervals_of_a_simulated_ecg_are_those_of_its_truth():
    ecg = next(simulate(1, seed=3, causes=["NORM"]))
    features = measure(ecg.record, ecg.delineation)
    table = {line[:16].strip(): line[16:].split() for line in interval_table(features).splitlines()}
    assert abs(float(table["PR"][0]) - ecg.truth["pr_ms"]) < 12 and table["PR"][1] == "ms"
    assert abs(float(table["Rate"][0]) - ecg.truth["rate_bpm"]) < 2
    assert f"QRS {table['QRS'][0]} ms" in printout_line(features)


def test_what_could_not_be_measured_says_why():
    record = Record(signal=np.zeros((1, 1000)), fs=500, leads=["II"])
    features = measure(record, Delineation(("II",), np.empty((1, 0, 3, 3)), np.empty((0, 3, 3))))
    assert printout_line(features) == ""
    lines = {line[:16].strip(): line[16:].strip() for line in interval_table(features).splitlines()}
    assert lines["Beats"] == "0" and lines["PR"].startswith("–") and len(lines["PR"]) > 5


def test_quality_is_a_score_and_its_findings():
    record = Record(signal=np.zeros((12, 5000)), fs=500)
    lines = quality_lines(quality(record), most=2).splitlines()
    assert lines[0].startswith("Quality") and "unacceptable" in lines[0]
    assert len(lines) == 4 and "more" in lines[3]
    clean = quality_lines(quality(next(simulate(1, seed=3, causes=["NORM"])).record)).splitlines()
    assert "0." in clean[0] or "1." in clean[0]


def test_p_waves_that_no_qrs_follows_are_said():
    assert printout_line({"rate_bpm": 37.0, "lone_p_share": 0.5}) == "37/min · P without QRS 50%"
    assert printout_line({"rate_bpm": 37.0, "lone_p_share": 0.0}) == "37/min"
