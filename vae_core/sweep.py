"""Run the notebook train_vae once per weight and seed, several at a time, and collect what comes out.

python -m vae_core.sweep --dataset mnist --kl-weights 0 0.5 1 2 --seeds 0 1 --epochs 40 --workers 2
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import papermill
from tqdm import tqdm

from vae_core import collector, runs
from vae_core.data import load_dataset
from vae_core.errors import InputError
from vae_core.notebooks import execute_notebook

NOTEBOOKS = runs.PROJECT / "notebooks"
KL_WEIGHTS = (0.0, 0.02, 0.1, 0.5, 1.0, 2.0, 10.0, 20.0)
TYPES = {"float": float, "int": int, "str": str}
INSTEAD = {
    "dataset": "--dataset",
    "kl_weight": "--kl-weights",
    "seed": "--seeds",
    "epochs": "--epochs",
    "data_dir": "the environment variable VAE_DATA_DIR",
    "run_dir": "--results",
}
LOOK_EVERY = 0.5  # seconds between two looks at the running notebooks' histories


@dataclass(frozen=True, eq=False)
class Run:
    """One planned run: the notebook's parameters, and the config.json that its folder will have."""

    parameters: Mapping[str, object]
    config: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return runs.run_name(self.config["kl_weight"], self.config["seed"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep that the command line asks for: 0 if all runs are done, 1 if some failed, 2 for wrong usage."""
    try:
        return sweep(_parser().parse_args(arguments))
    except InputError as error:
        print(f"sweep: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sweep: interrupted; finished runs are kept, and the same command goes on from there", file=sys.stderr)
        return 130


def sweep(options: argparse.Namespace) -> int:
    """Plan, run what is missing, collect, report; nothing is written before the plan is known to be sound."""
    planned = plan(options)
    sweep_dir = options.results / "kl_sweep" / planned[0].config["dataset"]
    missing = _missing(planned, sweep_dir, options.rerun)
    workspace = _workspace(sweep_dir)
    try:
        print(f"{len(planned) - len(missing)} of {len(planned)} runs are done already", file=sys.stderr)
        _move_aside(missing, sweep_dir)
        failures = _run_all(missing, sweep_dir, workspace, options.workers)
        if collected := len(failures) < len(planned):
            collector.collect(sweep_dir)
            failures |= _report(sweep_dir, workspace)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    print(_closing_words(planned, sweep_dir, failures, collected))
    return 1 if failures else 0


def plan(options: argparse.Namespace) -> list[Run]:
    """The runs that the options ask for. Raises InputError for whatever would make them fail or mean something else."""
    if options.workers < 1:
        raise InputError(f"--workers must be at least 1, not {options.workers}")
    defaults = papermill.inspect_notebook(str(NOTEBOOKS / "train_vae.ipynb"))
    parameters = {name: _typed(defaults[name]["default"], name, defaults) for name in defaults}
    parameters |= {name: _typed(text, name, defaults) for name, text in _extra_parameters(options, defaults).items()}
    parameters["epochs"] = options.epochs
    settings = {name: value for name, value in parameters.items() if name not in ("dataset", "data_dir", "run_dir")}
    combinations = [
        {"kl_weight": kl_weight, "seed": seed}
        for seed in dict.fromkeys(options.seeds)
        for kl_weight in dict.fromkeys(options.kl_weights)
    ]
    for combination in combinations:
        runs.check_parameters(settings | combination)
    for variable in ("VAE_DATA_DIR", "KERAS_HOME"):
        if folder := os.environ.get(variable):
            os.environ[variable] = str(Path(folder).resolve())  # the notebooks run in other folders
    dataset = load_dataset(options.dataset)
    settings = {"dataset": dataset.name, **settings}
    return [
        Run(settings | combination, runs.run_config(settings | combination, dataset.checksum))
        for combination in combinations
    ]


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(
        prog="python -m vae_core.sweep",
        description="Train one VAE per weight on the KL term and seed, and collect tables, figures and a report in "
        "<results>/kl_sweep/<dataset>/. Started again, it runs only what is missing.",
    )
    add = parser.add_argument
    add(
        "--dataset",
        metavar="NAME",
        default="auto",
        help="mnist, fashion_mnist, digits, or auto (the default): mnist if it can be had, else digits",
    )
    add(
        "--kl-weights",
        metavar="C",
        type=float,
        nargs="+",
        default=KL_WEIGHTS,
        help="weights on the KL term; default: 0 0.02 0.1 0.5 1 2 10 20",
    )
    add(
        "--seeds", metavar="N", type=int, nargs="+", default=(0,), help="every weight is run with each seed; default: 0"
    )
    add("--epochs", metavar="N", type=int, default=40, help="passes through the training images; default: 40")
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
        type=Path,
        default=runs.RESULTS,
        help="where to write; default: the project's results/",
    )
    add("--rerun", action="store_true", help="replace finished runs that were made with other settings")
    add(
        "-p",
        "--parameter",
        metavar=("NAME", "VALUE"),
        nargs=2,
        action="append",
        default=[],
        help="another parameter of notebooks/train_vae, such as: -p learning_rate 0.0005",
    )
    return parser


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        raise InputError(f"{message} (--help lists the options)")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _extra_parameters(options: argparse.Namespace, defaults: Mapping[str, dict]) -> dict[str, str]:
    for name, _ in options.parameter:
        if name in INSTEAD:
            raise InputError(f"-p {name}: use {INSTEAD[name]} instead")
        if name not in defaults:
            known = ", ".join(sorted(set(defaults) - set(INSTEAD)))
            raise InputError(f"-p {name}: the notebook train_vae has no such parameter; for -p it has {known}")
    return dict(options.parameter)


def _typed(text: str, name: str, defaults: Mapping[str, dict]) -> object:
    """A value as the type that the notebook's parameters cell gives it; papermill itself would pass a string."""
    type_name = defaults[name]["inferred_type_name"]
    try:
        return TYPES[type_name](text.strip("\"'"))
    except ValueError:
        raise InputError(f"-p {name}: {text!r} is not of type {type_name}") from None


def _missing(planned: Sequence[Run], sweep_dir: Path, rerun: bool) -> list[Run]:
    """The planned runs that are not done. Raises InputError if runs with other settings would be mixed in."""
    by_name = {run.name: run for run in planned}
    done, other = set(), {}
    for folder in filter(runs.is_done, sorted(sweep_dir.glob("kl_*_seed*"))):
        config = runs.read_json(folder / "config.json")
        expected = {**planned[0].config, "kl_weight": config["kl_weight"], "seed": config["seed"]}
        if config == expected:
            done.add(folder.name)
        elif not (rerun and folder.name in by_name):
            other[folder.name] = _differences(config, expected)
    if other:
        named = "; ".join(f"{name} ({differences})" for name, differences in other.items())
        advice = "replace them with --rerun" if set(other) <= set(by_name) else "move them away"
        raise InputError(f"{sweep_dir} has runs with other settings: {named}; {advice}, or choose another --results")
    return [run for name, run in by_name.items() if name not in done]


def _differences(there: Mapping[str, object], planned: Mapping[str, object]) -> str:
    names = [name for name in planned if there.get(name) != planned[name]]
    return ", ".join(f"{name} {there.get(name)}, now {planned[name]}" for name in names)


def _workspace(sweep_dir: Path) -> Path:
    """A private folder on the disk of the results, so that a finished run appears by one rename."""
    try:
        sweep_dir.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".running-", dir=sweep_dir))
    except OSError as error:
        raise InputError(f"{sweep_dir} cannot be written ({error.strerror}): choose another --results") from error


