import pytest

from ecgprior.errors import RecipeError, UnknownName
from ecgprior.recipe import Part, read_recipe, recipe_names, to_plain


class Optimiser(Part):
    learning_rate: float = 1e-3


class Whole(Part):
    steps: int
    optimiser: Optimiser = Optimiser()
    leads: tuple[str, ...] = ("I", "II")


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(RecipeError, match=r"'step' is unknown: expected one of steps, .*Did you mean 'steps'\?"):
        Whole.check({"step": 3, "steps": 3})


def test_an_unknown_nested_key_names_the_nearest():
    with pytest.raises(RecipeError, match=r"'optimiser.learnign_rate' .*Did you mean 'learning_rate'\?"):
        Whole.check({"steps": 3, "optimiser": {"learnign_rate": 1.0}})


def test_every_fault_is_named():
    with pytest.raises(RecipeError, match=r"'steps'.*'three'.*; .*'optimizer' is unknown"):
        Whole.check({"steps": "three", "optimizer": {}})
    with pytest.raises(RecipeError, match="'steps' is missing"):
        Whole.check({})


def test_file_overrides_and_types(tmp_path):
    file = tmp_path / "r.toml"
    file.write_text("steps = 5\n[optimiser]\nlearning_rate = 0.1\n")
    values = read_recipe("pretrain", file, ["steps=7", "optimiser.learning_rate=1e-4", 'leads=["V1"]'])
    recipe = Whole.check(values)
    assert recipe.steps == 7 and recipe.optimiser.learning_rate == 1e-4
    assert to_plain(recipe)["leads"] == ["V1"]
    assert read_recipe("pretrain", file, ["name=simclr"])["name"] == "simclr"  # a bare word is a text


@pytest.mark.parametrize("override", ["steps", "=3", "steps.x=3"])
def test_a_bad_override_is_refused(tmp_path, override):
    file = tmp_path / "r.toml"
    file.write_text("steps = 5\n")
    with pytest.raises(RecipeError, match="override"):
        read_recipe("pretrain", file, [override])


def test_bad_files_and_names(tmp_path):
    with pytest.raises(RecipeError, match="is not there"):
        read_recipe("pretrain", tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="is not there; the package's own is named 'benchmark/ssl'"):
        read_recipe("benchmark", "recipes/benchmark/ssl.toml")
    (tmp_path / "bad.toml").write_text("steps = = 3")
    with pytest.raises(RecipeError, match="is not TOML"):
        read_recipe("pretrain", tmp_path / "bad.toml")
    with pytest.raises(UnknownName, match=r"Did you mean 'simclr'\?"):
        read_recipe("pretrain", "simclrr")
    assert "simclr" in recipe_names("pretrain") and recipe_names("nothing") == []


def test_a_part_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Whole(steps=1).steps = 2
