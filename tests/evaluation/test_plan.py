"""Benchmark recipes: what is filled in, what is refused, how arms resolve."""

import pytest

from ecgprior.errors import RecipeError, UnknownName, describe
from ecgprior.evaluation.plan import BenchmarkRecipe, flat, resolve_arms
from ecgprior.evaluation.trunk import two_parts
from ecgprior.lookup import method
from ecgprior.objectives.base import Objective
from ecgprior.recipe import recipe_names


def test_random_init_is_put_in_front(values):
    recipe = BenchmarkRecipe.of(values())
    assert [arm.name for arm in recipe.arms] == ["random-init", "supervised", "simclr"]
    assert not recipe.arms[0].train and recipe.arms[0].pretrain == recipe.arms[1].pretrain
    own = [{"name": "random-init", "pretrain": "simclr", "train": False}]
    assert [arm.name for arm in BenchmarkRecipe.of(values(arms=own)).arms] == ["random-init"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 1}, "recipe key 'seed' is unknown.*Did you mean 'seeds'"),
        ({"seeds": [0, 0]}, "'seeds': expected each once, got '0' twice"),
        ({"seeds": []}, "'seeds': expected at least one"),
        ({"tasks": []}, "tasks"),
        ({"also_without": ["third"]}, "'third' is not a task"),
        ({"split": {"kind": "cv", "folds": 2}}, "split.folds"),
        ({"split": {"only": [7]}}, "expected folds 0 to 4"),
        ({"arms": [{"name": "A b", "pretrain": "simclr"}]}, "name"),
        ({"arms": [{"name": "a", "pretrain": "simclr"}] * 2}, "'arms': expected each once, got 'a' twice"),
    ],
)
def test_refusals(values, changes, says):
    with pytest.raises(RecipeError, match=says):
        BenchmarkRecipe.of(values(**changes))


def test_values_are_put_over_the_arms_recipes(values):
    arms = [{**values()["arms"][1], "set": {"objective": {"temperature": 0.5}, "steps": 9}}]
    found = resolve_arms(BenchmarkRecipe.of(values(arms=arms, pretrain={"steps": 5, "batch": 4})))
    assert [(arm.recipe(3).seed, arm.recipe(3).steps, arm.recipe(3).batch) for arm in found] == [
        (3, 9, 4)
    ] * 2
    assert found[1].recipe(0).objective["temperature"] == 0.5
    assert found[0].digest != found[1].digest


def test_an_arm_that_cannot_be_resolved_is_named(values):
    for change, error in (({"pretrain": "simclear"}, UnknownName), ({"set": {"stepz": 1}}, RecipeError)):
        arms = [{**values()["arms"][1], **change}]
        with pytest.raises(error) as caught:
            resolve_arms(BenchmarkRecipe.of(values(arms=arms)))
        assert "in arm 'random-init'" in describe(caught.value)


def test_differences_are_taken_from_an_arm_that_is_there(values):
    assert BenchmarkRecipe.of(values()).against == "random-init"
    with pytest.raises(RecipeError, match="'against': 'nobody' is not an arm"):
        BenchmarkRecipe.of(values(against="nobody"))


def test_flat_names_every_leaf(values):
    leaves = flat(values())
    assert leaves["tasks.second.groups.any"] == ["slow", "fast"]
    assert leaves["split.folds"] == 3 and leaves["arms.simclr.name"] == "simclr"


@pytest.mark.parametrize("name", recipe_names("benchmark"))
def test_recipes_of_the_package_resolve(name):
    recipe = BenchmarkRecipe.read(name, ["pretrain.steps=7"])
    encoders = [arm for arm in resolve_arms(recipe) if arm.arm.features is None]
    assert {arm.recipe(0).steps for arm in encoders if "steps" not in arm.arm.set} == {7}
    assert "random-init" in {arm.name for arm in recipe.arms}


def test_supervised_training_that_is_told_the_simulators_truth_has_the_budget_of_the_others():
    recipe = BenchmarkRecipe.read("ssl-screen")
    arms = {arm.name: arm for arm in resolve_arms(recipe)}
    assert [arm.name for arm in recipe.arms if arm.trunk_labels] == ["supervised-simulated"]
    told = arms["supervised-simulated"]
    assert told.arm.trunk_labels == "simulated" and "simulated" in recipe.trunk.sources

    def passes(arm):
        plan = arm.recipe(0)
        return plan.steps * plan.batch * method("objectives", plan.objective["name"], Objective).passes

    assert passes(told) == passes(arms["simclr"]) == 128_000
    first, then = two_parts(recipe.trunk, told.recipe(0))
    assert (first.steps, then.steps, then.patience) == (1400, 600, 0)
    assert then.validate_every and told.recipe(0).encoder == arms["simclr"].recipe(0).encoder


def test_the_panel_is_the_one_agreed():
    recipe = BenchmarkRecipe.read("panel")
    assert recipe.seeds == (0, 1, 2) and recipe.split.folds == 5 and recipe.split.kind == "cv"
    assert recipe.also_without == ("cinc2011",)
    assert {task.name: len(task.labels) for task in recipe.tasks} == {
        "ptbxl": 5, "brugada": 1, "cinc2011": 1, "ludb": 5
    }  # fmt: skip
    assert {task.min_positives for task in recipe.tasks} == {8}
