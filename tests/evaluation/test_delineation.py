"""The score of found waves against marked ones, by hand and by known errors."""

import numpy as np
import pytest

from ecgprior.errors import RecordError, ShapeError
from ecgprior.evaluation.delineation import (
    STATISTICS,
    TOLERANCE_MS,
    count,
    score_delineation,
    summary,
)
from ecgprior.evaluation.marks import Marks

LEADS = ("I", "II", "V1")
WAVES = {"P": (100, 125, 150), "QRS": (200, 220, 245), "T": (330, 400, 450)}  # samples of 500 Hz in each beat


def heart(record="a", beats=8, leads=LEADS, shift=lambda wave, n: np.zeros((n, 3)), without=()):
    start = np.arange(beats)[:, None] * 500
    waves = {
        (lead, wave): start + np.array(three) + shift(wave, beats)
        for lead in leads
        for wave, three in WAVES.items()
        if wave not in without
    }
    return Marks(record, 500, leads, waves)


def test_truth_itself_is_perfect():
    truth = [heart("a"), heart("b", beats=3)]
    score = score_delineation(truth, truth[::-1])
    assert score.macro_f1() == 1.0
    table = score.table()
    assert table["marked"].to_list() == [33] * 6
    assert table["sd_ms"].to_list() == [0.0] * 6 and table["mean_150"].to_list() == [0.0] * 6
    assert set(score.detection()["f1"]) == {1.0}
    assert score.macro_interval(replicates=20).low == 1.0


def test_a_known_error_is_measured():
    rng = np.random.default_rng(0)
    bias, sd = np.array([4.0, 0.0, -6.0]), 3.0  # samples: 8, 0, -12 ms and 6 ms
    truth = [heart(str(k), beats=60) for k in range(5)]
    found = [heart(str(k), 60, shift=lambda w, n: bias + rng.normal(0, sd, (n, 3))) for k in range(5)]
    score = score_delineation(truth, found)
    for row in score.table().iter_rows(named=True):
        expected = 8.0 if row["fiducial"] == "onset" else -12.0
        assert row["mean_ms"] == pytest.approx(expected, abs=0.8)
        assert row["sd_ms"] == pytest.approx(6.0, abs=0.6)
        assert row["sd_150"] == pytest.approx(6.0, abs=0.6)
    assert score.detection()["mean_ms"].to_list() == pytest.approx([0, 0, 0], abs=0.8)


def test_large_errors_show_within_150_ms_only():
    truth = [heart(beats=20)]
    wide = lambda wave, n: np.where(np.arange(n)[:, None] % 2, 60.0, 0.0) + np.zeros((n, 3))  # noqa: E731  120 ms
    score = score_delineation(truth, [heart(beats=20, shift=wide)])
    row = score.table().row(0, named=True)
    assert row["se"] == pytest.approx(0.5) and row["sd_ms"] == 0.0
    assert row["f1_150"] == pytest.approx(1.0) and row["mean_150"] == pytest.approx(60)


def test_a_p_in_fibrillation_is_false():
    score = score_delineation([heart(beats=10, without=("P",))], [heart(beats=10)])
    p = score.detection().row(0, named=True)
    assert (p["marked"], p["false"], p["ppv"]) == (0, 27, 0.0)
    # of the first beat, in three leads, the P lies before the first mark: nobody looked there
    assert score.table().row(0, named=True)["false"] == 27
    assert score.table()["f1"][0] == 0.0


def test_only_the_marked_part_counts():
    whole = heart(beats=10)
    middle = Marks("a", 500, LEADS, {key: rows[3:6] for key, rows in whole.waves.items()})
    score = score_delineation([middle], [whole])
    assert score.macro_f1() == 1.0
    assert score.detection()["false"].to_list() == [0, 0, 0]


def test_what_lies_within_the_tolerance_of_the_marked_part_counts():
    assert count([1000, 2000], [960, 1000, 2000, 2050], 50, span=(1000, 2000))[:4].tolist() == [2, 2, 0, 2]
    assert count([1000, 2000], [940, 1000, 2000, 2060], 50, span=(1000, 2000))[:4].tolist() == [2, 0, 0, 0]
    inside = count([1000, 2000], [960, 1400, 2000, 2050], 50, span=(1000, 2000), margin=0)
    assert inside[:4].tolist() == [2, 1, 0, 0]  # a pair may lie outside, a false one may not


