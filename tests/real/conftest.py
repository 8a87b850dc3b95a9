"""Real recordings are not part of the project: tests here run where the folder is, and say so when they skip."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings: ``ECGPRIOR_DATA``, else ``../shared/data`` beside the repository."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("ECGPRIOR_DATA", beside))
    if not (folder / "README.md").is_file():
        pytest.skip(f"real recordings are not at {folder}: set ECGPRIOR_DATA to run this test")
    return folder
