"""A checkpoint without PyTorch: in a process in which importing torch fails."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from ecgprior.encoders._load import load
from ecgprior.errors import CheckpointError

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, Blocker())
import ecgprior as ep
"""


def run(code, *arguments):
    command = [sys.executable, "-W", "error", "-c", BLOCKED + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_embeds_and_predicts_without_torch(checkpoint, tmp_path):
    signal = np.random.default_rng(0).normal(0, 0.3, (3, 12, 800)).astype(np.float32)
    np.save(tmp_path / "x.npy", signal)
    done = run(
        """
        import numpy as np
        c = ep.load(sys.argv[1])
        x = np.load(sys.argv[2] + "/x.npy")
        np.save(sys.argv[2] + "/embedding.npy", c.embed(x, fs=100))
        np.save(sys.argv[2] + "/chance.npy", c.predict(x, fs=100))
        assert c.encoder is None and c.head is None and "torch" not in sys.modules
        """,
        checkpoint,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with_torch = load(checkpoint)
    np.testing.assert_allclose(np.load(tmp_path / "embedding.npy"), with_torch.embed(signal, fs=100), atol=1e-4)
    np.testing.assert_allclose(np.load(tmp_path / "chance.npy"), with_torch.predict(signal, fs=100), atol=1e-4)


def test_without_onnx_file_it_says_what_to_install(tmp_path, write_checkpoint):
    path = write_checkpoint(tmp_path / "c", onnx=False)
    done = run("ep.load(sys.argv[1])", path)
    assert done.returncode == 1
    assert "has no model.onnx: running it needs the package 'torch': pip install 'ecgprior[train]'" in done.stderr
    with pytest.raises(CheckpointError, match=r"model\.onnx is missing"):
        load(path, backend="onnx")
