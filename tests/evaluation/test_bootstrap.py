"""Patient draws and intervals."""

import numpy as np
import pytest

from ecgprior.errors import ShapeError
from ecgprior.evaluation.bootstrap import (
    auroc_difference,
    auroc_interval,
    interval,
    macro_auroc,
    patient_draws,
)


def test_records_of_a_patient_are_drawn_together():
    patients = ["a", "b", "a", "c", "b", "a"]
    draws = patient_draws(patients, 500, np.random.default_rng(0))
    np.testing.assert_array_equal(draws[:, 0], draws[:, 2])
    np.testing.assert_array_equal(draws[:, 0], draws[:, 5])
    np.testing.assert_array_equal(draws[:, 1], draws[:, 4])
    np.testing.assert_array_equal(
        draws[:, 0] + draws[:, 1] + draws[:, 3], 3
    )  # three patients drawn each time
    assert draws.mean() == pytest.approx(1.0, abs=0.1)


def test_interval_covers_and_narrows():
    rng = np.random.default_rng(1)
    widths = []
    for n in (100, 1600):
        y = (rng.random((n, 1)) < 0.3).astype(float)
        found = auroc_interval(y, rng.normal(size=(n, 1)) + y, [str(i) for i in range(n)], replicates=300)
        assert found.low < found.value < found.high
        assert found.low < 0.76 < found.high  # the AUROC of a shift of one deviation: Φ(1/√2)
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_paired_difference_of_equal_scores_is_exactly_zero():
    rng = np.random.default_rng(2)
    y, score = (rng.random((80, 3)) < 0.4).astype(float), rng.random((80, 3))
    found = auroc_difference(y, score, score, [str(i) for i in range(80)], replicates=50)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    other = auroc_difference(y, score + y, score, [str(i) for i in range(80)], replicates=50)
    assert other.low > 0


def test_macro_leaves_out_one_class_labels():
    y = np.array([[0.0, 1], [1, 1]])
    assert macro_auroc(y, [[0.1, 0.5], [0.9, 0.5]]) == 1.0
    assert np.isnan(macro_auroc(np.ones((2, 1)), np.ones((2, 1))))


def test_interval_of_nothing():
    found = interval(0.5, [np.nan, np.nan])
    assert np.isnan(found.low) and np.isnan(found.high)
    assert str(interval(0.5, [0.4, 0.6])) == "0.500 (0.405–0.595)"


def test_no_patient():
    with pytest.raises(ShapeError, match="at least one"):
        patient_draws([], 3, np.random.default_rng(0))
