"""The ``wfdb`` package as the reference for our reader; importing it warns, which our tests would take as an error."""

import warnings

import pytest


@pytest.fixture(scope="session")
def reference():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("wfdb")
