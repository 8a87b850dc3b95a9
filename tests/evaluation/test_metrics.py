"""Metrics against scikit-learn and against definitions written out slowly."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ecgprior.errors import ShapeError
from ecgprior.evaluation import metrics


def example(seed=0, n=300, c=7, digits=1, missing=0.1):
    rng = np.random.default_rng(seed)
    y = (rng.random((n, c)) < rng.uniform(0.02, 0.6, c)).astype(float)
    score = np.clip(np.round(rng.random((n, c)) * 0.7 + 0.3 * y, digits), 0, 1)
    y[rng.random((n, c)) < missing] = np.nan
    return y, score


@pytest.mark.parametrize("digits", [0, 1, 12])
def test_auroc_and_auprc_equal_scikit_learn_with_ties(digits):
    y, score = example(digits=digits)
    area, precision = metrics.auroc(y, score), metrics.average_precision(y, score)
    for c in range(y.shape[1]):
        known = ~np.isnan(y[:, c])
        assert abs(area[c] - roc_auc_score(y[known, c], score[known, c])) < 1e-12
        assert abs(precision[c] - average_precision_score(y[known, c], score[known, c])) < 1e-12


@pytest.mark.parametrize("kind", [np.int32, np.float64])
def test_weighted_replicates_equal_scikit_learn(kind):
    y, score = example(seed=1, n=120, c=4)
    rng = np.random.default_rng(2)
    weight = rng.integers(0, 4, (9, len(y))).astype(kind) * (0.3 if kind is np.float64 else 1)
    area, precision = metrics.auroc(y, score, weight), metrics.average_precision(y, score, weight)
    for r in range(len(weight)):
        for c in range(y.shape[1]):
            known = ~np.isnan(y[:, c]) & (weight[r] > 0)
            args = y[known, c], score[known, c]
            assert abs(area[r, c] - roc_auc_score(*args, sample_weight=weight[r, known])) < 1e-12
            assert (
                abs(precision[r, c] - average_precision_score(*args, sample_weight=weight[r, known])) < 1e-12
            )


def test_chunks_of_replicates_change_nothing(monkeypatch):
    y, score = example(n=50)
    weight = np.random.default_rng(0).integers(0, 3, (40, 50))
    whole = metrics.auroc(y, score, weight), metrics.average_precision(y, score, weight)
    monkeypatch.setattr(metrics, "_CHUNK_BYTES", 1000)
    np.testing.assert_array_equal(whole[0], metrics.auroc(y, score, weight))
    np.testing.assert_array_equal(whole[1], metrics.average_precision(y, score, weight))


def test_large_weights_stay_exact():
    y, score = example(n=40, c=1, missing=0)
    weight = np.full((1, 40), 2**27)
    np.testing.assert_allclose(metrics.auroc(y, score, weight)[0], metrics.auroc(y, score), rtol=1e-14)


def test_one_class_is_nan_and_is_named():
    y = np.array([[1.0, 1, np.nan], [0, 1, np.nan], [1, 1, np.nan]])
    score = np.array([[0.9, 0.3, 0.5], [0.1, 0.2, 0.5], [0.8, 0.1, 0.5]])
    scores = metrics.evaluate(y, score, ("both", "only one", "none"))
    assert scores.one_class == ("only one", "none")
    assert scores.macro["auroc"] == 1.0
    assert scores.per_label["positives"].to_list() == [2, 3, 0]
    assert scores.per_label["n"].to_list() == [3, 3, 0]
    assert np.isnan(scores.per_label["auprc"][2]) and np.isnan(scores.per_label["brier"][2])


def test_a_replicate_without_a_class_is_nan():
    area = metrics.auroc([0, 1, 1], [0.1, 0.2, 0.3], np.array([[1, 1, 1], [0, 2, 1]]))
    assert area[0, 0] == 1.0 and np.isnan(area[1, 0])


def test_micro_is_all_pairs_together():
    y, score = example(missing=0)
    assert metrics.micro(y, score)[0] == pytest.approx(roc_auc_score(y.ravel(), score.ravel()), abs=1e-12)


def test_f_max_against_its_definition():
    y, p = example(seed=3, n=60, c=4, digits=3, missing=0)
    best = 0.0
    for t in np.linspace(0.01, 1, 100):
        precision, recall = [], []
        for truth, guess in zip(y == 1, p >= t, strict=True):
            if guess.any():
                precision.append((truth & guess).sum() / guess.sum())
            if truth.any():
                recall.append((truth & guess).sum() / truth.sum())
        if precision and np.mean(precision) + np.mean(recall):
            a, b = np.mean(precision), np.mean(recall)
            best = max(best, 2 * a * b / (a + b))
    assert metrics.f_max(y, p) == pytest.approx(best, abs=1e-12)
    assert np.isnan(metrics.f_max(np.zeros((3, 2)), np.zeros((3, 2))))


def test_f1_max_against_every_threshold():
    y, p = example(seed=4, n=300, c=3, missing=0)
    for c in range(3):
        options = []
        for t in np.unique(p[:, c]):
            hits = ((p[:, c] >= t) & (y[:, c] == 1)).sum()
            options.append(2 * hits / ((p[:, c] >= t).sum() + y[:, c].sum()))
        assert metrics.f1_max(y, p)[c] == pytest.approx(max(options), abs=1e-12)


def test_brier_and_calibration():
    y = np.array([[1.0], [0], [1], [0]])
    p = np.array([[0.9], [0.1], [0.9], [0.9]])
    assert metrics.brier(y, p)[0] == pytest.approx((0.01 * 3 + 0.81) / 4)
    assert metrics.calibration_error(y, p, bins=10)[0] == pytest.approx(abs(2 / 3 - 0.9) * 0.75 + 0.1 * 0.25)
    assert metrics.calibration_error([[1.0], [0.0]], [[1.0], [0.0]])[0] == 0


@pytest.mark.parametrize(
    ("y", "score", "weight", "says"),
    [
        ([[0, 1]], [[0.5]], None, "expected the labels' shape"),
        ([0, 2], [0.1, 0.2], None, "expected 0, 1 or NaN"),
        ([0, 1], [0.1, np.nan], None, "expected finite numbers"),
        ([0, 1], [0.1, 0.2], np.ones((3, 5)), "with 2 records"),
        ([0, 1], [0.1, 0.2], [[-1, 1]], "numbers >= 0"),
    ],
)
def test_bad_input(y, score, weight, says):
    with pytest.raises(ShapeError, match=says):
        metrics.auroc(y, score, weight)


def test_names_must_fit():
    with pytest.raises(ShapeError, match="expected 1 names"):
        metrics.evaluate([[0], [1]], [[0.1], [0.2]], ("a", "b"))
