import json
from dataclasses import replace

import numpy as np
import pytest

from ecgprior.encoders._load import load
from ecgprior.errors import CorpusError, RecipeError, describe
from ecgprior.evaluation.benchmark import benchmark, open_setting
from ecgprior.evaluation.cells import CellName
from ecgprior.evaluation.plan import BenchmarkRecipe, TrunkPlan, resolve_arms
from ecgprior.evaluation.trunk import has_trunk, trunk_of, trunk_records, two_parts
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
        seen = load(
            run / "checkpoint"
        ).fingerprints  # of both parts, so that evaluation can name what was seen
        own = {row.tobytes() for row in seen}
        assert {row.tobytes() for row in trunk.fingerprints} <= own and len(own) > len(trunk.fingerprints)


def test_a_cell_counts_the_passes_of_both_parts_and_its_key_holds_the_trunk(done):
    to, _ = done
    cell = json.loads((to / "cells" / "simclr-s0-f0.json").read_text())
    assert (
        cell["view_passes"] == (6 + 8) * 2
    )  # gamma has 6 records: a batch of 6, then one of 8, two views each
    assert "trunk" in cell["key"] and cell["records"]["trunk"] == 6
    assert "trunk" not in json.loads((to / "cells" / "supervised-s0-f0.json").read_text())["key"]


def test_sources_that_the_corpus_does_not_hold_are_noted(done):
    assert "Sources of the trunk that the corpus does not hold: absent." in done[1].notes


def test_with_all_steps_in_the_trunk_the_folds_train_nothing(corpus, trunk_values, tmp_path):
    values = {**trunk_values, "trunk": {"sources": ["gamma"], "share": 1.0}, "arms": trunk_values["arms"][1:]}
    result = benchmark(BenchmarkRecipe.of(values), corpus, tmp_path / "to")
    assert set(result.tables.cells.filter(arm="simclr")["records"]) == {
        6
    }  # gamma's, and nothing of the folds
    assert not list((tmp_path / "to" / "work").glob("simclr-s0-f*/run"))
    cells = [json.loads((tmp_path / "to" / "cells" / f"simclr-s0-f{k}.json").read_text()) for k in range(3)]
    assert {cell["view_passes"] for cell in cells} == {6 * 2 * 2}
    assert {cell["test_seen_in_training"] for cell in cells} == {0}


