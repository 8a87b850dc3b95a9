"""Two gloo processes: gathered rows, their gradient, and sums equal what one process has."""

import os
import subprocess
import sys

import pytest
import torch

from ecgprior.objectives._contrast import nt_xent
from ecgprior.objectives._distributed import gather, n_processes, process, total

SCRIPT = """
import sys, torch, torch.distributed as dist
from ecgprior.objectives._contrast import nt_xent
from ecgprior.objectives._distributed import gather, total
dist.init_process_group("gloo")
rank = dist.get_rank()
a, b = torch.load(sys.argv[1])
own = slice(rank * 3, rank * 3 + 3)
first, second = a[own].clone().requires_grad_(), b[own].clone().requires_grad_()
loss = nt_xent(first, second, 0.1)
(loss / 2).backward()
whole = [gather(t.detach()) for t in (first.grad, second.grad)]
mean = total(loss) / 2
if rank == 0:
    torch.save([mean, *whole], sys.argv[2])
dist.destroy_process_group()
"""


def test_alone_there_is_nothing_to_gather():
    x = torch.ones(2, 3, requires_grad=True)
    assert gather(x) is x and (n_processes(), process()) == (1, 0)
    assert not total(x.sum()).requires_grad


@pytest.mark.slow
def test_two_processes_have_the_loss_and_gradient_of_one(tmp_path):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    torch.save([a, b], tmp_path / "in.pt")
    (tmp_path / "script.py").write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(tmp_path / "script.py"), str(tmp_path / "in.pt"), str(tmp_path / "out.pt")]
    subprocess.run(
        command, check=True, capture_output=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    mean, first_grad, second_grad = torch.load(tmp_path / "out.pt")
    a.requires_grad_()
    b.requires_grad_()
    loss = nt_xent(a, b, 0.1)
    loss.backward()
    torch.testing.assert_close(mean, loss.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(first_grad, a.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(second_grad, b.grad, rtol=1e-10, atol=1e-12)


EACH = """
import sys, torch, torch.distributed as dist
from ecgprior.objectives._distributed import gather, total
sys.path.insert(0, sys.argv[3])
from losses import LOSSES
dist.init_process_group("gloo")
rank = dist.get_rank()
a, b, patient = torch.load(sys.argv[1])
own = slice(rank * 3, rank * 3 + 3)
found = {}
for name, loss in LOSSES.items():
    first, second = a[own].clone().requires_grad_(), b[own].clone().requires_grad_()
    value = loss(first, second, patient[own])
    (value / 2).backward()
    found[name] = [total(value) / 2, *(gather(t.grad) for t in (first, second))]
if rank == 0:
    torch.save(found, sys.argv[2])
dist.destroy_process_group()
"""

LOSSES = """
import torch
from ecgprior.objectives._contrast import same_patient, sup_con
from ecgprior.objectives._distributed import gather
from ecgprior.objectives.barlow_twins import barlow
from ecgprior.objectives.vicreg import vicreg

LOSSES = {
    "sup_con": lambda a, b, who: sup_con(a, b, who[:, None] == gather(who), 0.1),
    "same_patient": lambda a, b, who: same_patient(a, b, who, 0.1),
    "vicreg": lambda a, b, who: sum(vicreg(a, b)),
    "barlow": lambda a, b, who: sum(barlow(a, b)),
}
"""


@pytest.mark.slow
def test_every_shared_loss_is_the_same_in_two_processes(tmp_path):
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    patient = torch.tensor([0, 1, 0, 1, 1, 2])  # more pairs in one process than in the other
    torch.save([a, b, patient], tmp_path / "in.pt")
    (tmp_path / "script.py").write_text(EACH)
    (tmp_path / "losses.py").write_text(LOSSES)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, *(str(tmp_path / name) for name in ("script.py", "in.pt", "out.pt")), str(tmp_path)]
    subprocess.run(
        command, check=True, capture_output=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    found, here = torch.load(tmp_path / "out.pt"), {}
    exec(LOSSES, here)
    for name, loss in here["LOSSES"].items():
        first, second = a.clone().requires_grad_(), b.clone().requires_grad_()
        value = loss(first, second, patient)
        value.backward()
        for two, one in zip(found[name], (value.detach(), first.grad, second.grad)):
            torch.testing.assert_close(two, one, rtol=1e-10, atol=1e-12)
