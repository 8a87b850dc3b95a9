"""Simulated normals against PTB-XL's normals, measured by the same plain routine (``benchmarks/simulator.py``)."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

from ecgprior.simulator.simulate import simulate


@pytest.mark.slow
def test_simulated_normals_lie_where_real_normals_lie(real_data):
    if not (real_data / "ptb-xl" / "ptbxl_database.csv").is_file():
        pytest.skip(f"no ptb-xl in {real_data}")
    path = Path(__file__).parents[2] / "benchmarks" / "simulator.py"
    spec = importlib.util.spec_from_file_location("simulator_benchmark", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    real = bench.population((x for x, _ in bench.real_normals(real_data)), 500)
    made = bench.population((e.record.signal for e in simulate(400, seed=5, causes=["NORM"])), 500)
    table = bench.compare(real, made)
    distance = dict(zip(table["quantity"], table["KS"]))
    for wave in ("R", "S", "T"):
        assert table.filter(pl.col("quantity").str.starts_with(f"{wave} "))["KS"].mean() < 0.14
    for quantity in ("rate_bpm", "P II mV", "P peak to QRS ms", "QRS ms", "QT ms"):
        assert distance[quantity] < 0.2, quantity
    assert max(distance.values()) < 0.3
