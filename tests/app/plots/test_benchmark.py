"""The benchmark's figures: what is drawn, and nothing drawn twice differently."""

import polars as pl
import pytest

from ecgprior.app.plots.benchmark import forest

TABLE = pl.DataFrame(
    {
        "arm": ["random-init", "random-init", "simclr", "simclr"],
        "readout": ["probe"] * 4,
        "scope": ["one", "two"] * 2,
        "auroc": [0.6, float("nan"), 0.8, 0.7],
        "low": [0.5, float("nan"), 0.7, 0.6],
        "high": [0.7, float("nan"), 0.9, 0.8],
    }
)


def test_a_mark_for_each_system_and_what_is_not_defined_is_left_out():
    axes = forest(TABLE, "scope", "Title").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    drawn = [container.lines[0].get_xdata() for container in axes.containers]
    assert [list(x) for x in drawn] == [[0.6], [0.8, 0.7]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["random-init", "simclr"]


def test_one_arm_alone():
    axes = forest(TABLE.head(1), "scope", "Title").axes[0]
    assert axes.containers[0].lines[0].get_ydata()[0] == pytest.approx(0)
