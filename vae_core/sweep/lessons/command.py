"""Run every lesson at its full settings, in reading order. Started again, it skips the run folders that are done.

python -m vae_core.sweep.lessons --results results
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vae_core import runs
from vae_core.errors import InputError
from vae_core.execution.lock import locked
from vae_core.execution.notebook import execute_notebook, last_line
from vae_core.execution.places import private_folder, replace_notebook
from vae_core.execution.stopping import termination_as_interrupt
from vae_core.report.published import renew_pages
from vae_core.report.reading_order import READING_ORDER, Entry
from vae_core.startup import INTERRUPTED
from vae_core.sweep.command import main as run_sweep
from vae_core.sweep.plan import make_folders_absolute

THREADS = 2  # of each lesson that trains; they run one after the other


def main(
    arguments: Sequence[str] | None = None,
    notebooks: Path = runs.NOTEBOOKS,
    reading_order: Sequence[Entry] = READING_ORDER,
) -> int:
    """Run the lessons. One that fails does not stop the others.

    Returns 0 if all went well, 1 if some failed, 2 for wrong usage, 130 if it was interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m vae_core.sweep.lessons",
        description="Run every lesson at its full settings, in reading order. Started again, it skips the run folders "
        "that are done.",
    )
    parser.add_argument("--results", metavar="DIR", default=runs.RESULTS, help="where to write; default: %(default)s")
    try:
        results = runs.user_folder(parser.parse_args(arguments).results, "--results").resolve()
    except InputError as error:
        print(f"lessons: {error}", file=sys.stderr)
        return 2
    lessons = [entry for entry in reading_order if entry.leaves]
    print(cost(lessons, results), file=sys.stderr)
    make_folders_absolute()
    try:
        with termination_as_interrupt():
            failed = [lesson.name for lesson in lessons if not _run(lesson, results, notebooks)]
    except KeyboardInterrupt:
        print("lessons: interrupted; finished lessons are kept", file=sys.stderr)
        return INTERRUPTED
    if failed:
        print(f"lessons: {', '.join(failed)} failed: the lines above say why", file=sys.stderr)
    return 1 if failed else 0


def cost(lessons: Sequence[Entry], results: Path) -> str:
    """What the lessons leave and how long they take, one line each."""
    minutes = sum(lesson.minutes for lesson in lessons)
    lines = [f"{len(lessons)} lessons, about {minutes:.0f} minutes on two cores, into {results / 'lessons'}:"]
    for lesson in lessons:
        left = "a notebook, executed anew" if lesson.leaves == "notebook" else "a run folder, skipped if it is done"
        lines.append(f"  {lesson.name:<28} {lesson.minutes:>4g} min  {left}")
    return "\n".join(lines)


def _run(lesson: Entry, results: Path, notebooks: Path) -> bool:
    """Run one lesson. Returns whether all went well; what did not is printed."""
    print(f"{lesson.name} ...", file=sys.stderr)
    if lesson.leaves == "run":
        return _sweep(lesson.name, results, notebooks)
    try:
        return _execute(lesson.name, results / "lessons", notebooks)
    except (InputError, OSError) as error:
        print(f"lessons: {error}", file=sys.stderr)
        return False


def _sweep(name: str, results: Path, notebooks: Path) -> bool:
    """One run at the notebook's own settings."""
    options = ["--notebook", name, "--workers", "1", "--results", str(results)]
    code = run_sweep(options, notebooks, {"threads": THREADS})
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code == 0


def _execute(name: str, folder: Path, notebooks: Path) -> bool:
    """Execute a notebook that leaves nothing but itself. It appears whole, or as far as it came under failed/."""
    with locked(folder), private_folder(folder) as private:
        output, failed = private / f"{name}.ipynb", folder / "failed" / f"{name}.ipynb"
        try:
            execute_notebook(notebooks / f"{name}.ipynb", output, {}, cwd=private)
        except Exception as error:  # whatever it is, the other lessons go on
            failed.parent.mkdir(exist_ok=True)
            output.replace(failed)
            print(f"lessons: {last_line(error)} -> {failed}", file=sys.stderr)
            return False
        replace_notebook(output, folder / output.name)
        failed.unlink(missing_ok=True)
        renew_pages(folder)
    return True
