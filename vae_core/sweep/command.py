"""Run a notebook once per weight and seed, several at a time, and collect the results.

python -m vae_core.sweep --dataset mnist --kl-weights 0 0.5 1 2 --seeds 0 1 --epochs 40 --workers 2
python -m vae_core.sweep --notebook conv_vae_fashion --kl-weights 0.392 1 4
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vae_core import runs
from vae_core.data import SOURCES
from vae_core.errors import InputError
from vae_core.execution.lock import InUseError, locked
from vae_core.execution.places import private_folder
from vae_core.execution.stopping import termination_as_interrupt
from vae_core.report import collect
from vae_core.startup import INTERRUPTED
from vae_core.sweep import publish
from vae_core.sweep.bar import RunsBar
from vae_core.sweep.closing import closing_words
from vae_core.sweep.plan import Run, plan, sort_out
from vae_core.sweep.remarks import remarks
from vae_core.sweep.workers import connect, execute_all

IN_USE = 75  # EX_TEMPFAIL of sysexits.h: try again later


def main(arguments: Sequence[str] | None = None, notebooks: Path = runs.NOTEBOOKS) -> int:
    """Run the sweep that the command line asks for; `notebooks` is the folder that --notebook names a file of.

    Returns 0 if all runs are done, 1 if some failed, 2 for wrong usage, 75 if another sweep is at work in the folder,
    130 if it was interrupted.
    """
    try:
        with termination_as_interrupt():
            return sweep(parser().parse_args(arguments), notebooks)
    except InputError as error:
        print(f"sweep: {error}", file=sys.stderr)
        return IN_USE if isinstance(error, InUseError) else 2
    except OSError as error:
        print(f"sweep: the results cannot be written ({error.strerror}); finished runs are kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sweep: interrupted; finished runs are kept, and the same command goes on from there", file=sys.stderr)
        return INTERRUPTED


def sweep(options: argparse.Namespace, notebooks: Path) -> int:
    """Plan, run what is missing, collect, report; nothing is written before the plan is known to be sound."""
    results = runs.user_folder(options.results, "--results").resolve()
    planned = plan(options, notebooks)
    system = "kl_sweep" if options.notebook == runs.REFERENCE else f"lessons/{options.notebook}"
    sweep_dir = results / system / planned.dataset
    sort_out(planned, sweep_dir, options.rerun)  # refuses before a folder or a lock is made
    with locked(sweep_dir), private_folder(sweep_dir) as workspace:
        found = sort_out(planned, sweep_dir, options.rerun)
        for remark in remarks(planned, found):
            print(remark, file=sys.stderr)
        publish.move_aside(found.missing, sweep_dir)
        notebook = (notebooks / f"{options.notebook}.ipynb").read_text("utf-8")
        failures = run_all(notebook, found.missing, sweep_dir, workspace, options)
        if collected := len(failures) < len(planned.runs):
            failures |= collect.collect(options.notebook, sweep_dir, workspace)
            collected = collect.TABLES not in failures
    print(closing_words(planned.runs, sweep_dir, failures, collected))
    return 1 if failures else 0


def run_all(
    notebook: str, missing: Sequence[Run], sweep_dir: Path, workspace: Path, options: argparse.Namespace
) -> dict[str, str]:
    """Execute the notebook for every missing run. Returns what went wrong, by the name of the run."""
    failures: dict[str, str] = {}
    if not missing:
        return failures
    parameters = {run.name: run.parameters for run in missing}
    workers = min(options.workers, len(missing))
    with RunsBar(missing) as bar, connect(options.scheduler, workers, workspace) as client:
        for name, outcome in execute_all(client, notebook, parameters, bar.show):
            if problem := publish.publish(name, outcome, sweep_dir, workspace):
                failures[name] = problem
            bar.finish(name, problem or "done")
    return failures


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    options = _OneLineParser(
        prog="python -m vae_core.sweep",
        description="Train one VAE per weight on the KL term and seed, and collect tables, figures and a report in "
        "<results>/kl_sweep/<dataset>/. Started again, it runs only what is missing.",
    )
    add = options.add_argument
    add(
        "--notebook",
        metavar="NAME",
        default=runs.REFERENCE,
        help="sweep over another notebook that has a kl_weight, such as conv_vae_fashion, into "
        "<results>/lessons/<notebook>/<dataset>/; default: train_vae",
    )
    add(
        "--dataset",
        metavar="NAME",
        help=f"{', '.join(SOURCES)}, or auto: mnist if it is available, else digits; default: the notebook's own, "
        "which is auto for train_vae",
    )
    add(
        "--kl-weights",
        metavar="C",
        type=float,
        nargs="+",
        help="weights on the KL term; default: 0 0.02 0.1 0.5 1 2 10 20 for train_vae, else the notebook's own",
    )
    add(
        "--seeds", metavar="N", type=int, nargs="+", default=(0,), help="every weight is run with each seed; default: 0"
    )
    add(
        "--epochs",
        metavar="N",
        type=int,
        help="passes through the training images; default: the notebook's own, which is 40 for train_vae",
    )
    add(
        "--workers",
        metavar="N",
        type=int,
        default=_cores(),
        help="runs at the same time, each with one thread and 1.4 GB of memory; default: the cores, here %(default)s",
    )
    add(
        "--results",
        metavar="DIR",
        default=runs.RESULTS,
        help="where to write; default: the project's results/",
    )
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="send the runs to the Dask cluster at this address (tcp://host:8786) instead of starting --workers",
    )
    add("--rerun", action="store_true", help="replace finished runs that were made with other settings")
    add(
        "-p",
        "--parameter",
        metavar=("NAME", "VALUE"),
        nargs=2,
        action="append",
        default=[],
        help="another parameter of the notebook, such as: -p learning_rate 0.0005",
    )
    return options


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        raise InputError(f"{message} (--help lists the options)")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
