"""Features and beat kinds on real recordings, by the publishers' own marks."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

from ecgprior.corpus._fiducials import Given
from ecgprior.corpus.catalog import catalog, open_source
from ecgprior.physiology.ectopy import beat_kinds
from ecgprior.physiology.features.measure import measure
from ecgprior.record.beats import Delineation
from ecgprior.record.read import read


def test_mit_bih_100_has_one_ventricular_beat(real_data):
    stems = sorted(real_data.glob("wfdb-python-sample/**/100.hea"))
    if not stems:
        pytest.skip(f"no MIT-BIH record 100 in {real_data}")
    record = read(stems[0].with_suffix(""), annotations="atr")
    marks = record.annotations
    beats = np.array([symbol in "NAV" for symbol in marks.symbol])
    r, symbol = marks.sample[beats].astype(float), np.array(marks.symbol)[beats]
    found = np.array(beat_kinds(record.signal, record.fs, r))
    assert (symbol == "V").sum() == 1 and found[symbol == "V"][0] == "V"
    assert (found[symbol != "V"] == "V").sum() <= 1


@pytest.fixture(scope="module")
def marked_ludb(real_data):
    """Every LUDB record's labels and its features by the published marks (second earliest onset, second latest offset)."""
    if not (real_data / "ludb" / "ludb.csv").is_file():
        pytest.skip(f"no ludb in {real_data}")
    path = Path(__file__).parents[2] / "benchmarks" / "simulator_marks.py"
    spec = importlib.util.spec_from_file_location("simulator_marks", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    source = open_source("ludb", real_data / "ludb")
    out = []
    for row in source.rows():
        record = source.load(row.path)
        points = bench.marked(record)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a wave that is marked in no lead
            peak = np.nanmedian(points[..., 1], axis=0)
        onset, offset = bench.extremes(points, 1)
        known = np.isfinite(peak[:, 1])
        global_ = np.stack([onset, peak, offset], axis=2)[known]
        features = measure(record, Delineation(record.leads, points[:, known], global_))
        out.append((set(row.labels["ludb"]), features))
    return out


def of(marked, label, name):
    """A feature of all records with a label that have it."""
    values = np.array([features[name] for labels, features in marked if label in labels])
    return values[np.isfinite(values)]


def test_axes_agree_with_cardiologists(marked_ludb):
    normal, vertical, left = (of(marked_ludb, label, "qrs_axis_deg") for label in ("AXN", "AXV", "AXL"))
    assert len(normal) >= 40 and ((normal > -30) & (normal < 90)).all()
    assert np.median(left) < np.median(normal) < np.median(vertical)


def test_fibrillation_and_flutter_show_in_rhythm(marked_ludb):
    assert (of(marked_ludb, "AF", "p_presence") == 0).all()
    assert np.median(of(marked_ludb, "SR", "p_presence")) > 0.8  # the first and last beats carry few marks
    assert np.median(of(marked_ludb, "AF", "rr_cosen")) > np.median(of(marked_ludb, "SR", "rr_cosen")) + 0.5
    flutter, fibrillation = (of(marked_ludb, label, "f_wave_regularity") for label in ("AFL", "AF"))
    assert flutter.min() > 0.7 and np.median(fibrillation) < 0.5


def test_bundle_branch_signs(marked_ludb):
    for label, sign in (("CRBBB", "rbbb_sign"), ("CLBBB", "lbbb_sign")):
        assert of(marked_ludb, label, sign).mean() > 0.5
        without = [f[sign] for labels, f in marked_ludb if not any("BBB" in name for name in labels)]
        assert np.nanmean(without) <= 0.03


def test_the_kept_waves_of_ludb_are_those_of_its_records(real_data):
    """Features of LUDB without leakage: the file of the cross-fitted networks holds every record of the source."""
    kept = Path(__file__).parents[2] / "log" / "2026-11-22-noise-training" / "ludb-fiducials.parquet"
    if not (real_data / "ludb" / "ludb.csv").is_file() or not kept.is_file():
        pytest.skip(f"no ludb in {real_data}, or no log beside the tests")
    names = catalog([open_source("ludb", real_data / "ludb")])["record"]
    assert Given(kept, 500, 500).held(names) == names.to_list() and names[0].startswith("ludb/")
