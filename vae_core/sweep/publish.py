"""How a run gets into the results: written in a private folder, then put in its place by one rename.

<sweep>/<run>            a finished run
<sweep>/failed/<run>     what a run that failed has left
<sweep>/replaced/<run>   a finished run with other settings, until its successor is whole
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vae_core.sweep.execute import Outcome
from vae_core.sweep.plan import Run


@contextmanager
def workspace(sweep_dir: Path) -> Iterator[Path]:
    """A private folder on the disk of the results, so that a finished run appears by one rename."""
    for left_by_a_killed_sweep in sweep_dir.glob(".running-*"):
        shutil.rmtree(left_by_a_killed_sweep, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".running-", dir=sweep_dir, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def move_aside(missing: Iterable[Run], sweep_dir: Path) -> None:
    """Take finished runs that are to be replaced out of the sweep; they are deleted when their successors are whole."""
    for run in missing:
        if (folder := sweep_dir / run.name).exists():
            _replace_folder(folder, sweep_dir / "replaced" / run.name)


def publish(name: str, outcome: Outcome, sweep_dir: Path, workspace: Path) -> str | None:
    """Put the files of a run in their place. Returns what went wrong, in the run or here, or None."""
    try:
        _place(name, outcome, sweep_dir, workspace)
    except OSError as error:
        return outcome.problem or f"its results cannot be written ({error.strerror})"
    return outcome.problem


def _place(name: str, outcome: Outcome, sweep_dir: Path, workspace: Path) -> None:
    folder = workspace / name
    folder.mkdir()
    for file_name, content in outcome.files.items():
        (folder / file_name).write_bytes(content)
    if outcome.problem:
        _replace_folder(folder, sweep_dir / "failed" / name)
        return
    folder.rename(sweep_dir / name)
    for place in ("failed", "replaced"):
        shutil.rmtree(sweep_dir / place / name, ignore_errors=True)


def _replace_folder(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    source.rename(target)
