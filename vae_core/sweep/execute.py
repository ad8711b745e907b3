"""Execute one notebook through papermill so that the result can be published: no paths, no times, no noise.

python -m vae_core.notebooks notebooks/00_the_prior.ipynb results/published/lessons/00_the_prior.ipynb
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import papermill
from traitlets.config import Config


def execute_notebook(notebook: Path, output: Path, parameters: Mapping[str, object], cwd: Path) -> None:
    """Execute a notebook through papermill in the folder `cwd`, and take paths and times out of the result.

    What kernel and papermill say on stderr goes to stderr.log beside the output, and away if all went well.
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m vae_core.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    execute_notebook(arguments.notebook, arguments.output, {}, cwd=arguments.output.parent)
