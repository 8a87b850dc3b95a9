"""Retrieval on toys whose answer is known: the embedding is the feature, or noise; R² against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from ecgprior.errors import ColumnMissing
from ecgprior.evaluation import retrieval as module
from ecgprior.evaluation.retrieval import retrieve

NAMES = ("rr_ms", "qrs_ms", "qt_ms", "qrs_axis_deg")
SIZES = {"train": 300, "validation": 80, "test": 120}


def hearts(seed=0, sizes=SIZES):
    """Features that vary on their own, in their own units."""
    rng = np.random.default_rng(seed)
    features = {p: rng.normal(size=(n, 4)) * [150, 15, 30, 20] + [850, 95, 400, 40] for p, n in sizes.items()}
    return features, {p: rng.normal(size=(n, 6)) for p, n in sizes.items()}


def ids(n):
    return [f"r{i}" for i in range(n)]


def test_an_embedding_that_is_the_features_finds_what_is_similar():
    features, noise = hearts()
    x = {part: values @ np.diag([1 / 150, 1 / 15, 1 / 30, 1 / 20]) for part, values in features.items()}
    found = retrieve(x, features, NAMES, ids(300))
    assert found["precision"] > 0.6 and found["chance"] == pytest.approx(0.05, abs=0.01)
    assert found["k"] == 10 and found["queries"] == 120 and found["among"] == 300
    assert found["r2_median"] > 0.98 and found["features"] == 4
    blind = retrieve(noise, features, NAMES, ids(300))
    assert blind["precision"] == pytest.approx(blind["chance"], abs=0.03)
    assert blind["chance"] == found["chance"] and blind["r2_median"] < 0.05


def test_a_record_that_was_not_measured_is_no_query_and_is_never_found():
    features, _ = hearts()
    x = {part: values.copy() for part, values in features.items()}
    features["test"][:50] = np.nan
    features["train"][::2] = np.nan
    found = retrieve(x, features, NAMES, ids(300))
    assert found["queries"] == 70
    assert found["precision"] < 0.6 and found["chance"] == pytest.approx(0.05 / 2, abs=0.01)


def test_r2_is_that_of_a_ridge_on_the_measured_rows():
    features, noise = hearts(1)
    x = {part: np.column_stack([noise[part], values[:, :2] / [150, 15]]) for part, values in features.items()}
    rng = np.random.default_rng(5)
    features["train"][rng.uniform(size=300) < 0.3, 1] = np.nan
    features["test"][rng.uniform(size=120) < 0.3, 1] = np.nan
    found = retrieve(x, features, NAMES, ids(300))
    standardiser = module.Standardiser.fit(features["train"], NAMES)
    (z, there), (truth, known) = (standardiser.transform(features[p]) for p in ("train", "test"))
    mean, sd = x["train"].mean(0), x["train"].std(0)
    expected = []
    for c in range(4):
        rows = there[:, c]
        model = Ridge(alpha=found["strength"] * rows.sum()).fit((x["train"][rows] - mean) / sd, z[rows, c])
        guessed = model.predict((x["test"][known[:, c]] - mean) / sd)
        expected.append(r2_score(truth[known[:, c], c], guessed))
    np.testing.assert_allclose(
        [found["r2_low"], found["r2_median"], found["r2_high"]],
        np.quantile(expected, [0.25, 0.5, 0.75]),
        atol=1e-4,
    )
    assert max(expected) > 0.9 and min(expected) < 0.1


def test_the_strength_is_chosen_on_validation():
    features, noise = hearts(2, {"train": 60, "validation": 200, "test": 50})
    rng = np.random.default_rng(0)
    wide = {part: np.column_stack([values / [150, 15, 30, 20] + rng.normal(size=values.shape), rng.normal(size=(len(values), 50))])
            for part, values in features.items()}  # fmt: skip
    assert retrieve(wide, features, NAMES, ids(60))["strength"] > 1e-2
    clean = {part: values / [150, 15, 30, 20] for part, values in features.items()}
    assert retrieve(clean, features, NAMES, ids(60))["strength"] < 1e-2
    other = {**clean, "test": clean["test"][::-1]}
    assert (
        retrieve(other, features, NAMES, ids(60))["strength"]
        == retrieve(clean, features, NAMES, ids(60))["strength"]
    )


def test_many_records_are_drawn_from(monkeypatch):
    monkeypatch.setattr(module, "MOST", {"train": 100, "validation": 50, "test": 30})
    features, noise = hearts()
    found = retrieve(noise, features, NAMES, ids(300))
    assert (found["queries"], found["among"]) == (30, 100)
    assert found == retrieve(noise, features, NAMES, ids(300))


def test_features_that_are_no_physiology_are_refused():
    features, noise = hearts()
    with pytest.raises(ColumnMissing, match="expected some of the blocks"):
        retrieve(noise, features, ("a", "b", "c", "d"), ids(300))


def test_nothing_to_compare_is_none():
    features, noise = hearts()
    features["test"][:] = np.nan
    found = retrieve(noise, features, NAMES, ids(300))
    assert found["precision"] is None and found["r2_median"] is None and found["queries"] == 0
