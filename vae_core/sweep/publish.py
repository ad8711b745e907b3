"""How a run gets into the results: written in a private folder, then put in its place by one rename.

<sweep>/<run>            a finished run
<sweep>/failed/<run>     of a run that failed: its notebook, its log, and failure.json, which says why
<sweep>/replaced/<run>   a finished run with other settings, until its successor is whole
<sweep>/kept/<run>       what stood in the way and is never deleted: it was altered, or somebody had added to it
"""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from vae_core import runs
from vae_core.execution.places import put
from vae_core.sweep.execute import Outcome
from vae_core.sweep.plan import Run

FAILURE = "failure.json"
LEFT_BY_A_FAILURE = ("run.ipynb", "stderr.log")  # the weights of a run that failed only fill the disk


def move_aside(missing: Iterable[Run], sweep_dir: Path) -> None:
    """Take out of the sweep what stands where a run will be: a run with other settings, or what is no run."""
    for run in missing:
        folder = sweep_dir / run.name
        if folder.exists():
            put(folder, sweep_dir / ("kept" if runs.fault_in_sweep(folder) else "replaced"))


def publish(name: str, outcome: Outcome, sweep_dir: Path, workspace: Path) -> str | None:
    """Put the files of a run in their place. Returns what went wrong, in the run or here, or None."""
    problem = outcome.problem
    if not problem:
        try:
            _place_run(name, outcome.files, sweep_dir, workspace)
        except OSError as error:
            problem = f"its results cannot be written ({error.strerror})"
            shutil.rmtree(workspace / name, ignore_errors=True)  # on a full disk the next run needs the room
    if problem:
        with suppress(OSError):  # the problem itself is told all the same
            _place_failure(name, problem, outcome.files, sweep_dir, workspace)
    return problem


def _place_run(name: str, files: Mapping[str, bytes], sweep_dir: Path, workspace: Path) -> None:
    folder = _written(workspace / name, files)
    if (sweep_dir / name).exists():  # somebody has put it there while the run went on
        put(sweep_dir / name, sweep_dir / "kept")
    folder.rename(sweep_dir / name)
    with suppress(OSError):  # the run is in its place
        _clear(sweep_dir / "failed" / name, FAILURE)
        _clear(sweep_dir / "replaced" / name, runs.RECORD)


def _place_failure(name: str, problem: str, files: Mapping[str, bytes], sweep_dir: Path, workspace: Path) -> None:
    folder = _written(workspace / name, {left: files[left] for left in LEFT_BY_A_FAILURE if left in files})
    runs.write_json(folder / FAILURE, {"problem": problem, "files": runs.file_hashes(folder)})
    _clear(sweep_dir / "failed" / name, FAILURE)
    put(folder, sweep_dir / "failed")


def _written(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir()
    for file_name, content in files.items():
        (folder / file_name).write_bytes(content)
    return folder


def _clear(folder: Path, record_name: str) -> None:
    """Delete a folder of the sweep's own; keep it if somebody has edited it or added to it."""
    if not folder.exists():
        return
    if _is_as_written(folder, record_name):
        shutil.rmtree(folder)
    else:
        put(folder, folder.parent.parent / "kept")


def _is_as_written(folder: Path, record_name: str) -> bool:
    """Whether the folder holds nothing but files that its record names, with the hashes that they had."""
    try:
        recorded, hashes = dict(runs.read_json(folder / record_name)["files"]), runs.file_hashes(folder)
        others = {path.name for path in folder.iterdir()} - {record_name}
    except (OSError, ValueError, KeyError, TypeError):  # no record, or not a whole one
        return False
    return all(name in hashes and hashes[name] == recorded.get(name) for name in others)
