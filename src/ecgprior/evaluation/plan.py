"""The benchmark recipe: which arms answer which tasks, over which seeds and folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from .. import lookup
from ..errors import RecipeError, where
from ..objectives.base import Objective
from ..provenance import digest_json
from ..recipe import Part, read_recipe
from ..training.plan import PretrainRecipe
from .changed import Change
from .feature_arms import FeatureReadout, settings_of
from .finetune import FinetunePlan
from .tasks import Task, check_names

REFERENCE = "random-init"
"""The arm that is always there: the same encoder, never trained."""


class Arm(Part):
    """One way of getting an encoder, or the measured features in its place.

    Attributes
    ----------
    name : str
        Also the beginning of its cells' file names.
    pretrain : str
        A pre-training recipe: its encoder and preprocessing and, unless ``train`` is false, its training. Empty for an
        arm on measured features.
    train : bool
        False = the encoder as it is initialised from the seed.
    set : dict
        Values put over the pre-training recipe's, as nested tables.
    control : bool
        Something to compare with, not a method: a report's headline is never about it. ``random-init`` is one.
    seeds : tuple of int
        Of the recipe's, those that are computed; empty = all. One is enough for an arm that lost clearly in a screening.
    features : "linear", "trees" or None
        No encoder: the corpus' measured features, read out by a linear probe or by gradient-boosted trees.
    trunk_labels : str
        Of an arm that learns from labels: the vocabulary that its trunk learns, on those records of the trunk's sources
        that are labelled in it; ``simulated`` is the simulator's truth. With a new head its encoder then goes on with the
        tasks' labels. Empty = such an arm has no trunk. Tables mark it: it is told what other arms are not.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    pretrain: str = ""
    train: bool = True
    set: dict[str, Any] = {}
    control: bool = False
    seeds: tuple[int, ...] = ()
    features: FeatureReadout | None = None
    trunk_labels: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Arm:
        if bool(self.pretrain) == (self.features is not None):
            got = f"both, '{self.pretrain}' and '{self.features}'" if self.pretrain else "neither"
            raise ValueError(f"arm '{self.name}': expected pretrain or features, got {got}")
        if self.features is not None and (self.set or not self.train):
            raise ValueError(
                f"arm '{self.name}': set and train are of arms with an encoder, this one has features"
            )
        if self.trunk_labels and (self.features is not None or not self.train):
            raise ValueError(f"arm '{self.name}': trunk_labels are of an arm whose encoder is trained")
        return self


class SplitPlan(Part):
    """How each source's records are parted.

    Attributes
    ----------
    kind : "cv" or "parts"
        ``cv``: patient-wise folds for each source, stratified by that source's labels; a fold is test, the next
        one validation, the others train. ``parts``: one train / validation / test split – the publisher's folds
        where the source has them, else patient-wise and seeded.
    folds : int
        Number of folds of ``cv``.
    only : tuple of int
        Compute these test folds only; empty = all.
    seed : int
        Of the split, not of the training.
    """

    kind: Literal["cv", "parts"] = "cv"
    folds: int = Field(5, ge=3, le=50)
    only: tuple[int, ...] = ()
    seed: int = 0

    @model_validator(mode="after")
    def _there(self) -> SplitPlan:
        if any(not 0 <= k < self.n_cells for k in self.only):
            raise ValueError(f"split.only: expected folds 0 to {self.n_cells - 1}, got {list(self.only)}")
        return self

    @property
    def n_cells(self) -> int:
        """Cells an arm and seed, were all folds computed."""
        return self.folds if self.kind == "cv" else 1

    @property
    def tests(self) -> tuple[int, ...]:
        """The test folds that are computed."""
        return self.only or tuple(range(self.n_cells))


class TrunkPlan(Part):
    """Pre-training in two parts: a trunk that all folds share, and a continuation in each.

    Untrained arms have no trunk, nor have arms that learn from labels, unless they say which labels it learns.

    Attributes
    ----------
    sources : tuple of str
        What the trunk is trained on; no task may ask them.
    share : float
        Of an arm's steps; 1 = nothing is learnt from the tasks' sources before the probe.
    lr : float
        Peak learning rate of the continuation, as a share of the recipe's.
    """

    sources: tuple[str, ...] = Field(min_length=1)
    share: float = Field(0.7, gt=0, le=1)
    lr: float = Field(0.5, gt=0, le=1)


