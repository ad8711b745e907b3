"""One command at a time that writes in a folder: a sweep, or a report made anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vae_core.errors import InputError


class InUseError(InputError):
    """Another command holds the lock of the folder."""


@contextmanager
def locked(folder: Path, other: str = "--results") -> Iterator[None]:
    """Make the folder and keep other commands out. The system frees the lock when its holder ends, however it ends.

    other: the option that names another folder

    Raises InUseError if another command holds the lock, InputError if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise InUseError(f"another sweep is at work in {folder}: wait for it, or choose another {other}") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): choose another {other}") from error
    with lock:
        yield
