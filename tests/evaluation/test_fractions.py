"""Draws of labels: how many, of whom, how alike to the whole; and that a probe on few labels is that of these labels."""

import numpy as np
import pytest

from ecgprior.evaluation.fractions import LEAST, TOLERANCE, draw, read_fraction
from ecgprior.evaluation.metrics import auroc
from ecgprior.evaluation.probe import fit_probe


def labels(n=600, seed=0):
    """Five labels from common to rare, records of one to four a patient."""
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=(n, 5)) < [0.5, 0.25, 0.1, 0.04, 0.01]).astype(float)
    patients = np.repeat(np.arange(n), rng.integers(1, 5, n))[:n].astype(str)
    return y, patients


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.1, 0.25, 0.5])
def test_every_draw_is_of_whole_patients_and_has_three_of_each_class(fraction):
    y, patients = labels()
    available = np.minimum(LEAST, np.vstack([y.sum(0), (1 - y).sum(0)]))
    for seed in range(20):
        rows = draw(y, patients, fraction, np.random.default_rng(seed))
        assert (np.diff(rows) > 0).all()
        drawn = np.isin(patients, patients[rows])
        assert drawn.sum() == len(rows)
        assert (y[rows].sum(0) >= available[0]).all() and ((1 - y[rows]).sum(0) >= available[1]).all()


def test_size_and_shares_are_those_of_the_whole():
    y, patients = labels(3000)
    n_patients = len(np.unique(patients))
    found = [draw(y, patients, 0.25, np.random.default_rng(seed)) for seed in range(40)]
    for rows in found:
        assert abs(len(np.unique(patients[rows])) - 0.25 * n_patients) <= 1
    positives = np.array([y[rows].sum(0) for rows in found])
    np.testing.assert_allclose(positives.mean(0), 0.25 * y.sum(0), rtol=0.08)
    by_chance = np.sqrt(0.25 * 0.75 * y.sum(0))  # standard deviation of a draw without strata
    assert (positives.std(0)[[3, 4]] < 0.6 * by_chance[[3, 4]]).all()
    union = np.unique(np.concatenate(found))
    assert len(union) > 0.99 * len(y)  # every record has its turn


def test_a_draw_is_the_same_for_the_same_seed_only():
    y, patients = labels()
    one, same, other = (draw(y, patients, 0.1, np.random.default_rng([1, s])) for s in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_a_label_with_fewer_than_three_gets_all_and_unlabelled_records_count_for_neither():
    y, patients = labels()
    y[:, 4] = 0.0
    y[[7, 300], 4] = 1.0
    y[:500, 3] = np.nan
    for seed in range(10):
        rows = draw(y, patients, 0.02, np.random.default_rng(seed))
        assert {7, 300} <= set(rows.tolist())
        known = y[rows, 3]
        assert (known == 1).sum() >= min(LEAST, np.nansum(y[:, 3])) and (known == 0).sum() >= LEAST


def parts(seed=0, n=(300, 100, 100), d=30):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(d, 2))
    x = {
        part: rng.normal(size=(size, d))
        for part, size in zip(("train", "validation", "test"), n, strict=True)
    }
    y = {p: (v @ weights + 2 * rng.normal(size=(len(v), 2)) > 3).astype(float) for p, v in x.items()}
    return x, y, np.arange(n[0]).astype(str)


def test_more_labels_give_more_and_all_of_them_give_the_probe():
    x, y, patients = parts()
    found = [read_fraction(x, y, patients, f, 6, [0]) for f in (0.05, 0.25, 1.0)]
    means = [np.mean(one["draws"]) for one in found]
    assert means[0] < means[1] < means[2]
    assert found[2]["records"] == [300] * 6 and found[1]["records"][0] == pytest.approx(75, abs=1)
    probe = fit_probe(x["train"], y["train"], x["validation"], y["validation"])
    np.testing.assert_allclose(found[2]["draws"][0], auroc(y["test"], probe.predict(x["test"])), atol=0.005)
    assert read_fraction(x, y, patients, 0.25, 6, [0]) == found[1]
    assert read_fraction(x, y, patients, 0.25, 6, [1]) != found[1]


def test_a_draw_is_a_probe_on_its_rows():
    x, y, patients = parts()
    found = read_fraction(x, y, patients, 0.2, 2, [3, 4])["draws"][1]
    rows = draw(y["train"], patients, 0.2, np.random.default_rng([3, 4, 1]))
    probe = fit_probe(x["train"][rows], y["train"][rows], x["validation"], y["validation"])
    assert probe.chosen_by == "macro AUROC" and TOLERANCE <= 1e-3
    np.testing.assert_allclose(found, auroc(y["test"], probe.predict(x["test"])), atol=0.01)


def test_a_label_of_one_class_in_the_test_part_is_none():
    x, y, patients = parts()
    y["test"][:, 1] = 0.0
    assert {row[1] for row in read_fraction(x, y, patients, 0.2, 3, [0])["draws"]} == {None}