@pytest.mark.parametrize(
    ("sources", "says"),
    [(["alpha", "gamma"], "no task asks, got 'alpha'"), (["absent"], "none of absent is in the corpus")],
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


# Trunks that learn labels of their own.


@pytest.fixture(scope="module")
def labelled_corpus(make_corpus):
    """Beside the tasks' alpha and beta: gamma (6, unlabelled) and delta (24, of which 23 are labelled in "u")."""
    return make_corpus(("delta", 24, "u"))


@pytest.fixture(scope="module")
def told_values(values):
    """The usual arms, and one whose trunk learns the labels of "u"."""
    supervised, simclr = values()["arms"]
    told = {**supervised, "name": "told", "trunk_labels": "u"}
    trunk = {"sources": ["gamma", "delta"], "share": 0.5}
    return values(unlabelled_sources=[], trunk=trunk, arms=[supervised, simclr, told])


@pytest.fixture(scope="module")
def told(labelled_corpus, told_values, tmp_path_factory):
    to = tmp_path_factory.mktemp("told") / "result"
    return to, benchmark(BenchmarkRecipe.of(told_values), labelled_corpus, to)


def cell_of(to, name):
    return json.loads((to / "cells" / f"{name}.json").read_text())


def test_such_a_trunk_learns_its_own_labels_on_the_records_that_have_them(told, labelled_corpus):
    to, _ = told
    folder = next((to / "work").glob("trunk-told-*")) / "run"
    trunk = load(folder / "checkpoint")
    assert trunk.labels == ("fast", "slow") and len(trunk.fingerprints) == 23
    identity = json.loads((folder / "run.json").read_text())["identity"]
    assert identity["labels"][0] == ["fast", "slow"] and identity["recipe"]["steps"] == 1
    assert cell_of(to, "told-s0-f0")["records"]["trunk"] == 23
    assert cell_of(to, "simclr-s0-f0")["records"]["trunk"] == 30
    assert "trunk" not in cell_of(to, "supervised-s0-f0")["records"]


def test_it_goes_on_with_the_tasks_labels_from_that_encoder(told):
    to, _ = told
    trunk = load(next((to / "work").glob("trunk-told-*")) / "run" / "checkpoint")
    run = next((to / "work").glob("told-s0-f0*/run"))
    identity = json.loads((run / "run.json").read_text())["identity"]
    assert identity["init"] == digest_json(trunk.config["files"])
    asked = ("first/slow", "first/fast", "second/any")
    assert load(run / "checkpoint").labels == asked == tuple(identity["labels"][0])
    cell = cell_of(to, "told-s0-f0")
    assert cell["view_passes"] == 8 + 8 == cell_of(to, "supervised-s0-f0")["view_passes"]  # the same budget
    assert set(cell["tasks"]["first"]["readouts"]) == {"probe", "head"}


def test_its_labels_are_part_of_the_key(labelled_corpus, told_values, tmp_path):
    setting = open_setting(BenchmarkRecipe.of(told_values), labelled_corpus, tmp_path / "to")
    name = CellName("told", 0, 0)
    arm = setting.arm(name)
    before = setting.weights_key(name)
    trunk = setting.trunk(arm)
    other = trunk.labels.copy()
    other[trunk.rows[0], 0] = 1 - other[trunk.rows[0], 0]
    setting._trunks["u"] = replace(trunk, labels=other)
    after = setting.weights_key(name)
    assert {part for part in before if before[part] != after[part]} == {"trunk"}


def test_keys_of_other_arms_are_made_as_ever(labelled_corpus, told_values, tmp_path):
    setting = open_setting(BenchmarkRecipe.of(told_values), labelled_corpus, tmp_path / "to")
    simclr = next(arm for arm in setting.arms if arm.name == "simclr")
    index = labelled_corpus.index
    outside = sorted(index.filter(index["source"].is_in(["gamma", "delta"]))["record"])
    key = setting.key(CellName("simclr", 0, 1))
    assert key["trunk"] == digest_json([setting.recipe.trunk.model_dump(mode="json"), outside])
    assert key["arm"] == digest_json({"name": "simclr", "train": True, "pretrain": simclr.values})
    told, same = (next(arm for arm in setting.arms if arm.name == name) for name in ("told", "supervised"))
    assert told.values == same.values
    assert told.digest != digest_json({"name": "told", "train": True, "pretrain": told.values})


def test_without_a_continuation_it_has_no_head_for_the_tasks(labelled_corpus, told_values, tmp_path):
    trunk = {**told_values["trunk"], "share": 1.0}
    values = {
        **told_values,
        "trunk": trunk,
        "arms": told_values["arms"][2:],
        "split": {"kind": "cv", "folds": 3, "only": [0]},
    }
    benchmark(BenchmarkRecipe.of(values), labelled_corpus, tmp_path / "to")
    assert set(cell_of(tmp_path / "to", "told-s0-f0")["tasks"]["first"]["readouts"]) == {"probe"}
    untrained = BenchmarkRecipe.of(values).arms[0]
    assert (untrained.name, untrained.train, untrained.trunk_labels) == ("random-init", False, "")


def test_tables_and_notes_mark_an_arm_that_is_told_more(told):
    to, result = told
    text = (to / "results.md").read_text()
    assert "| told ‡ (linear probe) |" in text and "| told (linear probe) |" not in text
    assert "| supervised (linear probe) |" in text and "| told ‡ | 3 |" in text
    assert "‡ Told more than the others: its trunk learns the labels u.\n" in text
    (note,) = (note for note in result.notes if "told ‡" in note)
    assert "learnt the labels 'u' of 23 records of delta." in note
    assert "told" in result.tables.summary["arm"].to_list()  # data keep the name


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trunk": None}, "arm 'told': trunk_labels need a section \\[trunk\\]"),
        (
            {"pretrain": "simclr"},
            "arm 'told': trunk_labels are of an arm that learns from labels, objective 'simclr'",
        ),
        ({"train": False}, "arm 'told': trunk_labels are of an arm whose encoder is trained"),
        (
            {"pretrain": "", "features": "linear"},
            "arm 'told': trunk_labels are of an arm whose encoder is trained",
        ),
    ],
)
def test_trunk_labels_that_nobody_would_learn_are_refused(told_values, changes, says):
    told = {**told_values["arms"][2], **{k: v for k, v in changes.items() if k != "trunk"}}
    values = {
        **told_values,
        "trunk": changes.get("trunk", told_values["trunk"]),
        "arms": [*told_values["arms"][:2], told],
    }
    with pytest.raises(RecipeError, match=says):
        resolve_arms(BenchmarkRecipe.of(values))


def test_a_vocabulary_that_the_trunk_does_not_have_is_refused_before_anything_is_computed(
    labelled_corpus, told_values, tmp_path
):
    told = {**told_values["arms"][2], "trunk_labels": "v"}  # the tasks', not the trunk's
    with pytest.raises(CorpusError, match="labelled, got 'v'; they are in: u") as caught:
        open_setting(BenchmarkRecipe.of({**told_values, "arms": [told]}), labelled_corpus, tmp_path / "to")
    assert "in arm 'told'" in describe(caught.value)


def test_a_label_of_one_class_is_not_learnt(labelled_corpus):
    index = labelled_corpus.index
    slow = [
        r for r, codes in zip(index["record"], index["labels.u"]) if codes is not None and "slow" in codes
    ]
    found = trunk_of(labelled_corpus, slow, "u")
    assert found.names == ("fast",) and found.records == sorted(slow)
    codes_of = dict(zip(index["record"], index["labels.u"]))
    with pytest.raises(CorpusError, match="expected a label of 'u' with both classes, got slow"):
        trunk_of(labelled_corpus, [r for r in slow if "fast" not in codes_of[r]], "u")
