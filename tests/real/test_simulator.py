"""Simulated normals against PTB-XL's normals, measured by the same plain routine (``benchmarks/simulator.py``)."""

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.catalog import open_source
from ecgprior.simulator.simulate import simulate


def benchmark(name):
    """A module of ``benchmarks/``."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_simulated_normals_lie_where_real_normals_lie(real_data):
    if not (real_data / "ptb-xl" / "ptbxl_database.csv").is_file():
        pytest.skip(f"no ptb-xl in {real_data}")
    bench = benchmark("simulator")
    real = bench.population((x for x, _ in bench.real_normals(real_data)), 500)
    made = bench.population((e.record.signal for e in simulate(400, seed=5, causes=["NORM"])), 500)
    table = bench.compare(real, made)
    distance = dict(zip(table["quantity"], table["KS"]))
    for wave in ("R", "S", "T"):
        assert table.filter(pl.col("quantity").str.starts_with(f"{wave} "))["KS"].mean() < 0.14
    for quantity in ("rate_bpm", "P II mV", "P peak to QRS ms", "QRS ms", "QT ms"):
        assert distance[quantity] < 0.2, quantity
    assert max(distance.values()) < 0.3


def test_true_intervals_agree_with_cardiologists_marks(real_data):
    if not (real_data / "ludb" / "ludb.csv").is_file():
        pytest.skip(f"no ludb in {real_data}")
    bench = benchmark("simulator_marks")
    source = open_source("ludb", real_data / "ludb")
    rows = [row for row in source.rows() if bench.harmless(row)]
    real = np.nanmedian([bench.intervals(bench.marked(source.load(row.path))) for row in rows], axis=0)
    ecgs = simulate(100, seed=4, causes=["NORM"])
    made = np.nanmedian([bench.intervals(ecg.delineation.points) for ecg in ecgs], axis=0)
    assert np.abs(made - real)[:3].max() < 8  # PR, QRS, QT in a lead, ms
    assert np.abs(made[3:6] - real[6:]).max() < 8  # over all leads, against the second of the scattered marks
