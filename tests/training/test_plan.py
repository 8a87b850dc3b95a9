import math

import pytest

from ecgprior.errors import RecipeError, UnknownName
from ecgprior.training.plan import Optimiser, PretrainRecipe


def test_every_default_is_written_out(recipe):
    plan = PretrainRecipe.of(recipe())
    assert plan.objective["temperature"] == 0.1
    assert plan.objective["augmentations"] == [{"name": "crop_resize"}, {"name": "time_out"}]
    assert plan.encoder["size"] == "0.3m" and "kernel" in plan.encoder
    assert plan.samples == 200
    assert "name" not in plan.settings("encoder")


def test_resolved_is_stable(recipe):
    from ecgprior.recipe import to_plain

    plan = PretrainRecipe.of(recipe())
    assert PretrainRecipe.of(to_plain(plan)) == plan


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"stepz": 3}, RecipeError, "'stepz' is unknown.*Did you mean 'steps'"),
        ({"steps": 0}, RecipeError, "'steps'.*greater than or equal to 1"),
        ({"optimiser": {"learning": 1}}, RecipeError, "optimiser.learning"),
        ({"optimiser": {"lr": -1}}, RecipeError, "optimiser.lr"),
        ({"preprocessing": {"fs": 100, "normalize": "lead"}}, RecipeError, "Did you mean 'normalise'"),
        ({"encoder": {"size": "1m"}}, RecipeError, "expected a name"),
        ({"encoder": {"name": "xresnet"}}, UnknownName, "Did you mean 'xresnet1d'"),
        ({"encoder": {"name": "xresnet1d", "sise": 1}}, RecipeError, "Did you mean 'size'"),
        ({"objective": {"name": "simclr", "temprature": 1}}, RecipeError, "Did you mean 'temperature'"),
        ({"batch": 9, "accumulate": 2}, RecipeError, "2 parts divide, got batch = 9"),
    ],
)
def test_wrong_recipes_name_the_key(recipe, changes, error, sentence):
    with pytest.raises(error, match=sentence):
        PretrainRecipe.of(recipe(**changes))


def test_rate_rises_then_falls_along_a_cosine():
    plan = Optimiser(lr=2.0, warmup=0.2, final=0.1)
    rates = [plan.rate(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[19] == pytest.approx(2.0)
    assert rates[60] == pytest.approx(2.0 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 40 / 80))))
    assert rates[100] == pytest.approx(0.2)
    assert rates[:20] == sorted(rates[:20]) and rates[20:] == sorted(rates[20:], reverse=True)


def test_no_warm_up():
    assert Optimiser(lr=1.0, warmup=0.0).rate(0, 5) == 1.0
