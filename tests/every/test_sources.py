"""Every source says what it is, refuses a folder that is not its own, and goes to worker processes."""

import pickle

import pytest

from ecgprior import lookup
from ecgprior.corpus.catalog import open_source, source_class
from ecgprior.corpus.labels import vocabulary_names
from ecgprior.corpus.sources.base import PublishedFolds
from ecgprior.errors import CorpusError

NAMES = lookup.names("corpus.sources")
every = pytest.mark.parametrize("name", NAMES)
OWN = {"folder"}  # vocabularies that a folder's own table makes


@every
def test_says_what_it_is(name):
    source = source_class(name)
    assert all((source.title, source.licence, source.layout)) and source.url is not None
    assert source.tested in ("real", "layout")
    assert set(source.vocabularies) <= set(vocabulary_names()) | OWN
    assert source.__doc__ and source.__module__.endswith(name)
    if source.folds:
        assert isinstance(source.folds, PublishedFolds)
        parts = (*source.folds.train, *source.folds.validation, *source.folds.test)
        assert len(parts) == len(set(parts))
    if source.sums:
        assert source.sums.startswith("https://") and source.sums.endswith("/SHA256SUMS.txt")
    assert source.people is None or source.people in NAMES


@every
def test_is_not_found_where_nothing_is(name, tmp_path):
    assert not source_class(name)(tmp_path).found()
    assert not source_class(name)(tmp_path / "absent").found()
    with pytest.raises(CorpusError, match="expected"):
        open_source(name, tmp_path)


@every
def test_is_pickled(name, tmp_path):
    source = source_class(name)(tmp_path)
    again = pickle.loads(pickle.dumps(source))
    assert (again.root, again.name) == (tmp_path, name)


def test_priorities_put_the_publishers_own_form_first():
    first = {name: source_class(name).priority for name in NAMES}
    assert (
        first["ptbxl"] < first["ptbxl100"] < first["challenge_ptbxl"] < first["cinc2021"] < first["cinc2020"]
    )
    assert first["code15"] < first["chagas2025"]
    assert first["folder"] == max(number for name, number in first.items() if name != "simulated")
