"""Cells are written whole, and claimed by one process at a time."""

import json
import subprocess
import sys

import pytest

from ecgprior.errors import CorpusError
from ecgprior.evaluation.cells import CellName, CellStore

NAME = CellName("simclr", 0, 3)


def test_round_trip(tmp_path):
    store = CellStore(tmp_path)
    assert store.read(NAME) is None
    store.write(NAME, {"format": 1, "scores": [0.5, 1e-5]})
    assert store.read(NAME) == {"format": 1, "scores": [0.5, 1e-5]}
    assert store.path(NAME).name == "simclr-s0-f3.json"
    assert len(store.path(NAME).read_text().splitlines()) == 4
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write(NAME, {"format": 1, "scores": [float("nan")]})
    assert store.read(NAME) == {"format": 1, "scores": [0.5, 1e-5]}  # the old one is still whole


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"format": 2})])
def test_broken_cells_are_refused(tmp_path, text):
    store = CellStore(tmp_path)
    store.path(NAME).write_text(text)
    with pytest.raises(CorpusError, match="cell 'simclr-s0-f3': expected .*; delete "):
        store.read(NAME)


def test_a_claim_excludes_others_and_ends_with_the_block(tmp_path):
    store = CellStore(tmp_path)
    with store.claim(NAME) as mine:
        assert mine and store.claimed(NAME)
        with store.claim(NAME) as too:
            assert not too
    assert not store.claimed(NAME)
    with store.claim(NAME) as mine:
        assert mine
        store.write(NAME, {"format": 1})
    assert not list(store.folder.glob(".*"))
    with store.claim(NAME) as mine:
        assert not mine  # finished


def test_a_claim_ends_when_its_process_is_killed(tmp_path):
    store = CellStore(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from ecgprior.evaluation.cells import CellName, CellStore\n"
        "with CellStore(pathlib.Path(sys.argv[1])).claim(CellName('simclr', 0, 3)) as mine:\n"
        "    print(mine, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline().strip() == "True"
        assert store.claimed(NAME)
        with store.claim(NAME) as mine:
            assert not mine
        process.kill()
    with store.claim(NAME) as mine:
        assert mine
