"""What is made of finished runs: tables, sheets, explorer and report of a sweep, the comparison of several."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from papermill import PapermillExecutionError

from vae_core import runs
from vae_core.errors import InputError
from vae_core.execution.bar import StepsBar
from vae_core.execution.notebook import execute_notebook, last_line
from vae_core.execution.places import replace_notebook
from vae_core.explorer.page import write_explorer
from vae_core.report.published import renew_pages
from vae_core.report.sheets import draw_lesson_sheets, draw_sheets, write_tables

REPORT = "kl_sweep_report"
REPORT_FILE = "report.ipynb"
COMPARISON, COMPARISON_FILE = "compare_sweeps", "comparison.ipynb"
TABLES = "tables"  # the step without which there is nothing to show


def collect(notebook: str, sweep_dir: Path, workspace: Path) -> dict[str, str]:
    """Write the tables and sheets of all finished runs of the sweep; for train_vae also the explorer and the report.

    Returns what went wrong, by the name of what was to be written; the runs, and all the others, are done all the same.
    """
    finished = runs.read_runs(runs.finished_folders(sweep_dir))
    is_reference = notebook == runs.REFERENCE
    draw = draw_sheets if is_reference else draw_lesson_sheets
    steps = {TABLES: partial(write_tables, sweep_dir, finished), "figures": partial(draw, sweep_dir, finished)}
    steps |= {"explorer": partial(_write_explorer, sweep_dir)} if is_reference else {}
    steps |= {"pages": partial(renew_pages, sweep_dir)}
    steps |= {REPORT_FILE: partial(_write_report, sweep_dir, workspace)} if is_reference else {}
    failures = {}
    with StepsBar("collecting", list(steps)) as bar:
        for name, step in steps.items():
            bar.step(name)
            try:
                step()
            except Exception as error:  # whatever it is
                failures[name] = _said(error)
    return failures


def compare(folders: Sequence[Path], target: Path, workspace: Path) -> dict[str, str]:
    """Execute the comparison of several sweeps, which writes its table and figures into the folder `target`.

    Returns what went wrong, by the name of what was to be written.
    """
    parameters = {"folders": [os.path.relpath(folder.resolve(), target) for folder in folders], "output": "."}
    with StepsBar("comparing", [COMPARISON_FILE]) as bar:
        bar.step(COMPARISON_FILE)
        try:
            _execute(COMPARISON, parameters, target / COMPARISON_FILE, workspace)
        except Exception as error:  # whatever it is
            return {COMPARISON_FILE: _said(error)}
    return {}


def _said(error: Exception) -> str:
    """What went wrong, in one line; papermill's errors carry the notebook's."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {Path(error.filename2 or error.filename).name}"
    if isinstance(error, InputError | PapermillExecutionError):
        return last_line(error)
    return f"{type(error).__name__}: {last_line(error)}"


def _write_explorer(sweep_dir: Path) -> None:
    try:
        write_explorer(sweep_dir)
    except InputError as error:  # the tables and sheets are there all the same
        print(f"no new explorer.html: {error}", file=sys.stderr)


def _write_report(sweep_dir: Path, workspace: Path) -> None:
    _execute(REPORT, {"sweep_dir": "."}, sweep_dir / REPORT_FILE, workspace)


def _execute(notebook: str, parameters: Mapping[str, object], target: Path, workspace: Path) -> None:
    """Execute a notebook where it will be. It replaces the one before if it is whole; else it stands in failed/."""
    output, failed = workspace / target.name, target.parent / "failed" / target.name
    try:
        execute_notebook(runs.NOTEBOOKS / f"{notebook}.ipynb", output, parameters, cwd=target.parent)
        replace_notebook(output, target)
    except Exception:
        if output.exists():
            failed.parent.mkdir(exist_ok=True)
            output.replace(failed)
        raise
    failed.unlink(missing_ok=True)