class BenchmarkRecipe(Part):
    """What ``recipes/benchmark/<name>.toml`` holds.

    Attributes
    ----------
    title : str
    notes : tuple of str
        What a reader must know of the figures, in sentences: they come first among the result's notes.
    seeds : tuple of int
        Of initial weights and training.
    split : SplitPlan
    tasks : tuple of Task
    arms : tuple of Arm
        When none is called ``random-init``, one with the encoder of the first arm that has one is put in front.
    against : str
        The arm whose probe all others are compared with, paired.
    primary : (str, str) or None
        The default arm and the rival it is judged against: the one contrast named beforehand. The default arm is compared
        with every other arm too, adjusted for their number; None = neither.
    pretrain : dict
        Values put over every arm's pre-training recipe, before the arm's own ``set``.
    unlabelled_sources : tuple of str
        Always in the training part of pre-training; those the corpus does not hold are listed in the result.
    trunk : TrunkPlan or None
        None = each fold's pre-training begins anew.
    readouts : tuple of "probe", "knn", "stacked", "finetune"
        Ways of reading an encoder out, see :mod:`.readouts`; the probe is always one. ``stacked`` needs the corpus' table
        ``features``.
    finetune : FinetunePlan
        Of the readout ``finetune``.
    fractions : tuple of float
        Shares of the training labels on which the probe is fitted too, each `draws` times.
    draws : int
    changed : tuple of Change
        Ways in which the test records are changed before the same probe reads them.
    retrieval : bool
        Whether records near in the embedding are physiologically similar; needs the table ``features``.
    also_without : tuple of str
        Tasks; the mean over tasks is also given without each of them.
    replicates : int
        Of the hierarchical bootstrap.
    level : float
        Of the intervals.
    """

    title: str = "Benchmark"
    notes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    split: SplitPlan = SplitPlan.model_validate({})
    tasks: tuple[Task, ...] = Field(min_length=1)
    arms: tuple[Arm, ...] = Field(min_length=1)
    against: str = REFERENCE
    primary: tuple[str, str] | None = None
    pretrain: dict[str, Any] = {}
    unlabelled_sources: tuple[str, ...] = ()
    trunk: TrunkPlan | None = None
    readouts: tuple[Literal["probe", "knn", "stacked", "finetune"], ...] = ("probe",)
    finetune: FinetunePlan = FinetunePlan.model_validate({})
    fractions: tuple[float, ...] = ()
    draws: int = Field(20, ge=1)
    changed: tuple[Change, ...] = ()
    retrieval: bool = False
    also_without: tuple[str, ...] = ()
    replicates: int = Field(1000, ge=10)
    level: float = Field(0.95, gt=0, lt=1)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> BenchmarkRecipe:
        """A checked recipe with ``random-init`` among its arms.

        Raises
        ------
        RecipeError
            An unknown key, an impossible value, or a name that stands twice.
        """
        recipe = cls.check(dict(values))
        check_names(recipe.tasks)
        if REFERENCE not in (names := [arm.name for arm in recipe.arms]):
            encoders = [arm for arm in recipe.arms if arm.features is None]
            if not encoders:
                raise RecipeError("recipe key 'arms': expected at least one with pretrain, got features only")
            first = encoders[0].model_copy(
                update={"name": REFERENCE, "train": False, "seeds": (), "trunk_labels": ""}
            )
            recipe = recipe.model_copy(update={"arms": (first, *recipe.arms)})
        once: dict[str, list[str]] = {
            "arms": names,
            "seeds": [str(s) for s in recipe.seeds],
            "split.only": [str(k) for k in recipe.split.only],
            "readouts": list(recipe.readouts),
            "fractions": [f"{f:g}" for f in recipe.fractions],
            "changed": [change.name for change in recipe.changed],
        }
        for what, found in once.items():
            if twice := sorted({n for n in found if found.count(n) > 1}):
                raise RecipeError(f"recipe key '{what}': expected each once, got '{twice[0]}' twice")
        if recipe.against not in {arm.name for arm in recipe.arms}:
            raise RecipeError(f"recipe key 'against': '{recipe.against}' is not an arm of this recipe")
        for name in recipe.primary or ():
            if name not in names and name != REFERENCE:
                raise RecipeError(f"recipe key 'primary': '{name}' is not an arm of this recipe")
        if recipe.primary is not None and recipe.primary[0] == recipe.primary[1]:
            raise RecipeError(f"recipe key 'primary': expected two arms, got '{recipe.primary[0]}' twice")
        if outside := [f for f in recipe.fractions if not 0 < f < 1]:
            raise RecipeError(f"recipe key 'fractions': expected shares between 0 and 1, got {outside[0]:g}")
        if "probe" not in recipe.readouts:
            raise RecipeError(
                f"recipe key 'readouts': expected probe among them, got {', '.join(recipe.readouts)}"
            )
        if not recipe.seeds:
            raise RecipeError("recipe key 'seeds': expected at least one")
        for arm in recipe.arms:
            if other := sorted(set(arm.seeds) - set(recipe.seeds)):
                raise RecipeError(
                    f"arm '{arm.name}': seed {other[0]} is not among the recipe's {list(recipe.seeds)}"
                )
            if arm.trunk_labels and recipe.trunk is None:
                raise RecipeError(
                    f"arm '{arm.name}': trunk_labels need a section [trunk], this recipe has none"
                )
        _comparable(recipe)
        if unknown := set(recipe.also_without) - {task.name for task in recipe.tasks}:
            raise RecipeError(f"recipe key 'also_without': '{min(unknown)}' is not a task of this recipe")
        return recipe

    @classmethod
    def read(cls, recipe: str | Path, overrides: list[str] | None = None) -> BenchmarkRecipe:
        """From a file, or the name of one in the package, with ``key=value`` on top."""
        return cls.of(read_recipe("benchmark", recipe, overrides))


