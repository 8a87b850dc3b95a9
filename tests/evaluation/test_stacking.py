"""Stacking: out of fold against a plain loop, no leak from a record to its own logit, weights against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecgprior.evaluation.metrics import auroc
from ecgprior.evaluation.probe import fit_probe
from ecgprior.evaluation.stacking import (
    SideLogits,
    combine,
    embedding_logits,
    inner_folds,
    logit,
    out_of_fold,
    stack,
    tree_logits,
)


def made(n=(200, 80, 200), d=24, seed=0, shuffled=False):
    """Half of what decides is in the embedding, half in the features."""
    rng = np.random.default_rng(seed)
    x, f, y = {}, {}, {}
    for part, size in zip(("train", "validation", "test"), n, strict=True):
        x[part], f[part] = rng.normal(size=(size, d)), rng.normal(size=(size, 12))
        value = x[part][:, :2].sum(1) + f[part][:, 0] + f[part][:, 1]
        y[part] = np.column_stack([value > 0, value > 2]).astype(float)
        if shuffled:
            y[part] = rng.permutation(y[part])
    f["train"][::7, 3] = np.nan
    return x, f, y, np.repeat(np.arange(n[0]), 2)[: n[0]].astype(str)


def test_inner_folds_keep_patients_together_and_deal_out_labels():
    _, _, y, patients = made()
    fold = inner_folds(y["train"], patients)
    assert sorted(np.unique(fold)) == [0, 1, 2, 3, 4]
    assert all(len(np.unique(fold[patients == p])) == 1 for p in np.unique(patients))
    share = [y["train"][fold == k].mean(0) for k in range(5)]
    assert np.ptp(share, axis=0).max() < 0.12
    assert np.array_equal(fold, inner_folds(y["train"], patients))


def test_out_of_fold_is_the_plain_loop():
    x, _, y, patients = made()
    fold = inner_folds(y["train"], patients)
    found = embedding_logits(x, y, fold)
    whole = fit_probe(x["train"], y["train"], x["validation"], y["validation"])
    for record in (0, 57, 199):
        others = fold != fold[record]
        one = fit_probe(
            x["train"][others],
            y["train"][others],
            x["validation"],
            y["validation"],
            strengths=[whole.strength],
        )
        np.testing.assert_allclose(
            found.train[record], logit(one.predict(x["train"][[record]])[0]), atol=1e-6
        )
    np.testing.assert_allclose(found.test, logit(whole.predict(x["test"])))


def test_a_record_is_never_among_those_its_model_was_fitted_on():
    fold = np.array([0, 1, 2, 0, 1, 2, 2])
    seen = []

    def predict(fit, rows):
        assert not set(fit) & set(rows)
        seen.extend(rows.tolist())
        return rows[:, None].astype(float)

    np.testing.assert_array_equal(out_of_fold(predict, fold)[:, 0], np.arange(7))
    assert sorted(seen) == list(range(7))


def test_shuffled_labels_tell_nothing_out_of_fold():
    """In the sample both sides know their labels; out of fold they must not."""
    x, f, y, patients = made(n=(400, 100, 400), shuffled=True, seed=4)
    fold = inner_folds(y["train"], patients)
    sides = embedding_logits(x, y, fold), tree_logits(f, y, fold, 0)
    for side in sides:
        np.testing.assert_allclose(auroc(y["train"], side.train), 0.5, atol=0.1)
    whole = fit_probe(x["train"], y["train"], x["validation"], y["validation"], strengths=[1e-3])
    assert auroc(y["train"], whole.predict(x["train"])).min() > 0.6
    probability, facts = stack(*sides, y["train"])
    np.testing.assert_allclose(auroc(y["test"], probability), 0.5, atol=0.1)
    assert np.max(facts["weights"]) < 0.8


def test_together_they_know_more_than_either():
    x, f, y, patients = made(n=(500, 150, 400))
    fold = inner_folds(y["train"], patients)
    one, other = embedding_logits(x, y, fold), tree_logits(f, y, fold, 0)
    probability, facts = stack(one, other, y["train"])
    both = auroc(y["test"], probability).mean()
    assert both > max(auroc(y["test"], one.test).mean(), auroc(y["test"], other.test).mean()) + 0.05
    assert np.array(facts["weights"]).shape == (2, 2) and np.min(facts["weights"]) > 0.2
    assert facts["trees"] > 0 and facts["strength"] > 0
    # the test part decides nothing: its own labels are not given, and its rows do not touch each other
    cut = [SideLogits(s.train, s.test[:5], s.facts) for s in (one, other)]
    np.testing.assert_array_equal(stack(*cut, y["train"])[0], probability[:5])


def test_weights_are_those_of_a_logistic_regression_when_none_would_be_negative():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 1, 2))
    y = (z[:, :, 0] + 0.5 * z[:, :, 1] + rng.logistic(size=(600, 1)) > 0.3).astype(float)
    weights, intercepts = combine(z, y, spread=np.inf)
    theirs = LogisticRegression(C=1e9, tol=1e-10).fit(z[:, 0], y[:, 0])
    np.testing.assert_allclose(weights[0], theirs.coef_[0], atol=1e-3)
    np.testing.assert_allclose(intercepts, theirs.intercept_, atol=1e-3)


def test_a_side_that_misleads_gets_nothing_and_a_rare_label_leans_on_the_others():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(400, 3, 2))
    y = (z[:, :, 0] - z[:, :, 1] + rng.logistic(size=(400, 3)) > 0).astype(float)
    y[:, 2] = np.nan
    y[:40, 2] = 0.0
    y[:3, 2] = 1.0
    weights, _ = combine(z, y)
    assert (weights[:2, 1] < 1e-3).all() and (weights[:2, 0] > 0.5).all()
    alone, _ = combine(z[:, 2:], y[:, 2:], spread=np.inf)
    common = weights[:2, 0].mean()
    assert abs(weights[2, 0] - common) < max(0.5, abs(alone[0, 0] - common))


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_label_of_one_class_or_none_keeps_the_common_weights(value):
    x, f, y, patients = made()
    y["train"][:, 1] = value
    fold = inner_folds(y["train"], patients)
    probability, facts = stack(embedding_logits(x, y, fold), tree_logits(f, y, fold, 0), y["train"])
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(facts["weights"][0], facts["weights"][1], atol=0.05)


def test_separable_labels_do_not_run_away():
    z = np.linspace(-3, 3, 50)[:, None, None] * np.ones((1, 1, 2))
    weights, intercepts = combine(z, (z[:, :, 0] > 0).astype(float))
    assert np.isfinite(weights).all() and weights.max() <= 10 and np.isfinite(intercepts).all()


def test_what_the_other_folds_could_not_teach_takes_no_part():
    """All positives of the first label are one patient's: the model that predicts them has seen none."""
    x, f, y, patients = made()
    y["train"][:, 0] = 0
    y["train"][:8, 0], patients[:8] = 1, "one"
    fold = inner_folds(y["train"], patients)
    embedding, trees = embedding_logits(x, y, fold), tree_logits(f, y, fold, 0)
    own = fold == fold[0]
    for side in (embedding, trees):
        assert np.isnan(side.train[own, 0]).all() and np.isfinite(side.train[~own, 0]).all()
        assert np.isfinite(side.train[:, 1]).all()
    probability, facts = stack(embedding, trees, y["train"])
    alone = stack(
        *(SideLogits(s.train[:, 1:], s.test[:, 1:], s.facts) for s in (embedding, trees)), y["train"][:, 1:]
    )
    np.testing.assert_allclose(
        probability[:, 1], alone[0][:, 0], atol=1e-6
    )  # the first label says nothing to it
    assert np.isfinite(probability).all() and facts["weights"][0] == pytest.approx(
        facts["weights"][1], abs=0.2
    )
