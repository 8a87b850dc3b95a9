"""The error tree is what its docstring says, and every error is also a built-in one."""

import pickle

import pytest

from ecgprior import errors

TREE = {
    "ReadError": OSError,
    "FormatUnknown": errors.ReadError,
    "FormatBroken": errors.ReadError,
    "RecordError": ValueError,
    "LeadMissing": KeyError,
    "RecordTooShort": errors.RecordError,
    "BadSamplingRate": errors.RecordError,
    "BadUnit": errors.RecordError,
    "ShapeError": ValueError,
    "UnknownName": KeyError,
    "RecipeError": ValueError,
    "CorpusError": ValueError,
    "SplitLeak": errors.CorpusError,
    "ShardBroken": errors.CorpusError,
    "ColumnMissing": KeyError,
    "CheckpointError": ValueError,
    "TrainingStopped": RuntimeError,
    "JobsStopped": RuntimeError,
    "ExtraMissing": ImportError,
}


def _defined():
    return {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.EcgpriorError) and name != "EcgpriorError"
    }


def test_the_tree_is_complete():
    assert _defined() == set(TREE)


@pytest.mark.parametrize("name", sorted(TREE))
def test_each_error(name):
    kind = getattr(errors, name)
    assert issubclass(kind, TREE[name]) and issubclass(kind, errors.EcgpriorError)
    assert name in errors.__doc__
    error = kind("lead 'x' is missing")
    assert str(error) == "lead 'x' is missing"  # a KeyError alone would print it in quotes
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # errors cross process borders


def test_places_are_added_from_inside_out():
    with pytest.raises(errors.BadUnit) as caught, errors.where("file 'a.hea'"), errors.where("lead 'II'"):
        raise errors.BadUnit("unit 'kV' is unknown")
    assert errors.describe(caught.value) == "unit 'kV' is unknown – in lead 'II' – in file 'a.hea'"


def test_foreign_errors_pass_untouched():
    with pytest.raises(ZeroDivisionError) as caught, errors.where("step 3"):
        1 / 0  # noqa: B018
    assert not getattr(caught.value, "__notes__", [])


def test_nothing_near_is_not_suggested():
    assert errors.nearest("zzzzzz", ["aVR"]) == ""
    assert "nothing" in str(errors.unknown_name("encoder", "x", []))