def _comparable(recipe: BenchmarkRecipe) -> None:
    """Refuse comparisons that no table could hold: what is compared is a probe, over seeds in common."""
    arms = {arm.name: arm for arm in recipe.arms}
    for key, name in (
        ("against", recipe.against),
        *(("primary", name) for name in (recipe.primary or ())[:1]),
    ):
        if arms[name].features == "trees":
            raise RecipeError(
                f"recipe key '{key}': expected an arm with a probe, got '{name}', which is read out by trees"
            )
    if recipe.primary is not None:
        one, other = (arms[name].seeds or recipe.seeds for name in recipe.primary)
        if not set(one) & set(other):
            said = f"'{recipe.primary[0]}' with {list(one)} and '{recipe.primary[1]}' with {list(other)}"
            raise RecipeError(f"recipe key 'primary': expected two arms with a seed in common, got {said}")


@dataclass(frozen=True)
class ResolvedArm:
    """An arm with its pre-training recipe looked up.

    Attributes
    ----------
    arm : Arm
    values : dict
        The pre-training recipe as written, with everything that is put over it, less the seed: what a cell's
        key is made of, so that a default added to the package later does not make finished cells void. Of an arm on
        measured features the settings of its readout.
    """

    arm: Arm
    values: dict[str, Any]

    @property
    def name(self) -> str:
        return self.arm.name

    def recipe(self, seed: int) -> PretrainRecipe:
        """The checked pre-training recipe for one seed."""
        with where(f"arm '{self.name}'"):
            return PretrainRecipe.of({**self.values, "seed": seed})

    @property
    def digest(self) -> str:
        """SHA-256 of everything about the arm that its results depend on."""
        if self.arm.features is not None:
            return digest_json({"name": self.name, "features": self.arm.features, "settings": self.values})
        more = {"trunk_labels": self.arm.trunk_labels} if self.arm.trunk_labels else {}
        return digest_json({"name": self.name, "train": self.arm.train, "pretrain": self.values, **more})

    @property
    def learns_labels(self) -> bool:
        """Whether its objective is taught labels."""
        if self.arm.features is not None:
            return False
        kind: Any = lookup.method("objectives", self.recipe(0).objective["name"], Objective)
        return "labels" in kind.needs


def resolve_arms(recipe: BenchmarkRecipe) -> tuple[ResolvedArm, ...]:
    """Look up and check every arm's pre-training recipe.

    Raises
    ------
    UnknownName, RecipeError
        With the arm's name as a note.
    """
    found = []
    for arm in recipe.arms:
        if arm.features is not None:
            found.append(ResolvedArm(arm, settings_of(arm.features)))
            continue
        with where(f"arm '{arm.name}'"):
            values = merged(merged(read_recipe("pretrain", arm.pretrain), recipe.pretrain), arm.set)
        values.pop("seed", None)
        resolved = ResolvedArm(arm, values)
        checked = resolved.recipe(0)
        if arm.trunk_labels and not resolved.learns_labels:
            raise RecipeError(
                f"arm '{arm.name}': trunk_labels are of an arm that learns from labels, "
                f"objective '{checked.objective['name']}' does not"
            )
        if "finetune" in recipe.readouts:
            with where("section 'finetune'"):
                recipe.finetune.over(checked)
        found.append(resolved)
    return tuple(found)


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables put over one another; a section that names another method starts anew.

    >>> merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 5}})
    {'a': {'b': 1, 'c': 5}, 'd': 3}
    >>> merged({"a": {"name": "x", "c": 2}}, {"a": {"name": "y"}})
    {'a': {'name': 'y'}}
    """
    result = dict(values)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _same_method(old, value):
            value = merged(old, value)
        result[key] = value
    return result


def _same_method(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return new.get("name", old.get("name")) == old.get("name")


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf of nested JSON values by its dotted key; list items with a name go by it.

    >>> flat({"a": {"b": 1}, "arms": [{"name": "x", "train": True}], "seeds": [0, 1]})
    {'a.b': 1, 'arms.x.name': 'x', 'arms.x.train': True, 'seeds': [0, 1]}
    """
    if isinstance(values, Mapping) and values:
        pairs = [(str(key), value) for key, value in values.items()]
    elif isinstance(values, list) and values and all(isinstance(v, Mapping) for v in values):
        pairs = [(str(v.get("name", i)), v) for i, v in enumerate(values)]
    else:
        return {prefix: values}
    leaves: dict[str, Any] = {}
    for key, value in pairs:
        leaves |= flat(value, f"{prefix}.{key}" if prefix else key)
    return leaves
