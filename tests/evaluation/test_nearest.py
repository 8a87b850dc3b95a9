"""Nearest neighbours against scikit-learn, with labels that are not all known, and a choice that the test part cannot move."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from ecgprior.evaluation.metrics import auroc
from ecgprior.evaluation.nearest import KS, TEMPERATURE, Directions, nearest, read_nearest, votes


def made(n=(150, 60, 70), d=8, c=3, seed=0):
    rng = np.random.default_rng(seed)
    x, y = {}, {}
    for part, size in zip(("train", "validation", "test"), n, strict=True):
        x[part] = 5.0 + rng.normal(size=(size, d)) * np.linspace(0.5, 3, d)
        y[part] = (x[part][:, :c] - 5 + 0.3 * rng.normal(size=(size, c)) > 0).astype(float)
    return x, y


@pytest.mark.parametrize("k", [1, 5, 50])
def test_votes_are_those_of_scikit_learn(k):
    x, y = made()
    direct = Directions.of(x["train"])
    mine = votes(direct(x["train"]), y["train"], direct(x["test"]), (k,))[0]
    mean, sd = x["train"].mean(0), x["train"].std(0)
    theirs = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda d: np.exp(-d / TEMPERATURE)
    ).fit((x["train"] - mean) / sd, y["train"])
    expected = np.column_stack([p[:, 1] for p in theirs.predict_proba((x["test"] - mean) / sd)])
    np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_only_records_that_carry_the_label_vote():
    x, y = made()
    y["train"][:100, 1] = np.nan
    y["train"][:, 2] = np.nan
    direct = Directions.of(x["train"])
    mine = votes(direct(x["train"]), y["train"], direct(x["test"]))
    alone = votes(direct(x["train"])[100:], y["train"][100:, 1:2], direct(x["test"]))
    np.testing.assert_allclose(mine[:, :, 1:2], alone, rtol=1e-6)
    assert (mine[:, :, 2] == 0.5).all()
    np.testing.assert_allclose(mine[KS.index(50), :, 1], mine[KS.index(200), :, 1])  # 50 carry it


def test_k_is_chosen_on_validation_and_the_test_part_decides_nothing():
    x, y = made()
    probability, facts = read_nearest(x, y)
    assert facts["chosen_by"] == "macro AUROC"
    assert auroc(y["test"], probability).min() > 0.8
    direct = Directions.of(x["train"])
    areas = [
        auroc(y["validation"], one).mean()
        for one in votes(direct(x["train"]), y["train"], direct(x["validation"]))
    ]
    assert facts["k"] == max(k for k, area in zip(KS, areas, strict=True) if area >= max(areas) - 1e-9)
    other = {**x, "test": np.vstack([x["test"], 9 * x["test"]])}
    again, facts_again = read_nearest(other, {**y, "test": np.full((140, 3), np.nan)})
    assert facts_again == facts
    np.testing.assert_allclose(again[:70], probability, rtol=1e-6)


def test_one_class_in_validation_falls_back_to_the_log_loss():
    x, y = made()
    y["validation"][:] = 1.0
    assert read_nearest(x, y)[1]["chosen_by"] == "log-loss"


def test_neighbours_are_the_nearest_by_cosine_and_constant_columns_take_no_part():
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=(40, 3)), np.full(40, 7.0)])
    direct = Directions.of(x)
    unit = direct(x)
    assert (unit[:, 3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    assert (direct(np.array([[*x[:, :3].mean(0), 9.0]])) == 0).all()
    found = nearest(unit[:5], unit, 4)
    np.testing.assert_array_equal(found.row, np.argsort(-(unit[:5] @ unit.T), axis=1, kind="stable")[:, :4])
