"""Execute one notebook through papermill so that the result can be published: no paths, no times, no noise."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError

from vae_core.execution.kernel import NAME, last_words, own_kernel

LOG = "stderr.log"  # of kernel and papermill, beside the notebook


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


def last_line(error: BaseException) -> str:
    """The sentence at the end of a traceback; papermill's exceptions carry that of the notebook."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


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
