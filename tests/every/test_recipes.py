"""Every recipe of the package loads, is checked, and names its own kind."""

import pytest

from ecgprior import lookup
from ecgprior.errors import RecipeError
from ecgprior.physiology.network import WaveNetwork
from ecgprior.recipe import read_recipe, recipe_names, to_plain
from ecgprior.training.plan import PretrainRecipe

DELINEATE = [f"delineate/{name}" for name in recipe_names("delineate")]
PRETRAIN = recipe_names("pretrain") + DELINEATE


@pytest.mark.parametrize("name", PRETRAIN)
def test_a_pretrain_recipe_loads_and_builds(name):
    plan = PretrainRecipe.read(name)
    assert PretrainRecipe.of(to_plain(plan)) == plan
    assert plan.objective["name"] in lookup.names("objectives")
    assert plan.encoder["name"] in lookup.names("encoders")


@pytest.mark.parametrize("name", PRETRAIN)
def test_an_unknown_key_is_refused_with_the_nearest_name(name):
    with pytest.raises(RecipeError, match="Did you mean 'steps'"):
        PretrainRecipe.read(name, ["step=1"])


@pytest.mark.parametrize("name", DELINEATE)
def test_a_recipe_of_a_folder_of_its_own_is_for_that_objective(name):
    assert PretrainRecipe.read(name).objective["name"] == "delineate"


@pytest.mark.parametrize(("key", "name"), [("init_recipe", "ludb"), ("recipe", "ludb-fast")])
def test_the_shipped_network_says_both_stages_of_its_training(key, name):
    said, plain = WaveNetwork().metadata["provenance"][key], to_plain(PretrainRecipe.read(f"delineate/{name}"))
    assert said == {part: plain[part] for part in said}


@pytest.mark.parametrize("kind", ["pretrain", "delineate", "benchmark"])
def test_each_begins_with_what_it_is_for(kind):
    from importlib import resources

    for name in recipe_names(kind):
        text = resources.files("ecgprior").joinpath("recipes", kind, f"{name}.toml").read_text(encoding="utf-8")
        assert text.startswith("# "), name
        assert read_recipe(kind, name)
