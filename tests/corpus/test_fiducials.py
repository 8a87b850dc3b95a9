"""Delineations become rows of the table and come back."""

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus._fiducials import Given, fiducial_rows
from ecgprior.corpus.tables import KINDS
from ecgprior.errors import CorpusError
from ecgprior.record.beats import Delineation
from ecgprior.simulator.simulate import simulate


def simulated(n: int = 3) -> list[Delineation]:
    return [ecg.delineation for ecg in simulate(n, seed=1)]


def with_lone_p() -> Delineation:
    points = np.full((2, 1, 3, 3), np.nan)
    points[0, 0, 1] = [400, 420, 450]
    lone = np.full((3, 2, 3), np.nan)
    lone[:, 0] = [[100, 120, 140], [104, 121, 138], [100, 120.5, 140]]
    lone[1:, 1] = [[600, 620, 640], [600, 620, 640]]
    return Delineation(("II", "V1"), points, points[0], lone)


def test_every_wave_is_a_row_and_no_absent_one():
    found = simulated()
    rows = fiducial_rows([(f"r{i}", 0, 5000) for i in range(3)], found)
    assert dict(rows.schema) == KINDS["fiducials"].columns
    for i, one in enumerate(found):
        mine = rows.filter(pl.col("record") == f"r{i}")
        table = one.table()
        assert mine["lead"].fill_null("global").to_list() == table["lead"].to_list()
        assert mine["wave"].to_list() == table["wave"].to_list()
        np.testing.assert_allclose(
            mine["peak"].to_numpy(), table["peak"].fill_null(np.nan).to_numpy(), atol=1 / 128
        )
    assert fiducial_rows([], []).height == 0


def test_rows_come_back_as_the_delineation(tmp_path):
    found = [*simulated(), with_lone_p()]
    windows = [(f"r{i}", 0, 5000) for i in range(4)]
    fiducial_rows(windows, found).write_parquet(tmp_path / "f.parquet")
    given = Given(tmp_path / "f.parquet", 500, 500)
    assert given.records == {"r0", "r1", "r2", "r3"}
    for window, one in zip(windows, found):
        (again,) = given.of([window], one.leads)
        np.testing.assert_allclose(again.points, one.points, atol=1 / 128)
        np.testing.assert_allclose(again.global_, one.global_, atol=1 / 128)
        np.testing.assert_allclose(again.lone_p, one.lone_p, atol=1 / 128)
    assert given.of([("r9", 0, 5000)], ("II",)) == [None]


def test_samples_count_from_the_record_and_a_window_is_cut_out(tmp_path):
    one = simulated(1)[0]
    shifted = fiducial_rows([("r", 1000, 6000)], [one])
    assert shifted["peak"].min() >= 1000
    fiducial_rows([("r", 0, 5000)], [one]).write_parquet(tmp_path / "f.parquet")
    (part,) = Given(tmp_path / "f.parquet", 500, 500).of([("r", 1000, 2000)], one.leads)
    peaks = one.global_[:, 1, 1]
    kept = (peaks >= 1000) & (peaks < 2000)
    np.testing.assert_allclose(part.global_[:, 1, 1], peaks[kept] - 1000, atol=1 / 128)
    assert np.nanmin(part.points) >= 0 and np.nanmax(part.points) < 1000
    (slow,) = Given(tmp_path / "f.parquet", 500, 100).of([("r", 0, 1000)], one.leads)
    np.testing.assert_allclose(slow.global_, one.global_ / 5, atol=1 / 128)


def test_tables_of_delineations_with_bare_names_are_read_too(tmp_path):
    one, path = with_lone_p(), tmp_path / "f.parquet"
    one.table().with_columns(record=pl.lit("10")).write_parquet(path)
    given = Given(path, 500, 500)
    (again,) = given.of([("ludb/10", 0, 5000)], one.leads)
    np.testing.assert_allclose(again.points, one.points)
    np.testing.assert_allclose(again.lone_p, one.lone_p)
    assert given.held(pl.Series(["ludb/10", "ludb/11"])) == ["ludb/10"]
    assert given.held(pl.Series(["ludb/10", "ptb-xl/12"])) == ["ludb/10"]
    with pytest.raises(CorpusError, match="'10' are those of records of ludb, other: expected .* 'ludb/10'"):
        given.held(pl.Series(["ludb/10", "other/10"]))
    with pytest.raises(CorpusError, match="expected records of the corpus, as 'ludb/11'"):
        given.held(pl.Series(["ludb/11"]))


def test_a_file_that_is_no_such_table_is_refused(tmp_path):
    path = tmp_path / "f.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(CorpusError, match="expected a Parquet file"):
        Given(path, 500, 500)
    pl.DataFrame({"record": ["a"]}).write_parquet(path)
    with pytest.raises(CorpusError, match="columns of a table 'fiducials'"):
        Given(path, 500, 500)
    rows = fiducial_rows([("r", 0, 5000)], simulated(1))
    rows.filter(pl.col("lead").is_not_null()).write_parquet(path)
    with pytest.raises(CorpusError, match="expected global fiducials"):
        Given(path, 500, 500)
