"""Recipes: TOML in, checked values out. An unknown key is an error that names the nearest one."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import RecipeError, nearest, unknown_name


class Part(BaseModel):
    """Base of a recipe, of a section of it, and of every method's ``Config``: frozen, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def check(cls, values: dict[str, Any]) -> Self:
        """Build from a dict.

        Raises
        ------
        RecipeError
            One line a fault: key, what is wrong and, for an unknown key, the nearest known one.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError("; ".join(_sentence(cls, fault) for fault in error.errors())) from None


def _sentence(model: type[BaseModel], fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        owner: Any = model
        for part in fault["loc"][:-1]:
            field = getattr(owner, "model_fields", {}).get(part)
            owner = getattr(field, "annotation", None)
        known = list(getattr(owner, "model_fields", {}))
        listed = f": expected one of {', '.join(known)}" if known else ""
        return f"recipe key '{key}' is unknown{listed}.{nearest(str(fault['loc'][-1]), known)}"
    if fault["type"] == "missing":
        return f"recipe key '{key}' is missing"
    return f"recipe key '{key}': {fault['msg']}, got {fault['input']!r}"


def recipe_names(kind: str) -> list[str]:
    """The recipes in the package of one kind: ``"pretrain"``, ``"benchmark"``, …"""
    folder = resources.files("ecgprior").joinpath("recipes", kind)
    if not folder.is_dir():
        return []
    return sorted(e.name.removesuffix(".toml") for e in folder.iterdir() if e.name.endswith(".toml"))


def read_recipe(kind: str, recipe: str | Path, overrides: list[str] | None = None) -> dict[str, Any]:
    """The values of a recipe: a TOML file, or the name of one in the package, then ``key=value`` on top.

    Parameters
    ----------
    kind : str
        Folder under ``recipes/`` in which a bare name is looked up.
    recipe : str or Path
        A path that ends in ``.toml``, or a name; ``"delineate/ludb"`` is in the folder ``delineate`` instead.
    overrides : list of str
        ``"steps=100"``, ``"encoder.size=18"``: a dotted key and a TOML value (a bare word is a text).

    Raises
    ------
    UnknownName
        Neither a file nor the name of a recipe in the package.
    RecipeError
        Not TOML, or an override without ``=``.
    """
    path = Path(recipe)
    if path.suffix == ".toml":
        if not path.is_file():
            folder = path.parent.name or kind
            ours = f"; the package's own is named '{folder}/{path.stem}'" if path.stem in recipe_names(folder) else ""
            raise RecipeError(f"recipe file '{path}' is not there{ours}")
        text = path.read_text(encoding="utf-8")
    elif str(recipe) in recipe_names(kind):
        text = resources.files("ecgprior").joinpath("recipes", kind, f"{recipe}.toml").read_text(encoding="utf-8")
    elif len(path.parts) == 2 and path.parts[1] in recipe_names(path.parts[0]):  # of another folder
        text = resources.files("ecgprior").joinpath("recipes", path.parts[0], f"{path.parts[1]}.toml").read_text("utf-8")
    else:
        raise unknown_name(f"{kind} recipe", str(recipe), recipe_names(kind))
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe '{recipe}' is not TOML: {error}") from None
    for override in overrides or []:
        _apply(values, override)
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"override '{override}': expected key=value")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *path, last = key.strip().split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise RecipeError(f"override '{override}': '{part}' is a value, not a section")
    values[last] = value


def to_plain(part: BaseModel) -> dict[str, Any]:
    """A recipe as JSON values (tuples become lists), for manifests and checkpoints."""
    return json.loads(part.model_dump_json())
