import pytest

from ecgprior import lookup
from ecgprior.encoders.base import Encoder
from ecgprior.errors import UnknownName


def test_a_room_lists_its_methods_and_nothing_else():
    found = lookup.names("encoders")
    assert "xresnet1d" in found and "transformer" in found
    assert not [name for name in found if name.startswith("_") or name == "base"]


def test_a_method_is_the_one_class_of_its_file():
    cls = lookup.method("encoders", "xresnet1d", Encoder)
    assert issubclass(cls, Encoder) and cls.__module__ == "ecgprior.encoders.xresnet1d"


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownName, match=r"encoder 'xresnet' is unknown: .*Did you mean 'xresnet1d'\?"):
        lookup.module("encoders", "xresnet")


@pytest.mark.parametrize("name", ["base", "_load", "__init__", "os", "../errors"])
def test_what_is_not_a_method_is_unknown(name):
    with pytest.raises(UnknownName):
        lookup.module("encoders", name)
