"""Work in this process, in spawned ones, and on a Dask cluster."""

import math
import os
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from ecgprior.errors import BadUnit, JobsStopped
from ecgprior.jobs import cores, dask_executor, run_jobs
from ecgprior.units import mv_per


def test_one_worker_stays_here_and_keeps_the_order():
    here = os.getpid()
    assert list(run_jobs(lambda item: (item, os.getpid()), "abc", workers=1)) == [
        (0, ("a", here)),
        (1, ("b", here)),
        (2, ("c", here)),
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_our_errors_are_results_and_do_not_end_the_others(workers):
    results = dict(run_jobs(mv_per, ["V", "furlong", "uV"], workers=workers))
    assert results[0] == 1000 and results[2] == 1e-3
    assert isinstance(results[1], BadUnit) and "furlong" in str(results[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_other_errors_are_raised(workers):
    with pytest.raises(ValueError):
        list(run_jobs(math.sqrt, [1.0, -1.0, 4.0], workers=workers))


def test_spawned_processes_give_every_result_once():
    assert sorted(run_jobs(math.factorial, list(range(20)), workers=2)) == [
        (i, math.factorial(i)) for i in range(20)
    ]


def test_a_worker_that_dies_is_named_as_such():
    with pytest.raises(JobsStopped, match="worker process died"):
        list(run_jobs(os._exit, [3, 3], workers=2))


def test_progress_counts_and_describes():
    seen = []
    run = run_jobs(
        len, ["a", "bb"], workers=1, progress=lambda *a: seen.append(a), describe=lambda n: f"{n} letters"
    )
    assert dict(run) == {0: 1, 1: 2}
    assert seen == [(1, 2, "1 letters"), (2, 2, "2 letters")]
    seen.clear()
    list(run_jobs(len, iter(["a"]), workers=1, progress=lambda *a: seen.append(a)))
    assert seen == [(1, -1, "")]


class Lazy(Executor):
    """Works on what it was given only when somebody waits, so that everything in flight can be counted."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(1)

    def submit(self, function, /, *args, **kwargs) -> Future:
        return self.pool.submit(function, *args, **kwargs)


def test_what_is_in_flight_is_bounded():
    taken = given = 0
    most = 0

    def items():
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    executor = Lazy()
    for _ in run_jobs(abs, items(), executor=executor, workers=3):
        given += 1
        most = max(most, taken - given)
    executor.pool.shutdown()
    assert given == 100 and most <= 6


def test_an_executor_of_others_is_left_open():
    with ThreadPoolExecutor(2) as executor:
        assert sorted(run_jobs(abs, [-1, -2], executor=executor)) == [(0, 1), (1, 2)]
        assert executor.submit(abs, -3).result() == 3


def test_leaving_early_ends_the_pool():
    run = run_jobs(abs, iter(range(1000)), workers=2)
    next(run)
    run.close()


def test_impossible_numbers_of_workers():
    assert cores() >= 1
    with pytest.raises(JobsStopped, match="at least 1, got 0"):
        list(run_jobs(abs, [1], workers=0))
    assert list(run_jobs(abs, [], workers=2)) == []


def test_a_dask_cluster_is_an_executor():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
        ) as cluster,
        dask_executor(cluster.scheduler_address) as executor,
    ):
        results = dict(run_jobs(mv_per, ["V", "furlong", "uV"], executor=executor))
    assert results[0] == 1000 and isinstance(results[1], BadUnit)


def test_a_scheduler_that_does_not_answer():
    pytest.importorskip("distributed")
    with (
        pytest.raises(JobsStopped, match="expected a Dask scheduler to answer"),
        dask_executor("tcp://127.0.0.1:9", timeout=0.3),
    ):
        pass
