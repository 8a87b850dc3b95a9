"""The public names are what they should be: a change here is a change for everybody who uses the package."""

import inspect

import pytest

import ecgprior as ep

PUBLIC = {
    "Annotations", "Corpus", "Embedder", "LEADS", "Patient", "Record",
    "FEATURES", "benchmark", "check_leads", "complete_leads", "crop", "delineate", "detect_beats", "errors", "fit", "load",
    "measure", "prepare", "probe", "quality", "read",
    "remove_baseline", "remove_mains", "resample", "simulate", "split",
}  # fmt: skip


def test_public_names_are_these():
    assert set(ep.__all__) == PUBLIC
    assert set(dir(ep)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there_and_says_what_it_is(name):
    value = getattr(ep, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert (inspect.getdoc(value) or "").strip(), f"{name} has no docstring"
        assert value.__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ecgprior' has no attribute 'reed'"):
        ep.reed  # noqa: B018
