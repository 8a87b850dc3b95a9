"""The probe finds a linear rule, chooses on validation, and copes with hard input."""

import numpy as np
import pytest

from ecgprior.errors import CorpusError, ShapeError
from ecgprior.evaluation.bootstrap import macro_auroc
from ecgprior.evaluation.probe import fit_probe, probe
from ecgprior.evaluation.tasks import Task


def world(seed=0, n=400, d=30, c=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.logspace(-3, 3, d) + 50
    direction = rng.normal(size=(d, c)) / np.logspace(-3, 3, d)[:, None]
    logit = (x - 50) @ direction / np.sqrt(d) * 3
    return x, (rng.random((n, c)) < 1 / (1 + np.exp(-logit))).astype(float)


def test_finds_a_linear_rule_whatever_the_scale():
    x, y = world()
    probe = fit_probe(x[:200], y[:200], x[200:300], y[200:300])
    probability = probe.predict(x[300:])
    assert macro_auroc(y[300:], probability) > 0.85
    assert ((probability >= 0) & (probability <= 1)).all()
    assert probe.chosen_by == "macro AUROC"
    assert probe.validation[probe.strength] == max(probe.validation.values())
    assert abs(probability.mean() - y.mean()) < 0.1


def test_the_choice_is_made_on_validation():
    x, y = world()
    noise = np.random.default_rng(5).normal(size=(400, 300))
    wide = np.hstack([x[:, :3], noise])
    probe = fit_probe(wide[:100], y[:100], wide[100:250], y[100:250])
    every = [
        fit_probe(wide[:100], y[:100], wide[100:250], y[100:250], strengths=(s,)) for s in probe.validation
    ]
    best = max(float(macro_auroc(y[100:250], p.predict(wide[100:250]))) for p in every)
    assert macro_auroc(y[100:250], probe.predict(wide[100:250])) == pytest.approx(best, abs=1e-3)


def test_missing_labels_constant_columns_and_one_class():
    x, y = world()
    x[:, 4] = 7.0
    y[:50, 0] = np.nan
    y[:200, 2] = 1  # one class in training
    probe = fit_probe(x[:200], y[:200], x[200:], y[200:])
    assert np.isfinite(probe.predict(x)).all()
    assert (probe.coefficients[4] == 0).all()
    assert probe.predict(x)[:, 2].min() > 0.9


def test_validation_of_one_class_falls_back_on_log_loss():
    x, y = world(c=1)
    probe = fit_probe(x[:200], y[:200], x[200:], np.ones((200, 1)))
    assert probe.chosen_by == "log-loss" and np.isfinite(list(probe.validation.values())).all()


def test_refusals():
    x, y = world()
    nothing = np.full_like(y, np.nan)
    with pytest.raises(CorpusError, match="training part: expected labelled records"):
        fit_probe(x, nothing, x, y)
    with pytest.raises(CorpusError, match="validation part: expected labelled records"):
        fit_probe(x, y, x, nothing)
    with pytest.raises(ShapeError, match="finite embeddings"):
        fit_probe(np.where(x > 50, np.nan, x), y, x, y)
    with pytest.raises(ShapeError, match="expected"):
        fit_probe(x[:5], y, x, y)


def test_a_corpus_may_be_a_path_and_is_looked_at_first(tmp_path):
    with pytest.raises(CorpusError, match="manifest.json is not there"):
        probe(tmp_path / "absent", tmp_path / "nope", Task(name="t", vocabulary="v"), {})
