"""One sweep at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vae_core.errors import InputError


class InUseError(InputError):
    """Another sweep holds the lock of the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and keep other sweeps out of it. The system frees the lock when its holder ends, however it ends.

    Raises InUseError if another sweep holds the lock, InputError if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise InUseError(f"another sweep is at work in {folder}: wait for it, or choose another --results") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): choose another --results") from error
    with lock:
        yield
