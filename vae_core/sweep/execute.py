"""What a Dask worker does: one run in a folder of its own, whose files go back to the sweep."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distributed import Worker, get_worker

from vae_core import runs
from vae_core.execution.notebook import KernelDiedError, execute_notebook, last_line
from vae_core.provenance import source_hash
from vae_core.sweep.phases import reporting


@dataclass(frozen=True)
class Outcome:
    """What a run has left: the files of its folder, and in one line what went wrong, or None."""

    files: Mapping[str, bytes]
    problem: str | None


def unfit(dask_worker: Worker, code: str) -> str | None:
    """On a Dask worker: why it may not run notebooks for a sweep with the source hash `code`, or None."""
    if _has_several_threads(dask_worker):
        return "has several threads: start it with --nthreads 1"
    if source_hash() != code:
        return "has another version of vae_core: install the one that the sweep is started with"
    return None


def execute_run(notebook: str, name: str, parameters: Mapping[str, object], topic: str) -> Outcome:
    """On a Dask worker: one run in a folder of its own. If its kernel dies, it is done again once.

    The notebook's text comes with the task and the files of the run folder go back as bytes: no shared disk is needed.
    While it runs, (name, phase) is sent to the topic.
    """
    if _has_several_threads(get_worker()):  # one that came when the sweep had begun
        return Outcome({}, "its worker has several threads: start workers with --nthreads 1")
    outcome, kernel_died = _attempt(notebook, name, parameters, topic)
    return _attempt(notebook, name, parameters, topic)[0] if kernel_died else outcome


def _attempt(notebook: str, name: str, parameters: Mapping[str, object], topic: str) -> tuple[Outcome, bool]:
    problem, kernel_died = None, False
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as scratch:
        source, folder = Path(scratch) / "source.ipynb", Path(scratch) / "run"
        source.write_text(notebook, encoding="utf-8")
        folder.mkdir()
        try:
            started = time.perf_counter()
            with reporting(topic, name, folder):
                execute_notebook(source, folder / "run.ipynb", {**parameters, "run_dir": "."}, cwd=folder)
            if (folder / runs.RECORD).exists():
                runs.update_record(folder, time.perf_counter() - started)
            else:
                problem = "the notebook ended before its last cell"
        except Exception as error:  # whatever it is, the other runs go on
            problem, kernel_died = last_line(error), isinstance(error, KernelDiedError)
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        return Outcome(files, problem), kernel_died


def _has_several_threads(worker: Worker) -> bool:
    """Papermill changes the directory of its process, so two notebooks cannot share one."""
    return worker.state.nthreads > 1
