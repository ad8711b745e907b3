"""Private folders for what lives as long as a kernel or a sweep, with names so short that a socket can be in them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vae_core.errors import InputError

SOCKET_PATH = 103  # characters that every system allows; Linux allows 107
SOCKET = "/kernel.12345678/kernel-ipc-5"  # the longest of a kernel's, in its folder
SWEEP = "/sweep.12345678"  # within which the folders of the kernels are


@contextmanager
def short_folder(prefix: str, inside: str) -> Iterator[Path]:
    """A new folder that is deleted at the end, where `inside` and the folder it is put in make the path of a socket.

    It is in the folder for temporary files, or, if that has a long name, in another one. Raises InputError if none will
    do.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_short_place(inside), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _short_place(inside: str) -> str:
    usual = tempfile.gettempdir()
    for place in (usual, "/tmp", "/var/tmp", str(Path.home())):
        if len(place + inside) <= SOCKET_PATH and _is_writable(place):
            return place
    raise InputError(f"the folder for temporary files, {usual}, has too long a name: set TMPDIR to a shorter one")


def _is_writable(place: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False
