"""Progress bars and lines that a person sees and an executed notebook does not keep."""

import io
import os
import sys
from pathlib import Path

from tqdm import tqdm


def terminal():
    """The terminal on this process' stderr as a stream of its own, or a stream to nowhere if there is none.

    In a kernel `sys.stderr` is the notebook, but its file number is still the stderr that the kernel was started
    with. Under papermill that is the terminal where papermill was typed.
    """
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, io.UnsupportedOperation):
        descriptor = None
    if descriptor is None or not os.isatty(descriptor):
        return Path(os.devnull).open("w", encoding="utf-8")
    return os.fdopen(os.dup(descriptor), "w", errors="replace")


def announce(line: str) -> None:
    """Write a line on the terminal, over the bar of whoever runs this notebook; that bar goes on below it."""
    with terminal() as stream:
        stream.write(f"\r\033[K{line}\n")


def progress_bar(total: int, description: str, unit: str) -> tqdm:
    """A bar on the terminal. In a kernel it also stands below the running cell until it is closed."""
    bar = _CellBar if _in_kernel() else tqdm
    return bar(total=total, desc=description, unit=unit, file=terminal(), leave=False, dynamic_ncols=True)


def _in_kernel() -> bool:
    ipython = sys.modules.get("IPython")  # a kernel has imported it; nobody else needs to
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class _CellBar(tqdm):
    def __init__(self, **options):
        from IPython.display import display

        self.cell = display({"text/plain": ""}, raw=True, display_id=True)
        super().__init__(**options)

    def display(self, msg=None, pos=None):
        self.cell.update({"text/plain": str(self) if msg is None else msg}, raw=True)
        super().display(msg, pos)

    def close(self):
        super().close()
        self.cell.update({"text/plain": ""}, raw=True)
