"""What a sweep makes of its finished runs: tables, sheets, explorer and report."""

import sys
from pathlib import Path

from vae_core import runs
from vae_core.errors import InputError
from vae_core.explorer.page import write_explorer
from vae_core.report.published import renew_pages
from vae_core.report.sheets import draw_lesson_sheets, draw_sheets, write_tables
from vae_core.sweep.bar import StepsBar
from vae_core.sweep.execute import execute_notebook, last_line
from vae_core.sweep.plan import REFERENCE

REPORT = "kl_sweep_report"
LESSON_STEPS = ("tables", "figures")
STEPS = (*LESSON_STEPS, "explorer", "report")


def collect(notebook: str, sweep_dir: Path, workspace: Path) -> dict[str, str]:
    """Write the tables and sheets of all finished runs of the sweep; for train_vae also the explorer and the report.

    Returns what went wrong, by the name of what was to be written; the runs are done all the same.
    """
    with StepsBar("collecting", STEPS if notebook == REFERENCE else LESSON_STEPS) as bar:
        bar.step("tables")
        finished = runs.read_runs(runs.finished_folders(sweep_dir))
        write_tables(sweep_dir, finished)
        bar.step("figures")
        if notebook != REFERENCE:
            draw_lesson_sheets(sweep_dir, finished)
            renew_pages(sweep_dir)
            return {}
        draw_sheets(sweep_dir, finished)
        bar.step("explorer")
        _write_explorer(sweep_dir)
        renew_pages(sweep_dir)
        bar.step("report")
        return _report(sweep_dir, workspace)


def _write_explorer(sweep_dir: Path) -> None:
    try:
        write_explorer(sweep_dir)
    except InputError as error:  # the tables and sheets are there all the same
        print(f"explorer.html is not written anew: {error}", file=sys.stderr)


def _report(sweep_dir: Path, workspace: Path) -> dict[str, str]:
    """Execute the report. It replaces the one before if it is whole; else it stands, as far as it came, in failed/."""
    output, failed = workspace / "report.ipynb", sweep_dir / "failed" / "report.ipynb"
    try:
        execute_notebook(runs.NOTEBOOKS / f"{REPORT}.ipynb", output, {"sweep_dir": "."}, cwd=sweep_dir)
    except Exception as error:  # the runs are done all the same
        if output.exists():
            failed.parent.mkdir(exist_ok=True)
            output.replace(failed)
        return {"report.ipynb": last_line(error)}
    output.replace(sweep_dir / "report.ipynb")
    failed.unlink(missing_ok=True)
    return {}
