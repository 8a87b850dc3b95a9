import json

import numpy as np
import pytest

from ecgprior.encoders._load import load
from ecgprior.errors import CorpusError
from ecgprior.evaluation.benchmark import benchmark
from ecgprior.evaluation.plan import BenchmarkRecipe, TrunkPlan, resolve_arms
from ecgprior.evaluation.trunk import has_trunk, trunk_records, two_parts
from ecgprior.provenance import digest_json
from ecgprior.training.plan import PretrainRecipe


@pytest.fixture(scope="module")
def trunk_values(values):
    return values(unlabelled_sources=[], trunk={"sources": ["gamma", "absent"], "share": 0.5})


@pytest.fixture(scope="module")
def done(corpus, trunk_values, tmp_path_factory):
    to = tmp_path_factory.mktemp("trunk") / "result"
    return to, benchmark(BenchmarkRecipe.of(trunk_values), corpus, to)


def test_steps_are_parted():
    recipe = PretrainRecipe.read("simclr", ["steps=10"])
    for share, expected in ((0.5, (5, 5)), (0.01, (1, 9)), (1.0, (10, None))):
        trunk, then = two_parts(TrunkPlan(sources=("s",), share=share), recipe)
        assert (trunk.steps, None if then is None else then.steps) == expected


def test_who_has_one(trunk_values):
    recipe = BenchmarkRecipe.of(trunk_values)
    arms = {arm.name: arm for arm in resolve_arms(recipe)}
    assert {name: has_trunk(recipe.trunk, arm) for name, arm in arms.items()} == {
        "random-init": False, "supervised": False, "simclr": True,
    }  # fmt: skip
    assert not has_trunk(None, arms["simclr"])


def test_the_trunk_is_trained_once_on_its_sources_and_each_fold_goes_on_from_it(done, corpus):
    to, _ = done
    trunks = sorted((to / "work").glob("trunk-*"))
    assert [t.name.split("-s0-")[0] for t in trunks] == ["trunk-simclr"]
    outside = set(corpus.index.filter(corpus.index["source"] == "gamma")["record"])
    trunk = load(trunks[0] / "run" / "checkpoint")
    assert len(trunk.fingerprints) == len(outside) and trunk.config["metrics"]["steps"] == 1
    runs = sorted((to / "work").glob("simclr-s0-f*/run"))
    assert len(runs) == 3
    for run in runs:
        identity = json.loads((run / "run.json").read_text())["identity"]
        assert identity["init"] == digest_json(trunk.config["files"]) and identity["recipe"]["steps"] == 1
        seen = load(run / "checkpoint").fingerprints  # of both parts, so that evaluation can name what was seen
        own = {row.tobytes() for row in seen}
        assert {row.tobytes() for row in trunk.fingerprints} <= own and len(own) > len(trunk.fingerprints)


def test_a_cell_counts_the_passes_of_both_parts_and_its_key_holds_the_trunk(done):
    to, _ = done
    cell = json.loads((to / "cells" / "simclr-s0-f0.json").read_text())
    assert cell["view_passes"] == (6 + 8) * 2  # gamma has 6 records: a batch of 6, then one of 8, two views each
    assert "trunk" in cell["key"] and cell["records"]["trunk"] == 6
    assert "trunk" not in json.loads((to / "cells" / "supervised-s0-f0.json").read_text())["key"]


def test_sources_that_the_corpus_does_not_hold_are_noted(done):
    assert "Sources of the trunk that the corpus does not hold: absent." in done[1].notes


def test_with_all_steps_in_the_trunk_the_folds_train_nothing(corpus, trunk_values, tmp_path):
    values = {**trunk_values, "trunk": {"sources": ["gamma"], "share": 1.0}, "arms": trunk_values["arms"][1:]}
    result = benchmark(BenchmarkRecipe.of(values), corpus, tmp_path / "to")
    assert set(result.tables.cells.filter(arm="simclr")["records"]) == {6}  # gamma's, and nothing of the folds
    assert not list((tmp_path / "to" / "work").glob("simclr-s0-f*/run"))
    cells = [json.loads((tmp_path / "to" / "cells" / f"simclr-s0-f{k}.json").read_text()) for k in range(3)]
    assert {cell["view_passes"] for cell in cells} == {6 * 2 * 2}
    assert {cell["test_seen_in_training"] for cell in cells} == {0}


@pytest.mark.parametrize(
    ("sources", "says"), [(["alpha", "gamma"], "no task asks, got 'alpha'"), (["absent"], "none of absent is in the corpus")]
)
def test_impossible_sources_are_refused(corpus, sources, says):
    with pytest.raises(CorpusError, match=says):
        trunk_records(TrunkPlan(sources=tuple(sources)), corpus, {"alpha", "beta"})


def test_going_on_begins_where_the_trunk_ended(done, corpus):
    """After one step of each the weights are nearer to the trunk's than to new ones."""
    to, _ = done
    trunk = load(next((to / "work").glob("trunk-simclr-*")) / "run" / "checkpoint").encoder.state_dict()
    ended = load(next((to / "work").glob("simclr-s0-f0*/run")) / "checkpoint").encoder.state_dict()
    fresh = load(next((to / "work").glob("random-init-s0-f0*")) / "checkpoint").encoder.state_dict()
    name = next(n for n, v in trunk.items() if v.ndim == 3)
    near, far = (float(np.abs((ended[name] - other[name]).numpy()).max()) for other in (trunk, fresh))
    assert 0 < near < far
