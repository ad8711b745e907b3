"""The kernel of a run: this interpreter with this package, whatever else is installed and whatever the user has set."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from traitlets.config import Config

from vae_core import runs
from vae_core.execution.scratch import SOCKET, short_folder

NAME = "python3"
UNSET = (
    "MALLOC_TRIM_THRESHOLD_",  # Dask's nannies give memory back at once with it; kernels trained half as fast
    "MPLBACKEND",
    *("PYTHONDEVMODE", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "PYTHONWARNINGS"),  # they end or fill an executed notebook
)


@contextmanager
def own_kernel() -> Iterator[Config]:
    """Prepare this process so that the kernel it starts is its own. Yields what papermill is to be configured with.

    The kernel's temporary files are in a folder that is deleted at the end: it is killed, and leaves some. On POSIX,
    kernel and client talk through sockets in that folder: of kernels that start at the same time, two may choose one
    TCP port, and this user alone can listen.
    """
    with short_folder("kernel.", SOCKET) as folder:
        _write_spec(folder)
        sockets = {"transport": "ipc", "connection_file": str(folder / "kernel.json")} if os.name == "posix" else {}
        with environment(_changes(folder)):
            yield Config({"KernelManager": sockets})


def last_words(log: Path) -> str:
    """The last line that a kernel wrote to its log before it died, without what its client said of that; or ""."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if "Kernel died" not in line]
    return next(filter(None, reversed(lines)), "")


def _write_spec(folder: Path) -> None:
    """Write the only kernel that Jupyter will find. Its own default obeys kernels of this name elsewhere."""
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
    }
    place = folder / "kernels" / NAME
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec))


def _changes(folder: Path) -> dict[str, str | None]:
    """What the kernel finds in its environment; None if a variable is not to be there."""
    changes: dict[str, str | None] = dict.fromkeys(UNSET)
    changes |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    changes |= {"JUPYTER_PATH": str(folder), "IPYTHONDIR": str(folder / "ipython")}
    if not runs.INSTALLED:  # another clone may be what this environment has installed
        others = os.environ.get("PYTHONPATH")
        changes["PYTHONPATH"] = os.pathsep.join([str(runs.PROJECT), *([others] if others else [])])
    return changes


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Meanwhile change this process's environment, which what it starts inherits; None takes a variable out."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
