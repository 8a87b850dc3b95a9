"""The score: monotone by construction, low on garbage, and no feature."""

import json
from importlib import resources

import numpy as np
import pytest

import ecgprior as ep
from ecgprior.physiology.quality.assess import quality
from ecgprior.physiology.quality.definitions import MEASUREMENTS
from ecgprior.physiology.quality.measurements import measure_quality
from ecgprior.physiology.quality.score import score_of, terms_of, threshold


@pytest.fixture(scope="module")
def model():
    return json.loads(
        resources.files("ecgprior.physiology.quality").joinpath("score.json").read_text("utf-8")
    )


def costs(model, measured):
    """What each term takes from the log odds."""
    terms = zip(terms_of(model["terms"]), model["terms"], strict=True)
    return {term.name: each["weight"] * term(measured) for term, each in terms}


def test_the_file_says_what_it_was_trained_on(model):
    assert "CinC Challenge 2011" in model["attribution"] and model["n_records"] > 0
    assert all(term["weight"] > 0 for term in model["terms"])
    assert {m for term in model["terms"] for m in term["measurements"]} <= set(MEASUREMENTS)
    assert 0 < threshold() < 1


def test_score_is_the_logistic_of_its_terms_by_hand(clean, model):
    measured = measure_quality(clean[0])
    assert all(0 <= term(measured) <= 1 for term in terms_of(model["terms"]))
    logit = model["intercept"] - sum(costs(model, measured).values())
    assert score_of(measured) == pytest.approx(1 / (1 + np.exp(-logit)))  # beats are seen, so the rule is 1


def test_a_term_by_hand(clean):
    one = terms_of([{"name": "x", "measurements": ["baseline_mv"], "of": "worst", "good": 0.2, "bad": 5.0, "log": True,
                     "absent": 0.25}])[0]  # fmt: skip
    measured = measure_quality(clean[0])
    measured.lead["baseline_mv"] = np.full(12, 0.1)
    assert one(measured) == 0
    measured.lead["baseline_mv"][3] = 1.0  # the middle of 0.2 and 5 by logarithm
    assert one(measured) == pytest.approx(0.5)
    measured.lead["baseline_mv"][:] = np.nan
    assert one(measured) == 0.25


@pytest.mark.parametrize("size", [0.1, 0.3, 1.0])
def test_more_disturbance_never_raises_it(clean, size):
    rng = np.random.default_rng(4)
    for record in clean[:4]:
        noise = np.cumsum(rng.normal(0, 0.02, record.signal.shape), axis=1) + rng.normal(
            0, 0.2, record.signal.shape
        )
        scores = [quality(record.with_(signal=record.signal + k * size * noise)).score for k in (0, 1, 2)]
        assert scores[0] >= scores[1] >= scores[2]


def test_clean_is_high_and_nothing_costs_much(clean, model):
    for record in clean:
        assert quality(record).score > 0.9 and quality(record).acceptable
        assert sum(costs(model, measure_quality(record)).values()) < 2


def test_flat_leads_cost_most(clean, model):
    signal = clean[0].signal.copy()
    signal[6:9] = 0
    measured = measure_quality(clean[0].with_(signal=signal))
    lost = costs(model, measured)
    assert "no signal, worst lead" in sorted(lost, key=lost.get, reverse=True)[:4]
    assert score_of(measured) < score_of(measure_quality(clean[0]))


def test_it_is_no_measurement_and_no_feature(clean):
    judged = quality(clean[0])
    assert not {"score", "quality", "quality_score"} & set(ep.FEATURES)
    assert "score" not in judged.measurements and not any("score" in name for name in MEASUREMENTS)
