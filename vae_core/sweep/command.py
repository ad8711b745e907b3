"""Run a notebook once per weight and seed, several at a time, and collect the results.

python -m vae_core.sweep --dataset mnist --kl-weights 0 0.5 1 2 --seeds 0 1 --workers 2
python -m vae_core.sweep -p latent_dim 2 10 32 -p kl_schedule constant linear --dry-run
python -m vae_core.sweep --notebook conv_vae_fashion --kl-weights 0.392 1 4
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from vae_core import runs
from vae_core.data import SOURCES
from vae_core.execution.command import OneLineParser, exit_code
from vae_core.execution.lock import locked
from vae_core.execution.places import private_folder
from vae_core.report import collect
from vae_core.sweep import publish
from vae_core.sweep.bar import RunsBar
from vae_core.sweep.closing import closing_words, shown
from vae_core.sweep.cost import cost_words
from vae_core.sweep.found import Found, find, sort_out, tasks
from vae_core.sweep.plan import Plan, plan
from vae_core.sweep.remarks import remarks
from vae_core.sweep.workers import connect, execute_all


def main(
    arguments: Sequence[str] | None = None,
    notebooks: Path = runs.NOTEBOOKS,
    usual: Mapping[str, object] | None = None,
) -> int:
    """Run the sweeps that the command line asks for.

    notebooks: the folder that --notebook names a file of
    usual: values that count as the defaults of this command, in place of the notebook's own

    Returns 0 if all runs are done, 1 if some failed, 2 for wrong usage, 75 if another sweep is at work in the folder,
    130 if it was interrupted.
    """
    return exit_code(
        "sweep",
        lambda: sweep(parser().parse_args(arguments), notebooks, usual or {}),
        "; finished runs are kept",
        "finished runs are kept, and the same command goes on from there",
    )


def sweep(options: argparse.Namespace, notebooks: Path, usual: Mapping[str, object]) -> int:
    """Plan, run what is missing, collect, report; nothing is written before the plan is known to be sound."""
    results = runs.user_folder(options.results, "--results").resolve()
    planned = plan(options, notebooks, usual)
    base = results / planned.place
    found = find(planned, base, options.rerun)  # refuses before a folder or a lock is made
    if options.dry_run:
        print("\n".join(announcement(planned, found, results, options)))
        return 0
    comparison = [base / planned.comparison] if planned.comparison and not planned.no_comparison else []
    with ExitStack() as stack:
        places = sorted({*(each.sweep_dir for each in found), *comparison})
        for place in places:
            stack.enter_context(locked(place))
        workspaces = {place: stack.enter_context(private_folder(place)) for place in places}
        found = [sort_out(each.sweep, each.sweep_dir, options.rerun) for each in found]
        for line in announcement(planned, found, results, options):
            print(line, file=sys.stderr)
        for each in found:
            publish.move_aside(each.missing, each.sweep_dir)
        notebook = (notebooks / f"{options.notebook}.ipynb").read_text("utf-8")
        failures = run_all(notebook, found, workspaces, options)
        with_runs = [each.sweep_dir for each in found if len(failures[each.sweep_dir]) < len(each.sweep.runs)]
        for sweep_dir in with_runs:
            failures[sweep_dir] |= collect.collect(options.notebook, sweep_dir, workspaces[sweep_dir])
        for target in comparison if len(with_runs) > 1 else []:
            failures[target] |= collect.compare(with_runs, target, workspaces[target])
    print(closing_words(found, base, failures, planned.comparison))
    return 1 if any(failures.values()) else 0


def announcement(planned: Plan, found: Sequence[Found], results: Path, options: argparse.Namespace) -> Iterator[str]:
    """The plan: what is done in each folder and what is not counted, and what the missing runs will cost."""
    base, several = results / planned.place, len(found) > 1
    if several:
        yield f"{sum(len(each.sweep.runs) for each in found):,} runs in {len(found)} folders of {shown(base)}:"
    yield from remarks(found)
    if reason := planned.no_comparison:
        yield f"  there will be no comparison: {reason}"
    if missing := sum(len(each.missing) for each in found):
        where, workers = shown(base if several else found[0].sweep_dir), min(options.workers, missing)
        by = f"on the cluster at {options.scheduler}" if options.scheduler else f"{workers} at a time"
        yield f"{missing:,} {'run' if missing == 1 else 'runs'} to do in {where}, {by}"
        yield from cost_words(planned, found, results, None if options.scheduler else workers)


def run_all(
    notebook: str, found: Sequence[Found], workspaces: Mapping[Path, Path], options: argparse.Namespace
) -> dict[Path, dict[str, str]]:
    """Execute the notebook for every missing run of all sweeps. Returns what went wrong, by folder and by run."""
    failures: dict[Path, dict[str, str]] = defaultdict(dict)
    missing = {task.name: task for task in tasks(found)}
    if not missing:
        return failures
    parameters = {name: task.run.parameters for name, task in missing.items()}
    labels = {name: task.label for name, task in missing.items()}
    workers, scratch = min(options.workers, len(missing)), next(iter(workspaces.values()))
    with RunsBar(labels) as bar, connect(options.scheduler, workers, scratch) as client:
        for name, outcome in execute_all(client, notebook, parameters, bar.show):
            run, sweep_dir = missing[name].run, missing[name].sweep_dir
            if problem := publish.publish(run.name, outcome, sweep_dir, workspaces[sweep_dir]):
                failures[sweep_dir][run.name] = problem
            bar.finish(name, problem or "done")
    return failures


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    options = OneLineParser(
        prog="python -m vae_core.sweep",
        description="Train one VAE per weight on the KL term and seed, and collect tables, figures and a report in "
        "<results>/kl_sweep/<dataset>/, or in a folder there that is named after the settings that differ from the "
        "defaults. Started again, it runs only what is missing.",
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
        help=f"{', '.join(SOURCES)}, or your own images: an .npz or .npy file or a folder of pictures; or auto: mnist "
        "if it is available, else digits; default: the notebook's own, which is auto for train_vae",
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
        nargs="+",
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
    add("--rerun", action="store_true", help="replace finished runs in the same folder that have other settings")
    add(
        "--dry-run",
        action="store_true",
        help="say how many runs there are, in which folders, how long they take and what disk they need, and stop",
    )
    add(
        "-p",
        "--parameter",
        metavar=("NAME", "VALUE"),
        nargs="+",
        action="append",
        default=[],
        help="another parameter of the notebook, such as -p learning_rate 0.0005; '' for none; of several values, such "
        "as -p latent_dim 2 10 32, each is a sweep in a folder of its own, and of several -p each combination",
    )
    return options


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
