"""LUDB's published marks as waves, and the global truth made of them."""

import numpy as np

from ecgprior.corpus.catalog import open_source
from ecgprior.evaluation.delineation import score_delineation
from ecgprior.evaluation.marks import Marks
from ecgprior.evaluation.wave_intervals import INTERVALS, beats_of, compare_intervals, global_waves


def ludb(real_data, names):
    source = open_source("ludb", real_data / "ludb")
    rows = [row for row in source.rows() if row.record in names]
    return {row.record: Marks.of_annotations(source.load(row.path).with_(name=row.record)) for row in rows}


def test_marks_of_ludb_with_their_irregularities(real_data):
    marks = ludb(real_data, {"2", "104", "116"})
    assert {len(marks["2"].of(lead, "QRS")) for lead in marks["2"].leads} == {9}
    paced = marks["104"].of("II", "QRS")  # its beats after the first carry no opening bracket
    assert np.isnan(paced[1:, 0]).all() and not np.isnan(paced[:, 1:]).any()
    piled = marks["116"]  # one T of V1 carries the marks of six leads
    assert len(piled.of("V1", "T")) == len(piled.of("V3", "T"))
    for one in marks.values():
        for lead in one.leads:
            for wave in ("P", "QRS", "T"):
                rows = one.of(lead, wave)
                known = rows[~np.isnan(rows).any(axis=1)]
                assert np.all(known[:, 0] <= known[:, 2]) and np.all(np.diff(rows[:, 1]) > 0)
    assert score_delineation([marks["2"]], [marks["2"]]).macro_f1() == 1.0


def test_global_intervals_of_ludb_are_a_heart_s(real_data):
    for name, one in ludb(real_data, {"2", "100"}).items():
        beats = beats_of(global_waves(one))
        lengths = (
            compare_intervals(name, beats, beats).select("interval", "truth_ms").group_by("interval").mean()
        )
        means = dict(zip(lengths["interval"], lengths["truth_ms"]))
        plausible = {"P": (70, 160), "PQ": (90, 260), "QRS": (70, 200), "QT": (300, 520)}
        assert means.keys() <= INTERVALS.keys() and "QRS" in means
        assert all(plausible[k][0] < v < plausible[k][1] for k, v in means.items())
