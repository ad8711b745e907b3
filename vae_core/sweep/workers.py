"""The Dask workers that run notebooks: started by this process, or those of a cluster; one code path for both."""

import asyncio
import logging
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path

import dask
import psutil
from distributed import Client, KilledWorker, LocalCluster, Security, as_completed, rpc
from tqdm import tqdm

from vae_core.errors import InputError
from vae_core.execution.kernel import environment
from vae_core.execution.notebook import last_line
from vae_core.execution.scratch import SOCKET, SWEEP, short_folder
from vae_core.provenance import source_hash
from vae_core.sweep.execute import Outcome, execute_run, unfit
from vae_core.sweep.phases import Phase

CONNECT_TIMEOUT = 8  # seconds


@contextmanager
def connect(scheduler: str | None, workers: int, scratch: Path) -> Iterator[Client]:
    """A client of the cluster at the address `scheduler`, or of a local one of `workers` processes that ends with it.

    Raises InputError if no scheduler answers, or if its workers have several threads or other code.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the sweep itself says what matters to a person
    with _remote(scheduler) if scheduler else _local(workers, scratch) as client:
        yield client


@contextmanager
def _local(workers: int, scratch: Path) -> Iterator[Client]:
    """What workers and kernels leave in the folder for temporary files, killed or not, is deleted at the end."""
    settings = {
        **dask.config.merge(*dask.config.defaults),  # what the user has set is for clusters
        "temporary-directory": str(scratch),
        "distributed.scheduler.allowed-failures": 1,  # a run whose worker died is done again once
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.memory.terminate": False,
    }
    options = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",  # any free port; Dask cannot do without, but nothing is shown there
        "scheduler_kwargs": {"dashboard": False},
        "local_directory": str(scratch),
        "silence_logs": logging.CRITICAL,
    }
    with (
        short_folder("sweep.", SWEEP + SOCKET) as temporary,
        environment(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))),
        dask.config.set(settings),
        _cluster(options) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _cluster(options: Mapping[str, object]) -> Iterator[LocalCluster]:
    resource_tracker.ensure_running()  # the thread that starts Python's helper process has SIGINT unblocked by it
    with ThreadPoolExecutor(1, initializer=_block_interrupts) as executor:
        cluster = executor.submit(LocalCluster, **options).result()
    try:
        yield cluster
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
    except (RuntimeError, TypeError) as error:  # encryption is asked for and cannot be had
        raise InputError(f"no connection to {scheduler}: {last_line(error)}") from error
    with Client(scheduler) as client:
        if not client.nthreads():
            start = f"dask worker {scheduler} --nthreads 1"
            tqdm.write(f"{scheduler} has no workers, the sweep waits for one: {start}", file=sys.stderr)
            client.wait_for_workers(1)
        _refuse_unfit(client, scheduler)
        yield client


def _refuse_unfit(client: Client, scheduler: str) -> None:
    for address, answer in client.run(unfit, code=source_hash(), on_error="return").items():
        if isinstance(answer, BaseException):
            answer = f"cannot run this code ({last_line(answer)}): install it there"
        if answer:
            raise InputError(f"the worker at {address} of {scheduler} {answer}")


async def _answer(scheduler: str) -> None:
    """Ask the scheduler who it is. Client's own timeout does not end if something listens there but says nothing."""
    encryption = Security().get_connection_args("client")  # of the user's Dask configuration
    async with rpc(scheduler, connection_args=encryption) as connection:
        await asyncio.wait_for(connection.identity(), CONNECT_TIMEOUT)
