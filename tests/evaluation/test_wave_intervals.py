"""Waves over all leads and the intervals between them."""

import numpy as np
import polars as pl
import pytest

from ecgprior.evaluation.marks import Marks
from ecgprior.evaluation.wave_intervals import (
    beats_of,
    beats_of_table,
    compare_intervals,
    global_waves,
    interval_errors,
)
from ecgprior.record.beats import Delineation

NAN = np.nan


def test_the_second_earliest_onset_and_second_latest_offset_decide():
    onsets, offsets = [90, 100, 104, 106], [140, 150, 152, 170]
    leads = ("I", "II", "V1", "V2")
    waves = {(lead, "QRS"): [[a, 120, b]] for lead, a, b in zip(leads, onsets, offsets)}
    assert global_waves(Marks("a", 1000, leads, waves))["QRS"].tolist() == [[100, 120, 152]]
    assert global_waves(Marks("a", 500, leads, waves))["QRS"].tolist() == [[200, 240, 304]]


def test_two_leads_or_leads_apart_make_no_global_wave():
    waves = {("I", "P"): [[10, 20, 30]], ("II", "P"): [[12, 20, 28]], ("V1", "P"): [[60, 70, 80]]}
    assert global_waves(Marks("a", 500, ("I", "II", "V1"), waves))["P"].shape == (0, 3)


def test_a_wave_of_unknown_edge_is_left_out():
    waves = {(lead, "T"): [[10, 20, NAN if lead == "I" else 30]] for lead in ("I", "II", "V1")}
    assert len(global_waves(Marks("a", 500, ("I", "II", "V1"), waves))["T"]) == 0


def test_p_and_t_find_their_qrs():
    waves = {
        "P": np.array([[100.0, 130, 160], [700, 730, 760], [1500, 1530, 1560]]),
        "QRS": np.array([[250.0, 280, 320], [1000, 1040, 1100], [2400, 2440, 2480]]),
        "T": np.array([[400.0, 480, 560], [1250, 1300, 1380]]),
    }
    beats = beats_of(waves)
    assert beats[:, 0, 0].tolist()[:2] == [100, 700]
    assert np.isnan(beats[2, 0]).all()  # its P is 900 ms ahead: blocked, not conducted
    assert beats[:2, 2, 2].tolist() == [560, 1380] and np.isnan(beats[2, 2]).all()


def test_global_rows_of_a_table_without_lone_p():
    global_ = np.full((2, 3, 3), NAN)
    global_[0] = [[10, 15, 20], [30, 35, 40], [60, 70, 80]]
    global_[1, 1] = [230, 235, 240]
    table = Delineation(["I"], np.full((1, 2, 3, 3), NAN), global_).table()
    lone = pl.DataFrame({"lead": ["global"], "wave": ["P"], "beat": [None], "onset": [150.0], "peak": [155.0],
                         "offset": [160.0]}, schema=table.schema)  # fmt: skip
    beats = beats_of_table(pl.concat([table, lone]), 500)
    np.testing.assert_array_equal(beats, 2 * global_)
    assert beats_of_table(table.clear(), 500).shape == (0, 3, 3)


def test_errors_of_intervals():
    truth = (
        np.array([[[100, 130, 180], [250, 290, 350], [480, 560, 640]]], dtype=float)
        + np.arange(3)[:, None, None] * 900
    )
    found = truth + np.array([[-10, 0, 5], [2, 0, -4], [0, 0, 20]])
    found[2, 0] = NAN  # a missed P
    extra = np.array([[[NAN] * 3, [5000, 5040, 5090], [NAN] * 3]])  # a false beat has no partner
    rows = compare_intervals("a", truth, np.concatenate([found, extra]))
    table = {row["interval"]: row for row in interval_errors([rows]).iter_rows(named=True)}
    assert {k: v["mean_ms"] for k, v in table.items()} == pytest.approx(
        {"P": 15, "PQ": 12, "QRS": -6, "QT": 18}
    )
    assert {k: v["beats"] for k, v in table.items()} == {"P": 2, "PQ": 2, "QRS": 3, "QT": 3}
    assert {k: v["missed"] for k, v in table.items()} == {"P": 1, "PQ": 1, "QRS": 0, "QT": 0}
    assert table["QT"]["sd_ms"] == 0 and table["QT"]["records"] == 1 and table["QT"]["record_mean_ms"] == 18


def test_a_p_that_nobody_marked_is_extra():
    truth = np.array([[[NAN] * 3, [250, 290, 350], [480, 560, 640]]])
    found = truth.copy()
    found[0, 0] = [100, 130, 160]
    table = {
        row["interval"]: row
        for row in interval_errors([compare_intervals("a", truth, found)]).iter_rows(named=True)
    }
    beyond = compare_intervals("a", truth, found, span=(250, 640))
    assert beyond["interval"].to_list() == [
        "QRS",
        "QT",
    ]  # the P lies before the first mark: nobody looked there
    assert table["P"]["extra"] == 1 and table["P"]["beats"] == 0 and table["P"]["mean_ms"] is None


def test_nothing_found_is_all_missed():
    truth = np.array([[[100, 130, 180], [250, 290, 350], [480, 560, 640]]], dtype=float)
    table = interval_errors([compare_intervals("a", truth, np.empty((0, 3, 3)))])
    assert table["missed"].to_list() == [1, 1, 1, 1] and table["beats"].to_list() == [0] * 4
