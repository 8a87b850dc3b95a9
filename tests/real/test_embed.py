"""Every set of real recordings goes through a checkpoint, by PyTorch and by ONNX Runtime alike."""

import numpy as np
import pytest

from ecgprior.corpus.catalog import open_source
from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import load, save_checkpoint
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS

SETS = {
    "ptbxl": "ptb-xl",
    "ludb": "ludb",
    "brugada": "brugada-huca",
    "cinc2011": "cinc2011",
    "chagas2025": "chagas2025-code15",
    "cinc2021": "cinc2021-sample",
    "sph": "sph-sample",
    "cpsc2021": "cpsc2021-sample",
    "code15": "code15-sample",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 100, seed=0)
    plan = Preprocessing(fs=100, baseline_hz=0.5, normalise="record")
    return save_checkpoint(tmp_path_factory.mktemp("c") / "c", encoder, plan, seconds=10, onnx=True)


@pytest.mark.parametrize("name", SETS)
def test_twenty_recordings_of_each_set(name, checkpoint, real_data):
    """7.3 s to 519 s, 2 and 12 leads, 100 to 1,000 Hz, flat and saturated leads: a finite embedding of each."""
    source = open_source(name, real_data / SETS[name])
    rows = list(source.rows())
    records = [source.load(row.path) for row in rows[:: max(1, len(rows) // 20)]]
    by_torch, by_onnx = load(checkpoint).embed(records), load(checkpoint, backend="onnx").embed(records)
    assert by_torch.shape == (len(records), 128) and np.isfinite(by_torch).all()
    np.testing.assert_allclose(by_onnx, by_torch, atol=1e-4)
    assert (by_torch.std(axis=0) > 0).any()


def test_files_are_read_by_their_headers(checkpoint, real_data):
    """A half-hour Holter of which one lead of two is known, and a 12-lead recording in a .mat."""
    files = [real_data / "wfdb-python-sample" / "sample-data" / "100", real_data / "cinc2021-sample" / "A0001.hea"]
    assert np.isfinite(load(checkpoint).embed(files)).all()
