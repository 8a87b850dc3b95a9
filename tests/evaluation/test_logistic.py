"""The batched regressions against scikit-learn's, one at a time."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecgprior.evaluation.logistic import fit_logistic


@pytest.mark.parametrize(("n", "d"), [(200, 12), (60, 100)])
def test_equals_scikit_learn(n, d):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) @ (rng.normal(size=(d, d)) * np.logspace(0, -2, d)[:, None])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = (rng.random((n, 3)) < 1 / (1 + np.exp(1 - x[:, :3]))).astype(float)
    strength = np.array([1e-3, 0.1, 10.0])
    fit = fit_logistic(x, np.repeat(y, 3, axis=1), np.tile(strength, 3), tolerance=1e-8, most=2000)
    assert fit.converged.all()
    for k in range(9):
        model = LogisticRegression(C=1 / (n * strength[k % 3]), tol=1e-10, max_iter=20000).fit(
            x, y[:, k // 3]
        )
        ours = x @ fit.coefficients[:, k] + fit.intercepts[k]
        np.testing.assert_allclose(ours, model.decision_function(x), atol=2e-3)


def test_unlabelled_records_have_no_part():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 5)), (rng.random((80, 1)) < 0.5).astype(float)
    y[50:] = np.nan
    whole = fit_logistic(x, y, np.array([0.1]), tolerance=1e-9)
    part = fit_logistic(x[:50], y[:50], np.array([0.1]), tolerance=1e-9)
    np.testing.assert_allclose(whole.coefficients, part.coefficients, atol=1e-6)


def test_separable_one_class_and_constant_input_end():
    x = np.array([[-1.0, 0], [1, 0]])
    fit = fit_logistic(x, np.array([[0.0, 1, np.nan], [1, 1, np.nan]]), np.full(3, 1e-9))
    assert np.isfinite(fit.coefficients).all() and np.isfinite(fit.intercepts).all()
    assert fit.coefficients[0, 0] > 3 and abs(fit.coefficients[0, 1]) < 1e-6
