"""Execute one notebook through papermill so that the result can be published: no paths, no times, no noise."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
from distributed import Worker, get_worker
from nbclient.exceptions import DeadKernelError

from vae_core import runs
from vae_core.provenance import source_hash
from vae_core.sweep.kernel import NAME, last_words, own_kernel
from vae_core.sweep.phases import reporting

LOG = "stderr.log"  # of kernel and papermill, beside the notebook


@dataclass(frozen=True)
class Outcome:
    """What a run has left: the files of its folder, and in one line what went wrong, or None."""

    files: Mapping[str, bytes]
    problem: str | None


class KernelDiedError(Exception):
    """A kernel ended by itself, or something killed it."""


def execute_notebook(notebook: Path, output: Path, parameters: Mapping[str, object], cwd: Path) -> None:
    """Execute a notebook through papermill in the folder `cwd`, and take paths and times out of the result.

    What kernel and papermill print on stderr goes to stderr.log beside the output, which is deleted if all went well.
    Raises KernelDiedError, or what papermill raises if a cell has failed.
    """
    log = output.parent / LOG
    with _stderr_in(log), own_kernel() as config:
        try:
            papermill.execute_notebook(
                _no_template(notebook),
                _no_template(output),
                parameters=dict(parameters),
                kernel_name=NAME,
                cwd=str(cwd),
                progress_bar=False,
                shutdown_kernel="immediate",  # nothing is left to write, and TensorFlow takes a second to say goodbye
                config=config,
            )
        except RuntimeError as error:
            if isinstance(error, DeadKernelError) or "Kernel died" in str(error):  # in a cell, or before the first
                raise KernelDiedError(_cause_of_death(log)) from error
            raise
        finally:
            with suppress(nbformat.reader.NotJSONError):  # half a notebook, after an error that says more
                _tidy(output)
    log.unlink()


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


def last_line(error: BaseException) -> str:
    """The sentence at the end of a traceback; papermill's exceptions carry that of the notebook."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _attempt(notebook: str, name: str, parameters: Mapping[str, object], topic: str) -> tuple[Outcome, bool]:
    problem, kernel_died = None, False
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as scratch:
        source, folder = Path(scratch) / "source.ipynb", Path(scratch) / name
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


def _cause_of_death(log: Path) -> str:
    if words := last_words(log):
        return f"its kernel died; the last that it wrote: {words}"
    return "its kernel died, perhaps for want of memory (fewer workers need less)"


def _no_template(path: Path) -> str:
    """A path in which papermill finds no parameter to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _stderr_in(log: Path) -> Iterator[None]:
    """Point file descriptor 2, which kernels inherit, to a file."""
    stderr = os.dup(2)
    with log.open("w") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _tidy(path: Path) -> None:
    """Take out papermill's metadata, which are paths of this machine and times, and what closed progress bars left."""
    if not path.exists():
        return
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("data") != {"text/plain": ""}]
    nbformat.write(notebook, path)
