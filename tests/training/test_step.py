import torch

from ecgprior.training.plan import Optimiser
from ecgprior.training.step import _Ahead, _mixed, adamw


def test_biases_and_norms_do_not_decay():
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    module[2].weight.requires_grad_(False)
    decayed, plain = adamw(module, Optimiser(weight_decay=0.3)).param_groups
    assert [p.shape for p in decayed["params"]] == [module[0].weight.shape] and decayed["weight_decay"] == 0.3
    assert len(plain["params"]) == 4 and plain["weight_decay"] == 0.0


def test_loading_ahead_gives_the_same_batches_in_order():
    made = []

    def make(step):
        made.append(step)
        return [step]

    ahead = _Ahead(make, 6, 2)
    assert [ahead.get(step)[0] for step in range(2, 6)] == [2, 3, 4, 5]
    ahead.close()
    assert sorted(made) == [2, 3, 4, 5]


def test_seeds_of_steps_differ():
    assert len({_mixed(seed, step, process) for seed in range(3) for step in range(50) for process in range(2)}) == 300
