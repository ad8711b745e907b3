"""Run a notebook once per weight and seed, several at a time, and collect what comes out.

python -m vae_core.sweep --dataset mnist --kl-weights 0 0.5 1 2 --seeds 0 1 --epochs 40 --workers 2
python -m vae_core.sweep --notebook conv_vae_fashion --kl-weights 0.392 1 4
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import papermill
from filelock import FileLock, Timeout
from tqdm import tqdm

from vae_core import collector, runs
from vae_core.data import load_dataset
from vae_core.sweep.workers import Outcome, connect, execute_all, last_line
from vae_core.errors import InputError
from vae_core.sweep.execute import execute_notebook

NOTEBOOKS = runs.PROJECT / "notebooks"
REFERENCE = "train_vae"  # the notebook of the sweep that report, gallery and README are about
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
IN_USE = 75  # EX_TEMPFAIL of sysexits.h: try again later


@dataclass(frozen=True, eq=False)
class Run:
    """One planned run: the notebook's parameters, and the config.json that its folder will have."""

    parameters: Mapping[str, object]
    config: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return runs.run_name(self.config["kl_weight"], self.config["seed"])


class InUseError(InputError):
    """Another sweep holds the lock of the folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep that the command line asks for.

    Returns 0 if all runs are done, 1 if some failed, 2 for wrong usage, 75 if another sweep is at work in the folder,
    130 if it was interrupted.
    """
    try:
        with _termination_as_interrupt():
            return sweep(_parser().parse_args(arguments))
    except InputError as error:
        print(f"sweep: {error}", file=sys.stderr)
        return IN_USE if isinstance(error, InUseError) else 2
    except OSError as error:
        print(f"sweep: the results cannot be written ({error.strerror}); finished runs are kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sweep: interrupted; finished runs are kept, and the same command goes on from there", file=sys.stderr)
        return 130


