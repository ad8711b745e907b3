"""Make tables, figures, report and explorer of a sweep anew from its run folders, or compare several sweeps.

python -m vae_core.report results/kl_sweep/mnist
python -m vae_core.report results/kl_sweep/mnist results/kl_sweep/mnist/latent_dim=10
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vae_core import runs
from vae_core.errors import InputError
from vae_core.execution.command import OneLineParser, exit_code
from vae_core.execution.lock import locked
from vae_core.execution.places import private_folder
from vae_core.report import collect
from vae_core.report.comparison import output_folder, read_sweeps, sweep_folders
from vae_core.report.published import notebook_of, read_sweep


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what the command line asks for; nothing is trained.

    Returns 0 if all is made, 1 if something failed, 2 for wrong usage, 75 if a sweep is at work in the folder, 130 if
    it was interrupted.
    """
    return exit_code("report", lambda: report(_parser().parse_args(arguments)), "", "what is made stays")


def report(options: argparse.Namespace) -> int:
    """Refuse what cannot be made, then make it, in a folder that no sweep writes in meanwhile."""
    folders = sweep_folders(options.folders)
    if len(folders) == 1:
        if options.output:
            raise InputError("--output is for a comparison: name two folders or more, or leave it out")
        return _report_one(*folders)
    read_sweeps(folders)
    target = output_folder(options.output, folders).resolve()
    if runs.finished_folders(target):
        raise InputError(f"{target} is the folder of a sweep: choose another --output")
    with locked(target, "--output"), private_folder(target) as workspace:
        failures = collect.compare(folders, target, workspace)
    return _closing(target, (collect.COMPARISON_FILE, "comparison.csv"), failures)


def _report_one(folder: Path) -> int:
    finished = read_sweep(folder)
    target = folder.resolve()
    with locked(target, "folder"), private_folder(target) as workspace:
        failures = collect.collect(notebook_of(finished.folders[0]), target, workspace)
    return _closing(target, (collect.REPORT_FILE, "explorer.html", "loss_table.md"), failures)


def _closing(folder: Path, names: Sequence[str], failures: Mapping[str, str]) -> int:
    """Say what is there and what failed."""
    for name, problem in failures.items():
        print(f"report: {name} failed: {problem}", file=sys.stderr)
    there = [name for name in names if (folder / name).exists() and name not in failures]
    print(f"{os.path.relpath(folder)}{os.sep}: {', '.join(there)}")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m vae_core.report",
        description="Make the tables, figures, report and explorer of a sweep anew from its run folders; or compare "
        "several sweeps. Nothing is trained.",
    )
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="+", help="folder of a sweep, such as results/kl_sweep/mnist"
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="",
        help="where to write a comparison; default: comparison/ in the folder that all the others are in",
    )
    return parser
