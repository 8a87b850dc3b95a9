"""The folder is the registry: a method is the file that bears its name."""

from __future__ import annotations

import importlib
from importlib import resources
from types import ModuleType

from .errors import unknown_name


def names(room: str) -> list[str]:
    """Every method of a room: its files, less ``base`` and those that begin with ``_``.

    Parameters
    ----------
    room : str
        A folder of the package, dotted below ``ecgprior``: ``"encoders"``, ``"corpus.sources"``.
    """
    folder = resources.files("ecgprior").joinpath(*room.split("."))
    stems = (entry.name.removesuffix(".py") for entry in folder.iterdir() if entry.name.endswith(".py"))
    return sorted(stem for stem in stems if not stem.startswith("_") and stem != "base")


def module(room: str, name: str) -> ModuleType:
    """Import the one file of a room that is asked for.

    Raises
    ------
    UnknownName
        No file of the room bears the name.
    """
    if name not in (known := names(room)):
        what = room.rsplit(".", 1)[-1].removesuffix("s").replace("_", " ")
        raise unknown_name(what, name, known)
    return importlib.import_module(f"ecgprior.{room}.{name}")


def method(room: str, name: str, base: type) -> type:
    """The one class in file `name` of `room` that derives from `base` and is defined there.

    Raises
    ------
    UnknownName
        No file of the room bears the name.
    TypeError
        The file does not define exactly one such class (a mistake in that file).
    """
    mod = module(room, name)
    found = [
        value
        for value in vars(mod).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == mod.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{mod.__name__} must define exactly one {base.__name__}, found {len(found)}")
    return found[0]
