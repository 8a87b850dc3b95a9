import pytest
import torch

from ecgprior.errors import RecipeError
from ecgprior.training.processes import processes


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes("cpu") as here:
        assert (here.number, here.count, here.first) == (0, 1, True)
        assert here.share(0.1) == 0.1
        here.wait()
        assert not torch.distributed.is_initialized()


def test_torchrun_is_joined_and_left(monkeypatch):
    for key, value in {"WORLD_SIZE": 2, "RANK": 0, "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(key, str(value))
    joined = []
    monkeypatch.setattr(torch.distributed, "init_process_group", joined.append)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: joined.append("left"))
    with processes("cpu") as here:
        assert (here.number, here.count, here.first) == (1, 2, False)
    assert joined == ["gloo", "left"]


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_here_is_said(device):
    said = f"device: expected one that PyTorch has here, got '{device}'"
    with pytest.raises(RecipeError, match=said), processes(device):
        pass
