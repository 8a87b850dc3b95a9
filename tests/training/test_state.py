import json

import pytest
import torch

from ecgprior.errors import CheckpointError
from ecgprior.training.state import load_state, optimiser_tensors, remove_state, restore_optimiser, save_state


def test_round_trip_and_only_the_last_is_kept(tmp_path):
    assert load_state(tmp_path) is None
    shared = torch.arange(6.0)
    save_state(tmp_path, 3, {"a": shared, "b": shared[::2]}, {"score": 0.1 + 0.2})
    save_state(tmp_path, 6, {"a": shared + 1, "b": shared[::2]}, {"score": None})
    step, tensors, facts = load_state(tmp_path)
    assert step == 6 and facts == {"score": None}
    assert torch.equal(tensors["a"], shared + 1) and torch.equal(tensors["b"], shared[::2])
    assert len(list(tmp_path.iterdir())) == 2
    remove_state(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_the_two_files_leaves_the_former_state(tmp_path):
    save_state(tmp_path, 3, {"a": torch.ones(2)}, {})
    before = (tmp_path / "state.json").read_text()
    save_state(tmp_path, 6, {"a": torch.zeros(2)}, {})
    (tmp_path / "state.json").write_text(before)
    with pytest.raises(CheckpointError, match="is not the file that was written"):
        load_state(tmp_path)  # the older tensors are only removed after state.json names the newer ones
    save_state(tmp_path, 3, {"a": torch.ones(2)}, {})
    (tmp_path / "state-00000006.safetensors").write_bytes(b"half")
    assert load_state(tmp_path)[0] == 3


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"step": 1})])
def test_a_broken_index_is_said_so(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(CheckpointError, match="is broken"):
        load_state(tmp_path)


def test_changed_tensors_are_refused(tmp_path):
    save_state(tmp_path, 1, {"a": torch.ones(100)}, {})
    path = next(tmp_path.glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is not the file that was written"):
        load_state(tmp_path)


def test_an_optimiser_goes_on_as_if_never_stopped(tmp_path):
    generator = torch.Generator().manual_seed(0)
    batches = torch.randn(6, 4, 3, generator=generator)

    def made():
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)
        return module, torch.optim.AdamW(module.parameters(), lr=0.1)

    def run(module, optimiser, part):
        for x in part:
            optimiser.zero_grad()
            module(x).square().sum().backward()
            optimiser.step()

    with torch.random.fork_rng():
        whole, whole_optimiser = made()
        run(whole, whole_optimiser, batches)
        first, first_optimiser = made()
        run(first, first_optimiser, batches[:3])
        second, second_optimiser = made()
    save_state(tmp_path, 3, optimiser_tensors(first_optimiser, first) | first.state_dict(), {})
    _, tensors, _ = load_state(tmp_path)
    second.load_state_dict({name: tensors[name] for name in ("weight", "bias")})
    restore_optimiser(second_optimiser, second, tensors)
    run(second, second_optimiser, batches[3:])
    assert torch.equal(whole.weight, second.weight) and torch.equal(whole.bias, second.bias)