def _move_aside(missing: Iterable[Run], sweep_dir: Path) -> None:
    """Take finished runs that are to be replaced out of the sweep; they are deleted when their successors are whole."""
    for run in missing:
        if (folder := sweep_dir / run.name).exists():
            _replace_folder(folder, sweep_dir / "replaced" / run.name)


def _run_all(missing: Sequence[Run], sweep_dir: Path, workspace: Path, workers: int) -> dict[str, str]:
    """Run them, `workers` at a time. Returns what went wrong, by the name of the run."""
    failures: dict[str, str] = {}
    waiting, running, free = list(missing), {}, [_worker() for _ in range(min(workers, len(missing)))]
    epochs = sum(run.config["epochs"] for run in missing)
    try:
        with tqdm(total=epochs, unit="epoch", dynamic_ncols=True, disable=None) as bar:
            while waiting or running:
                while waiting and free:  # no more than can start: what an executor has queued outlives a Ctrl-C
                    run, worker = waiting.pop(0), free.pop()
                    running[worker.submit(_run, run, sweep_dir, workspace / run.name)] = run, worker
                for future in wait(running, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED).done:
                    run, worker = running.pop(future)
                    if problem := _problem(future):
                        failures[run.name] = problem
                        _keep_failed(workspace / run.name, sweep_dir)
                    bar.write(f"{run.name}: {problem or 'done'}", file=sys.stderr)
                    free.append(_worker() if isinstance(future.exception(), BrokenProcessPool) else worker)
                _show(bar, waiting, [run for run, _ in running.values()], workspace)
    finally:
        for worker in free + [worker for _, worker in running.values()]:
            worker.shutdown()
    return failures


