"""Sentences say what the interval allows."""

import pytest

from ecgprior.app.report.content import Arm, Difference, Interval
from ecgprior.app.report.words import contrast_headline, headline, number, verdict

SIMCLR, RANDOM = (
    Arm("simclr", "SimCLR", phrase="SimCLR features"),
    Arm("r", "Random", phrase="a random encoder"),
)


def sentence(value: float, low: float | None, high: float | None) -> str:
    paired = Difference("panel", "simclr", "r", Interval(value, low, high))
    return headline(SIMCLR, RANDOM, (Interval(0.8), Interval(0.8 - value)), paired, "macro AUROC")


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.1, 0.05, 0.15), "does better on SimCLR features than on a random encoder"),
        ((-0.1, -0.15, -0.05), "does worse on SimCLR features than on a random encoder"),
        ((0.01, -0.02, 0.04), "on SimCLR features cannot be told from one on a random encoder"),
        ((0.1, 0.0, 0.2), "cannot be told"),
    ],
)
def test_headline_follows_the_interval(interval, said):
    assert said in sentence(*interval)


def test_headline_without_interval_claims_nothing():
    said = sentence(0.1, None, None)
    assert (
        said
        == "A linear probe on SimCLR features reaches macro AUROC 0.800 against 0.700 on a random encoder."
    )


def test_headline_gives_the_figures():
    assert "macro AUROC 0.800 against 0.700 (difference +0.100, 95 % interval +0.050 to +0.150)" in sentence(
        0.1, 0.05, 0.15
    )


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (
            0.1,
            "A does better than B (AUROC 0.800 against 0.700) and worse than features (0.900) and C (0.850).",
        ),
        (
            0.0,
            "A cannot be told from B (AUROC 0.800 against 0.700) and does worse than features (0.900) and C (0.850).",
        ),
        (-0.1, "A does worse than B (AUROC 0.800 against 0.700) and than features (0.900) and C (0.850)."),
    ],
)
def test_the_headline_of_a_contrast_says_what_lies_above(gap, said):
    found = Interval(gap, gap - 0.05, gap + 0.05)
    above = [("features", 0.9), ("C", 0.85)]
    assert contrast_headline("A", "B", (Interval(0.8), Interval(0.7)), found, above, "AUROC") == said
    assert contrast_headline("A", "B", (Interval(0.8), Interval(0.7)), found, [], "AUROC").endswith(
        "against 0.700)."
    )


def test_nan_is_a_dash_and_has_no_verdict():
    assert number(float("nan")) == "–"
    assert verdict(Interval(0.1)) == "without an interval"