def test_a_p_before_the_first_marked_qrs_is_false_by_the_rule_and_counted():
    whole = heart(beats=4)
    edge = {
        key: rows + np.array([0, 0, 30]) * (key[1] == "P") for key, rows in whole.waves.items()
    }  # P ends at 360 ms
    truth = Marks("a", 500, LEADS, {k: rows[1:] if k[1] == "P" else rows for k, rows in edge.items()})
    row = score_delineation([truth], [Marks("a", 500, LEADS, edge)]).table().row(1, named=True)
    assert (row["false"], row["outside"], row["missed"]) == (3, 3, 0)
    assert row["f1"] == pytest.approx(18 / 21) and row["inner_f1"] == 1.0 and row["f1_150"] == 1.0


def test_a_lead_that_was_not_marked_does_not_count_and_one_not_found_is_missed():
    truth = Marks("a", 500, LEADS, {k: v for k, v in heart().waves.items() if k[0] != "V1"})
    assert score_delineation([truth], [heart()]).macro_f1() == 1.0
    score = score_delineation([heart()], [heart(leads=("I", "II"))])
    assert score.table()["missed"].to_list() == [8] * 6
    assert score.worst_lead() == ("V1", 0.0)
    assert score.by_lead()["II"] == 1.0
    assert score.pick(leads=["II"]).macro_f1() == 1.0


def test_rates_may_differ():
    found = Marks("a", 250, LEADS, {key: rows / 2 for key, rows in heart().waves.items()})
    assert score_delineation([heart()], [found]).table()["sd_ms"].to_list() == [0.0] * 6


def test_the_worst_records_come_first():
    truth = [heart(name) for name in "abc"]
    found = [heart("a"), heart("b", without=("T",)), heart("c", beats=7)]
    table = score_delineation(truth, found).by_record()
    assert table["record"].to_list() == ["b", "c", "a"]
    assert table["missed"].to_list() == [48, 18, 0]
    assert score_delineation(truth, found).pick(records=["a"]).macro_f1() == 1.0


def test_counts_of_one_record_by_hand():
    truth = Marks("a", 1000, ["II"], {("II", "QRS"): [[100, 120, 140], [900, 930, 960]]})
    found = Marks("a", 1000, ["II"], {("II", "QRS"): [[110, 120, 150], [500, 510, 530], [941, 950, 955]]})
    score = score_delineation([truth], [found])
    onset = dict(zip(STATISTICS, score.boundary[0, 0, list(TOLERANCE_MS).index(("QRS", "onset"))]))
    assert onset == {"matched": 1, "false": 2, "missed": 1, "outside": 0, "sum_ms": 10, "sum_squares": 100}
    row = score.table().row(2, named=True)
    assert row["f1"] == pytest.approx(2 / 5) and np.isnan(row["sd_ms"])
    assert summary(score.peak[0, 0, 1])["ppv"] == pytest.approx(2 / 3)


def test_the_interval_comes_from_recordings():
    truth = [heart(str(k)) for k in range(20)]
    found = [heart(str(k), without=("P",) if k < 10 else ()) for k in range(20)]
    spread = score_delineation(truth, found).macro_interval(replicates=300)
    assert spread.low < spread.value < spread.high
    assert spread.value == pytest.approx((4 + 2 * (2 / 3)) / 6)
    assert spread == score_delineation(truth, found).macro_interval(replicates=300)


def test_missing_and_double_recordings_are_refused():
    with pytest.raises(RecordError, match="none of b"):
        score_delineation([heart("a"), heart("b")], [heart("a")])
    with pytest.raises(RecordError, match="every recording once"):
        score_delineation([heart("a"), heart("a")], [heart("a")])
    with pytest.raises(ShapeError, match="shape"):
        summary(np.zeros((2, 6)))
