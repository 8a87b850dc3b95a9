"""Many independent pieces of work: in this process, in local processes, or on any ``concurrent.futures`` executor.

The number of pieces in flight is bounded, so neither items nor results pile up in memory. Local processes are
started by ``spawn`` (a fork copies the locks of threads that do not exist in the child) and end by themselves when
the process that started them dies, even by SIGKILL. A script that uses them needs the usual
``if __name__ == "__main__":`` around its calls.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from .errors import EcgpriorError, ExtraMissing, JobsStopped

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, text)``; `total` is -1 while it is not known."""


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def local_processes(count: int) -> ProcessPoolExecutor:
    """A pool of `count` processes, started by ``spawn``, that end when this process ends, however it ends."""
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_end_with_parent)


def run_jobs(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    describe: Callable[[R], str] | None = None,
) -> Iterator[tuple[int, R | EcgpriorError]]:
    """Apply a function to every item; yields (index of the item, its result) in the order of completion.

    Parameters
    ----------
    function : callable
        Importable by name (other processes receive it pickled), of one argument.
    items : iterable
        Read lazily: at most twice as many as workers are in flight.
    executor : concurrent.futures.Executor, optional
        Runs the work; it is left open. By default local ``spawn`` processes, or this process when one is enough.
    workers : int, optional
        Local processes, or pieces that `executor` works on at a time; by default one a core.
    progress : callable, optional
        ``progress(done, total, text)`` after every piece; `total` is -1 when `items` has no length.
    describe : callable, optional
        The text of a result for `progress`.

    Yields
    ------
    (int, result or EcgpriorError)
        An error of ours that the function raised is a value here, so that one item does not end the others; every
        other exception is raised.

    Raises
    ------
    JobsStopped
        A worker process died, so nothing can be said about what it was given.
    """
    total = len(items) if isinstance(items, Sized) else -1
    if workers is not None and workers < 1:
        raise JobsStopped(f"workers: expected at least 1, got {workers}")
    for done, (index, result) in enumerate(_run(function, items, total, executor, workers), start=1):
        if progress is not None:
            text = describe(result) if describe and not isinstance(result, EcgpriorError) else ""
            progress(done, total, text)
        yield index, result


def _run(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    total: int,
    executor: Executor | None,
    workers: int | None,
) -> Iterator[tuple[int, Any]]:
    count = workers or getattr(executor, "_max_workers", None) or cores()
    if executor is not None:
        yield from _in_flight(function, items, executor, 2 * count)
    elif min(count, total if total >= 0 else count) <= 1:
        yield from ((index, _attempt(function, item)) for index, item in enumerate(items))
    else:
        count = min(count, total) if total >= 0 else count
        pool = local_processes(count)
        try:
            yield from _in_flight(function, items, pool, 2 * count)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_flight(
    function: Callable[[Any], Any], items: Iterable[Any], executor: Executor, limit: int
) -> Iterator[tuple[int, Any]]:
    running: dict[Future, int] = {}
    try:
        for index, item in enumerate(items):
            running[executor.submit(_attempt, function, item)] = index
            while len(running) >= limit:
                yield from _collect(running)
        while running:
            yield from _collect(running)
    except BrokenExecutor as error:
        raise JobsStopped(
            "a worker process died (killed, out of memory, or a script without 'if __name__ == \"__main__\":'): "
            f"expected all to live – start the same command again to resume, with fewer workers if memory is "
            f"short ({error})"
        ) from error
    finally:
        for future in running:
            future.cancel()


def _collect(running: dict[Future, int]) -> Iterator[tuple[int, Any]]:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in sorted(finished, key=running.__getitem__):
        index = running.pop(future)
        yield index, future.result()


def _attempt(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except EcgpriorError as error:
        return error


def _end_with_parent() -> None:
    """Start a thread that ends this process when the one that started it is gone.

    A worker that waits for work holds both ends of its own queue and would otherwise wait for ever.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch(sentinel: int = parent.sentinel) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def dask_executor(address: str, timeout: float = 30.0) -> Iterator[Executor]:
    """The executor of a Dask cluster; its workers must see the same folders under the same paths.

    Parameters
    ----------
    address : str
        Of the scheduler: ``"tcp://host:8786"``.
    timeout : float
        Seconds to wait for it.

    Raises
    ------
    ExtraMissing
        The package ``distributed`` is not installed.
    JobsStopped
        No scheduler answers, or it has no worker.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ExtraMissing.of("distributed", "cluster", "a Dask scheduler") from None
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise JobsStopped(
            f"scheduler '{address}': expected a Dask scheduler to answer, got {error}"
        ) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise JobsStopped(
                f"scheduler '{address}': expected at least one worker, got none – start 'dask worker'"
            )
        executor = client.get_executor()
        executor._max_workers = threads  # what local pools call it: how much run_jobs keeps in flight
        yield executor
        executor.shutdown(wait=False)
