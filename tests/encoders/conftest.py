import numpy as np
import pytest
import torch

from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import save_checkpoint
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS

FS, SECONDS, LABELS = 100.0, 5.0, ("AF", "NORM", "PVC")


def write(to, encoder=None, **changes):
    """A small checkpoint with head, fingerprints and ONNX file."""
    encoder = encoder or build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, FS, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        head = torch.nn.Linear(encoder.dim, len(LABELS))
    options = {
        "seconds": SECONDS,
        "head": head,
        "labels": LABELS,
        "provenance": {"recipe": {"steps": 3}},
        "metrics": {"macro_auroc": 0.5},
        "fingerprints": np.arange(128).reshape(2, 64),
        "onnx": True,
    }
    return save_checkpoint(to, encoder, Preprocessing(fs=FS, normalise="lead"), **options | changes)


@pytest.fixture(scope="session")
def write_checkpoint():
    """The function that writes one: ``write_checkpoint(folder, **changes)``."""
    return write


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The folder of a checkpoint; tests that break one copy it first."""
    return write(tmp_path_factory.mktemp("checkpoint") / "c")


@pytest.fixture
def copied(checkpoint, tmp_path):
    import shutil

    return shutil.copytree(checkpoint, tmp_path / "copy")
