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
from distributed import get_worker
from nbclient.exceptions import DeadKernelError
from traitlets.config import Config

from vae_core import runs
from vae_core.sweep.phases import reporting


@dataclass(frozen=True)
class Outcome:
    """What a run has left: the files of its folder, and in one line what went wrong, or None."""

    files: Mapping[str, bytes]
    problem: str | None


def execute_notebook(notebook: Path, output: Path, parameters: Mapping[str, object], cwd: Path) -> None:
    """Execute a notebook through papermill in the folder `cwd`, and take paths and times out of the result.

    What kernel and papermill print on stderr goes to stderr.log beside the output, which is deleted if all went well.
    """
    log = output.parent / "stderr.log"
    with _stderr_in(log), _private_sockets() as kernel_manager:
        try:
            papermill.execute_notebook(
                str(notebook),
                str(output),
                parameters=dict(parameters),
                kernel_name="python3",
                cwd=str(cwd),
                progress_bar=False,
                shutdown_kernel="immediate",  # nothing is left to write, and TensorFlow takes a second to say goodbye
                config=Config({"KernelManager": kernel_manager}),
            )
        finally:
            with suppress(nbformat.reader.NotJSONError):  # half a notebook, after an error that says more
                _tidy(output)
    log.unlink()


def execute_run(notebook: str, name: str, parameters: Mapping[str, object], topic: str) -> Outcome:
    """On a Dask worker: one run in a folder of its own. If its kernel dies, it is done again once.

    The notebook's text comes with the task and the files of the run folder go back as bytes: no shared disk is needed.
    While it runs, (name, epochs done) is sent to the topic.
    """
    outcome, kernel_died = _attempt(notebook, name, parameters, topic)
    return _attempt(notebook, name, parameters, topic)[0] if kernel_died else outcome


def last_line(error: BaseException) -> str:
    """The sentence at the end of a traceback; papermill's exceptions carry that of the notebook."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


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
            with reporting(topic, name, folder):
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
def _private_sockets() -> Iterator[dict[str, str]]:
    """Let kernel and client talk through files: of kernels that start at the same time, two may choose one TCP port."""
    if os.name != "posix":
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="kernel-") as folder:  # short, since a socket's path has 100 characters
        yield {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}


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
