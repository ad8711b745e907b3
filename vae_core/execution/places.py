"""How a finished file or folder gets into the results: made in a private folder, then put in place by one rename."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat


@contextmanager
def private_folder(sweep_dir: Path) -> Iterator[Path]:
    """A private folder on the disk of the results, so that a finished run appears by one rename."""
    for left_by_a_killed_sweep in sweep_dir.glob(".running-*"):
        shutil.rmtree(left_by_a_killed_sweep, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".running-", dir=sweep_dir, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def replace_notebook(executed: Path, target: Path) -> None:
    """Put an executed notebook in the place of the one before, which is kept if somebody has written into its cells."""
    if target.is_file() and _sources(target) != _sources(executed):
        put(target, target.parent / "kept")
    executed.replace(target)


def put(folder: Path, place: Path) -> None:
    """Move a folder to a place under its own name, with a number behind it if the name is taken there."""
    target, number = place / folder.name, 1
    while target.exists():
        number += 1
        target = place / f"{folder.name}.{number}"
    place.mkdir(exist_ok=True)
    folder.rename(target)


def _sources(notebook: Path) -> list[str] | None:
    try:
        return [cell.source for cell in nbformat.read(notebook, nbformat.NO_CONVERT).cells]
    except (ValueError, TypeError, AttributeError, KeyError):  # it is no notebook any more
        return None
