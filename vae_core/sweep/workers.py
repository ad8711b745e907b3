"""Run notebooks on Dask workers: those that this process starts, or those of a cluster; one code path for both.

The notebook's text travels with the task and the bytes of the run folder travel back, so no shared disk is needed.
"""

import asyncio
import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dask
import psutil
from distributed import Client, KilledWorker, LocalCluster, as_completed, get_worker, rpc
from nbclient.exceptions import DeadKernelError

from vae_core import runs
from vae_core.errors import InputError
from vae_core.sweep.execute import execute_notebook

REPORT_EVERY = 0.5  # seconds between two looks at a running notebook's history
CONNECT_TIMEOUT = 8  # seconds


@dataclass(frozen=True)
class Outcome:
    """What came of a run: the files of its folder, and in one line what went wrong, or None."""

    files: Mapping[str, bytes]
    problem: str | None


@contextmanager
def connect(scheduler: str | None, workers: int, scratch: Path) -> Iterator[Client]:
    """A client of the cluster at the address `scheduler`, or of a local one of `workers` processes that ends with it.

    Raises InputError if no scheduler answers, or if its workers have more than one thread: papermill changes the
    directory of its process, so two notebooks cannot share one.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters to a person is said by the sweep
    if scheduler:
        with _remote(scheduler) as client:
            yield client
        return
    settings = {
        "distributed.scheduler.allowed-failures": 1,  # a run whose worker died is done again once
        "distributed.worker.memory.terminate": False,
    }
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
        )
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


def _workers_and_kernels() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(process.cmdline()):  # it is Python's own, and outlives the cluster
                yield process


async def _answer(scheduler: str) -> None:
    """Ask the scheduler who it is. Client's own timeout does not end if something listens there but says nothing."""
    async with rpc(scheduler) as connection:
        await asyncio.wait_for(connection.identity(), CONNECT_TIMEOUT)


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


def execute_all(
    client: Client,
    notebook: str,
    parameters: Mapping[str, Mapping[str, object]],
    show: Callable[[str, int], None],
) -> Iterator[tuple[str, Outcome]]:
    """Execute the notebook once for each name in `parameters`, and yield name and outcome as they come.

    `show(name, epochs)` is called while a run goes on, with the epochs that its history has.
    """
    sweep = uuid.uuid4().hex  # others may send runs of the same names to the same cluster
    client.subscribe_topic(sweep, lambda event: show(*event[1]))
    waiting, names, finished = list(parameters.items()), {}, as_completed()
    while waiting or names:
        # No more than there are workers: what Dask has assigned to a busy one does not move when another gets idle.
        while waiting and len(names) < max(1, sum(client.nthreads().values())):
            name, values = waiting.pop(0)
            future = client.submit(execute, notebook, name, dict(values), sweep, key=f"{name}-{sweep}", pure=False)
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


def execute(notebook: str, name: str, parameters: Mapping[str, object], topic: str) -> Outcome:
    """On a worker: one run in a folder of its own. If its kernel dies, it is done again once."""
    outcome, kernel_died = _attempt(notebook, name, parameters, topic)
    return _attempt(notebook, name, parameters, topic)[0] if kernel_died else outcome


def _attempt(notebook: str, name: str, parameters: Mapping[str, object], topic: str) -> tuple[Outcome, bool]:
    problem, kernel_died = None, False
    # Dask's nannies set it so that workers give memory back at once; a kernel that inherits it trains half as fast.
    os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as scratch:
        source, folder = Path(scratch) / "source.ipynb", Path(scratch) / name
        source.write_text(notebook)
        folder.mkdir()
        try:
            started = time.perf_counter()
            with _reporting(topic, name, folder / "history.csv"):
                execute_notebook(source, folder / "run.ipynb", {**parameters, "run_dir": "."}, cwd=folder)
            if (folder / runs.RECORD).exists():
                runs.update_record(folder, time.perf_counter() - started)
            else:
                problem = "the notebook ended before its last cell"
        except DeadKernelError:
            problem, kernel_died = "its kernel died, perhaps for want of memory (fewer workers need less)", True
        except Exception as error:  # whatever it is, the other runs go on
            problem, kernel_died = last_line(error), "Kernel died" in str(error)  # a RuntimeError if it never began
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        return Outcome(files, problem), kernel_died


@contextmanager
def _reporting(topic: str, name: str, history: Path) -> Iterator[None]:
    """Meanwhile send the number of epochs in the history to whoever waits for the run."""
    worker, finished = get_worker(), threading.Event()

    def report() -> None:
        while not finished.wait(REPORT_EVERY):
            worker.log_event(topic, (name, _epochs_in(history)))

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _epochs_in(history: Path) -> int:
    return max(0, len(history.read_text().splitlines()) - 1) if history.exists() else 0


def last_line(error: BaseException) -> str:
    """The sentence at the end of a traceback; papermill's exceptions carry that of the notebook."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
