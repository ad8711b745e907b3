"""The Dask workers that run notebooks: started by this process, or those of a cluster; one code path for both."""

import asyncio
import logging
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import dask
import psutil
from distributed import Client, KilledWorker, LocalCluster, as_completed, rpc

from vae_core.errors import InputError
from vae_core.sweep.execute import Outcome, execute_run, last_line
from vae_core.sweep.phases import Phase

CONNECT_TIMEOUT = 8  # seconds


@contextmanager
def connect(scheduler: str | None, workers: int, scratch: Path) -> Iterator[Client]:
    """A client of the cluster at the address `scheduler`, or of a local one of `workers` processes that ends with it.

    Raises InputError if no scheduler answers, or if its workers have more than one thread: papermill changes the
    directory of its process, so two notebooks cannot share one.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the sweep itself says what matters to a person
    if scheduler:
        with _remote(scheduler) as client:
            yield client
        return
    settings = {
        "distributed.scheduler.allowed-failures": 1,  # a run whose worker died is done again once
        "distributed.worker.memory.terminate": False,
    }
    options = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "dashboard_address": None,
        "local_directory": str(scratch),
        "silence_logs": logging.CRITICAL,
    }
    with dask.config.set(settings), ThreadPoolExecutor(1, initializer=_block_interrupts) as executor:
        cluster = executor.submit(LocalCluster, **options).result()
    try:
        with Client(cluster) as client:
            yield client
    finally:
        started = list(_workers_and_kernels())
        with suppress(Exception):  # a worker that does not answer is killed below
            cluster.close(timeout=5)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(started, timeout=5)


def execute_all(
    client: Client,
    notebook: str,
    parameters: Mapping[str, Mapping[str, object]],
    show: Callable[[str, Phase], None],
) -> Iterator[tuple[str, Outcome]]:
    """Execute the notebook once for each name in `parameters`, and yield name and outcome as they come.

    `show(name, phase)` is called while a run goes on, whenever its phase has changed.
    """
    sweep = uuid.uuid4().hex  # others may send runs of the same names to the same cluster
    client.subscribe_topic(sweep, lambda event: show(event[1][0], Phase(*event[1][1])))
    waiting, names, finished = list(parameters.items()), {}, as_completed()
    while waiting or names:
        # No more than there are workers: what Dask has assigned to a busy one does not move when another gets idle.
        while waiting and len(names) < max(1, sum(client.nthreads().values())):
            name, values = waiting.pop(0)
            future = client.submit(execute_run, notebook, name, dict(values), sweep, key=f"{name}-{sweep}", pure=False)
            names[future] = name
            finished.add(future)
        future = next(finished)
        name = names.pop(future)
        error = future.exception()
        if isinstance(error, KilledWorker):
            yield name, Outcome({}, "its worker died twice, perhaps for want of memory (fewer workers need less)")
        else:
            yield name, Outcome({}, last_line(error)) if error else future.result()
        future.release()


def _block_interrupts() -> None:
    """Keep Ctrl-C from what this thread starts, however much later: it is for the sweep, which ends its workers itself.

    Threads and processes inherit what is blocked. The thread that waits for the cluster hears of Ctrl-C at once.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _workers_and_kernels() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(process.cmdline()):  # it is Python's own, and outlives the cluster
                yield process


@contextmanager
def _remote(scheduler: str) -> Iterator[Client]:
    try:
        asyncio.run(_answer(scheduler))
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise InputError(f"no Dask scheduler answers at {scheduler}: is it running, is the address right?") from error
    with Client(scheduler) as client:
        threads = {worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}
        if threads - {1}:
            raise InputError(f"the workers at {scheduler} have several threads: start them with --nthreads 1")
        yield client


async def _answer(scheduler: str) -> None:
    """Ask the scheduler who it is. Client's own timeout does not end if something listens there but says nothing."""
    async with rpc(scheduler) as connection:
        await asyncio.wait_for(connection.identity(), CONNECT_TIMEOUT)