def _worker() -> ProcessPoolExecutor:
    """One process, so that the death of one run's worker is nothing to the others."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _show(bar: tqdm, waiting: Iterable[Run], running: Iterable[Run], workspace: Path) -> None:
    """Set the bar to the epochs that finished runs and the histories of running ones have."""
    trained = {run: _epochs_in(workspace / run.name / "history.csv") for run in running}
    left = sum(run.config["epochs"] for run in waiting) + sum(run.config["epochs"] - trained[run] for run in trained)
    in_flight = [f"{run.name} {epochs}/{run.config['epochs']}" for run, epochs in trained.items()]
    bar.set_postfix_str(", ".join(in_flight), refresh=False)
    bar.update(bar.total - left - bar.n)
    bar.refresh()


def _epochs_in(history: Path) -> int:
    try:
        return max(0, len(history.read_text().splitlines()) - 1)
    except FileNotFoundError:  # not yet there, or the finished run has moved on
        return 0


def _run(run: Run, sweep_dir: Path, folder: Path) -> None:
    """In a worker: one run in a private folder, renamed to its place when it is whole."""
    folder.mkdir()
    execute_notebook(
        NOTEBOOKS / "train_vae.ipynb", folder / "run.ipynb", {**run.parameters, "run_dir": "."}, cwd=folder
    )
    if not (folder / runs.RECORD).exists():
        raise InputError("the notebook ended before its last cell")
    runs.update_record(folder)
    folder.rename(sweep_dir / run.name)
    for place in ("failed", "replaced"):
        shutil.rmtree(sweep_dir / place / run.name, ignore_errors=True)


def _problem(future: Future) -> str | None:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return "its process was killed, perhaps for want of memory (fewer --workers need less)"
    return _last_line(error) if error else None


def _keep_failed(folder: Path, sweep_dir: Path) -> None:
    """Keep what there is of a failed run, its notebook with the error in it first of all."""
    if folder.exists():
        _replace_folder(folder, sweep_dir / "failed" / folder.name)


def _last_line(error: BaseException) -> str:
    """The sentence at the end of a traceback; papermill's exceptions carry that of the notebook."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _replace_folder(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    source.rename(target)


def _report(sweep_dir: Path, workspace: Path) -> dict[str, str]:
    """Execute the report over the sweep. Returns what went wrong, like `_run_all`."""
    output = workspace / "report.ipynb"
    try:
        execute_notebook(NOTEBOOKS / "kl_sweep_report.ipynb", output, {"sweep_dir": "."}, cwd=sweep_dir)
    except Exception as error:  # the runs are done all the same
        return {"report.ipynb": _last_line(error)}
    finally:
        if output.exists():
            output.replace(sweep_dir / "report.ipynb")
    return {}


def _closing_words(planned: Sequence[Run], sweep_dir: Path, failures: Mapping[str, str], collected: bool) -> str:
    where = Path(os.path.relpath(sweep_dir))
    lines = [f"{run.name:<20} {_state(run.name, where, failures)}" for run in planned]
    if "report.ipynb" in failures:
        lines.append(f"{'report.ipynb':<20} failed: {failures['report.ipynb']} -> {where / 'report.ipynb'}")
    if collected:
        lines += ["", (sweep_dir / "loss_table.md").read_text(), "Open:"]
        lines += [f"  {where / name}" for name in ("report.ipynb", "latent_scatters.png", "decoder_manifolds.png")]
    return "\n".join(lines)


def _state(name: str, where: Path, failures: Mapping[str, str]) -> str:
    if name not in failures:
        return f"done -> {where / name / 'run.ipynb'}"
    notebook = where / "failed" / name / "run.ipynb"
    return f"failed: {failures[name]}" + (f" -> {notebook}" if notebook.exists() else "")


if __name__ == "__main__":
    sys.exit(main())
