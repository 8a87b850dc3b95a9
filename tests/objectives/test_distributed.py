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
    subprocess.run(command, check=True, capture_output=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"})
    mean, first_grad, second_grad = torch.load(tmp_path / "out.pt")
    a.requires_grad_()
    b.requires_grad_()
    loss = nt_xent(a, b, 0.1)
    loss.backward()
    torch.testing.assert_close(mean, loss.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(first_grad, a.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(second_grad, b.grad, rtol=1e-10, atol=1e-12)