def sweep(options: argparse.Namespace) -> int:
    """Plan, run what is missing, collect, report; nothing is written before the plan is known to be sound."""
    planned = plan(options)
    system = "kl_sweep" if options.notebook == REFERENCE else f"lessons/{options.notebook}"
    sweep_dir = options.results.resolve() / system / planned[0].config["dataset"]
    _missing(planned, sweep_dir, options.rerun)  # refuses before a folder or a lock is made
    with _locked(sweep_dir), _workspace(sweep_dir) as workspace:
        missing = _missing(planned, sweep_dir, options.rerun)
        done = [sweep_dir / run.name for run in planned if run not in missing]
        print(f"{len(done)} of {len(planned)} runs are done already{_other_code(done)}", file=sys.stderr)
        _move_aside(missing, sweep_dir)
        failures = _run_all(missing, sweep_dir, workspace, options)
        if collected := len(failures) < len(planned):
            failures |= _collect(options.notebook, sweep_dir, workspace)
    print(_closing_words(planned, sweep_dir, failures, collected))
    return 1 if failures else 0


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end the sweep like Ctrl-C: kernels stopped, results kept."""

    def interrupt(number, frame):
        for name in signals:
            signal.signal(name, signal.SIG_IGN)  # a second one must not break the tidying up
        raise KeyboardInterrupt

    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)]
    before = {name: signal.signal(name, interrupt) for name in signals}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def plan(options: argparse.Namespace) -> list[Run]:
    """The runs that the options ask for. Raises InputError for options, types and numbers that cannot be.

    Words among the parameters are checked by the notebook, before it trains.
    """
    if options.workers < 1:
        raise InputError(f"--workers must be at least 1, not {options.workers}")
    defaults = _parameters_of(options.notebook)
    parameters = {name: _typed(defaults[name]["default"], name, defaults) for name in defaults}
    parameters |= {name: _typed(text, name, defaults) for name, text in _extra_parameters(options, defaults).items()}
    parameters |= {"epochs": options.epochs} if options.epochs is not None else {}
    settings = {name: value for name, value in parameters.items() if name not in ("dataset", "data_dir", "run_dir")}
    default_weights = KL_WEIGHTS if options.notebook == REFERENCE else (parameters["kl_weight"],)
    combinations = [
        {"kl_weight": kl_weight, "seed": seed}
        for seed in dict.fromkeys(options.seeds)
        for kl_weight in dict.fromkeys(options.kl_weights or default_weights)
    ]
    numbers = {name: value for name, value in settings.items() if not isinstance(value, str)}
    for combination in combinations:
        runs.check_parameters(numbers | combination)
    for variable in ("VAE_DATA_DIR", "KERAS_HOME"):
        if folder := os.environ.get(variable):
            os.environ[variable] = str(Path(folder).resolve())  # the notebooks run in other folders
    dataset = load_dataset(options.dataset or parameters["dataset"])
    settings = {"dataset": dataset.name, **settings}
    return [
        Run(settings | combination, runs.run_config(settings | combination, dataset.checksum))
        for combination in combinations
    ]


def _parameters_of(notebook: str) -> dict[str, dict]:
    """The parameters of a notebook that makes a run. Raises InputError for another."""
    known = {path.stem: papermill.inspect_notebook(str(path)) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    runnable = {name: parameters for name, parameters in known.items() if {"kl_weight", "run_dir"} <= set(parameters)}
    if notebook not in runnable:
        raise InputError(f"--notebook must be one of {', '.join(runnable)}, not {notebook!r}")
    return runnable[notebook]


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(
        prog="python -m vae_core.sweep",
        description="Train one VAE per weight on the KL term and seed, and collect tables, figures and a report in "
        "<results>/kl_sweep/<dataset>/. Started again, it runs only what is missing.",
    )
    add = parser.add_argument
    add(
        "--notebook",
        metavar="NAME",
        default=REFERENCE,
        help="sweep over another notebook that has a kl_weight, such as conv_vae_fashion, into "
        "<results>/lessons/<notebook>/<dataset>/; default: train_vae",
    )
    add(
        "--dataset",
        metavar="NAME",
        help="mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits; default: the notebook's own, "
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
        type=Path,
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
            raise InputError(f"-p {name}: {options.notebook} has no such parameter; for -p it has {known}")
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


def _other_code(done: Iterable[Path]) -> str:
    """A remark if the code is not that of all finished runs."""
    commit = runs.git_state()["git_commit"]
    before = {runs.read_json(folder / runs.RECORD)["git_commit"] for folder in done} - {commit}
    return (
        f"; the code has changed since ({', '.join(str(c)[:7] for c in before)} then), they are kept" if before else ""
    )


def _differences(there: Mapping[str, object], planned: Mapping[str, object]) -> str:
    names = [name for name in planned if there.get(name) != planned[name]]
    return ", ".join(f"{name} {there.get(name)}, now {planned[name]}" for name in names)


@contextmanager
def _locked(sweep_dir: Path) -> Iterator[None]:
    """Keep other sweeps out of the folder. The system frees the lock when its holder ends, however it ends."""
    try:
        sweep_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(sweep_dir / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise InUseError(f"another sweep is at work in {sweep_dir}: wait for it, or choose another --results") from None
    except OSError as error:
        raise InputError(f"{sweep_dir} cannot be written ({error.strerror}): choose another --results") from error
    with lock:
        yield


@contextmanager
def _workspace(sweep_dir: Path) -> Iterator[Path]:
    """A private folder on the disk of the results, so that a finished run appears by one rename."""
    for left_by_a_killed_sweep in sweep_dir.glob(".running-*"):
        shutil.rmtree(left_by_a_killed_sweep, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".running-", dir=sweep_dir, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _move_aside(missing: Iterable[Run], sweep_dir: Path) -> None:
    """Take finished runs that are to be replaced out of the sweep; they are deleted when their successors are whole."""
    for run in missing:
        if (folder := sweep_dir / run.name).exists():
            _replace_folder(folder, sweep_dir / "replaced" / run.name)


def _run_all(missing: Sequence[Run], sweep_dir: Path, workspace: Path, options: argparse.Namespace) -> dict[str, str]:
    """Run them on the engine. Returns what went wrong, by the name of the run."""
    failures: dict[str, str] = {}
    if not missing:
        return failures
    notebook = (NOTEBOOKS / f"{options.notebook}.ipynb").read_text()
    parameters = {run.name: run.parameters for run in missing}
    workers = min(options.workers, len(missing))
    with connect(options.scheduler, workers, workspace) as client, _Bar(missing) as bar:
        for name, outcome in execute_all(client, notebook, parameters, bar.show):
            problem = outcome.problem
            try:
                _publish(name, outcome, sweep_dir, workspace)
            except OSError as error:
                problem = problem or f"its results cannot be written ({error.strerror})"
            if problem:
                failures[name] = problem
            bar.finish(name, problem or "done")
    return failures


def _publish(name: str, outcome: Outcome, sweep_dir: Path, workspace: Path) -> None:
    """Write the files of a run into a private folder, which then gets its name in the sweep, or under failed/."""
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


class _Bar(tqdm):
    """One bar over the epochs of all runs, which names those in flight."""

    def __init__(self, missing: Sequence[Run]):
        self.epochs = {run.name: run.config["epochs"] for run in missing}
        self.trained: dict[str, int] = {}
        super().__init__(total=sum(self.epochs.values()), unit="epoch", dynamic_ncols=True, disable=None)

    def show(self, name: str, epochs: int) -> None:
        """Set how many epochs of a run are trained. A run that is done again starts anew."""
        if name in self.epochs:
            change = epochs - self.trained.get(name, 0)
            self.trained[name] = epochs
            in_flight = (f"{name} {trained}/{self.epochs[name]}" for name, trained in self.trained.items())
            self.set_postfix_str(", ".join(in_flight), refresh=False)
            self.update(change)
            self.refresh()

    def finish(self, name: str, word: str) -> None:
        """Count a run as finished, and say how it went."""
        self.show(name, self.epochs[name])
        del self.epochs[name], self.trained[name]
        self.write(f"{name}: {word}", file=sys.stderr)


def _replace_folder(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    source.rename(target)


def _collect(notebook: str, sweep_dir: Path, workspace: Path) -> dict[str, str]:
    """Tables and sheets, and the report, which is about train_vae. Returns what went wrong, like `_run_all`."""
    if notebook != REFERENCE:
        collector.collect_lesson(sweep_dir)
        return {}
    collector.collect(sweep_dir)
    return _report(sweep_dir, workspace)


def _report(sweep_dir: Path, workspace: Path) -> dict[str, str]:
    """Execute the report over the sweep. Returns what went wrong, like `_run_all`."""
    output = workspace / "report.ipynb"
    try:
        execute_notebook(NOTEBOOKS / "kl_sweep_report.ipynb", output, {"sweep_dir": "."}, cwd=sweep_dir)
    except Exception as error:  # the runs are done all the same
        return {"report.ipynb": last_line(error)}
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
        lines += ["", (sweep_dir / "loss_table.md").read_text()]
        names = ("report.ipynb", "explorer.html", "rate_distortion.png", "latent_scatters.png", "decoder_manifolds.png")
        shown = [f"  {where / name}" for name in names if (sweep_dir / name).exists()]
        lines += ["Open:", *shown] if shown else []
    return "\n".join(lines)


def _state(name: str, where: Path, failures: Mapping[str, str]) -> str:
    if name not in failures:
        return f"done -> {where / name / 'run.ipynb'}"
    notebook = where / "failed" / name / "run.ipynb"
    return f"failed: {failures[name]}" + (f" -> {notebook}" if notebook.exists() else "")


if __name__ == "__main__":
    sys.exit(main())
